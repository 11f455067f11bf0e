import { type Command, InvalidArgumentError, Option } from 'commander';
import { exitCodeHelp } from './exit-code.ts';

/** Runs a command with its arguments and flags, and keeps its exit code. */
export type Does = <Arguments extends readonly unknown[]>(
  run: (...args: Arguments) => number | Promise<number>,
) => (...args: unknown[]) => Promise<void>;

/** In a pipe one block per change, with --json one document a line. */
export const watchOption = ['-w, --watch', 'show it again whenever it changes; on a terminal in place'] as const;

export function group(program: Command, name: string, about: string, lines: readonly string[]): Command {
  const command = examples(program.command(name).description(about), lines);
  // Told by the program itself and by each command; between the two they are only accepted.
  for (const option of program.options)
    if (option.long !== '--version') command.addOption(new Option(option.flags, option.description).hideHelp());
  return command;
}

/** Flags that stood before the command or its group, as in `ragwarden --config FILE config check`; the nearest one counts. */
export function earlierFlags(command: Command): Record<string, unknown> {
  const flags: Record<string, unknown> = {};
  for (let above = command.parent; above !== null; above = above.parent)
    for (const option of above.options) {
      const name = option.attributeName();
      if (above.getOptionValueSource(name) !== 'cli') continue;
      // Where settings lie makes no difference to some commands; a document that is not printed does.
      if (name === 'json' && !command.options.some((own) => own.long === option.long))
        command.error(`error: '${command.name()}' has no option ${option.long}`);
      flags[name] ??= above.getOptionValue(name);
    }
  return flags;
}

export const examples = (command: Command, lines: readonly string[]): Command =>
  command.addHelpText('before', `Examples:\n${lines.map((line) => `  $ ragwarden ${line}`).join('\n')}\n`);

/** Every help ends with them, also that of a command inside a group. */
export function withExitCodes(command: Command, columns: () => number): void {
  command.addHelpText('after', () => `\n${exitCodeHelp(columns())}`);
  for (const inner of command.commands) withExitCodes(inner, columns);
}

export const offline = (command: Command): Command =>
  command
    .option('--data-dir <folder>', 'folder of the state (default ragwarden-data)')
    .option('--config <file>', 'settings file (default ragwarden.yaml)');

export const output = (command: Command): Command =>
  command.option('--json', 'print the document as it is').option('-q, --quiet', 'say nothing about what went well');

/** They find the server by `RAGWARDEN_URL` and `RAGWARDEN_TOKEN`, or by its data folder. */
export const remote = (command: Command): Command =>
  output(
    command
      .option('--data-dir <folder>', 'folder of the running ragwarden (default ragwarden-data)')
      .option('--config <file>', 'settings file that names the folder'),
  );

export const count =
  (greatest: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < 1 || value > greatest)
      throw new InvalidArgumentError(`It is a number from 1 to ${greatest}.`);
    return value;
  };
