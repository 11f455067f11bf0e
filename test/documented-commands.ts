import { type Command, CommanderError } from 'commander';
import type { CommandContext } from '../src/cli/cli.ts';
import { buildProgram } from '../src/cli/program.ts';

/** What a reader replaces by a number of his own, where anything else is refused. */
const placeholders: Readonly<Record<string, string>> = { N: '5', REVISION: '5' };

/** The words of one simple command as a shell takes them; what follows a pipe, `;`, `&&`, a redirection or a comment is not of it. */
export function shellWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (const character of line.replace(/\\\n\s*/g, ' ')) {
    if (quote !== '') {
      if (character === quote) quote = '';
      else word += character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if ('|;&><'.includes(character) || (character === '#' && word === undefined)) break;
    else word = (word ?? '') + character;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** Commands of ragwarden in a block of shell lines, each without the program's name. */
export const commandsOfBlock = (block: string): string[] =>
  [...block.replace(/ *\\\n\s*/g, ' ').matchAll(/^\s*(?:\$ )?(?:[A-Z_]+=\S* )*(?:bin\/)?ragwarden (.*)$/gm)].map(
    ([, line = '']) => line,
  );

/**
 * What the command line says against it, without running it: an unknown command or option, a value that is no choice, too many words.
 * @param complete false for one that is only named: then what is missing is no fault
 */
export async function findCommandFault(line: string, complete: boolean): Promise<string | undefined> {
  const argv = shellWords(line).map((word) => placeholders[word] ?? word);
  program ??= quiet(buildProgram(context, undefined, () => async () => {}));
  try {
    await program.parseAsync(argv, { from: 'user' });
    return undefined;
  } catch (err) {
    if (!(err instanceof CommanderError)) throw err;
    if (err.code === 'commander.helpDisplayed') return undefined;
    const missing = ['commander.missingArgument', 'commander.missingMandatoryOptionValue', 'commander.help'];
    return !complete && missing.includes(err.code) ? undefined : err.message;
  }
}

/** Made once: it is made of two hundred commands, and reads one line after the other. */
let program: Command | undefined;
const context = { terminal: { columns: () => 100 } } as unknown as CommandContext;

function quiet(command: Command): Command {
  command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} });
  for (const inner of command.commands) quiet(inner);
  return command;
}

/** Commands that have others below them, and what stands below. */
export function commandGroups(): ReadonlyMap<string, ReadonlySet<string>> {
  const made = buildProgram(context, undefined, () => async () => {});
  return new Map(
    made.commands
      .filter(({ commands }) => commands.length > 0)
      .map((group) => [group.name(), new Set(group.commands.map((one) => one.name()))]),
  );
}

/** The command lines that the help of the program, of its groups and of its commands shows. */
export function helpExamples(): string[] {
  const lines: string[] = [];
  const gather = (command: Command): void => {
    command.configureOutput({
      writeOut: (text) => {
        if (text.startsWith('Examples:')) lines.push(...commandsOfBlock(text));
      },
    });
    command.outputHelp();
    for (const inner of command.commands) gather(inner);
  };
  gather(quiet(buildProgram(context, undefined, () => async () => {})));
  return [...new Set(lines)];
}
