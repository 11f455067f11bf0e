import {
  configExample,
  configReference,
  configSchemaText,
  describeConfig,
  type Problem,
  readConfig,
} from '../config/index.ts';
import { type CommandContext, printJson, settingFlags } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { formatTable, plural, withoutControls } from './format.ts';
import type { Terminal } from './terminal.ts';

type Flags = Readonly<Record<string, unknown>>;

/** Every problem at once: where it stands, what is wrong, what to do. */
export function printProblems(terminal: Terminal, problems: readonly Problem[], outcome = 'nothing was started'): void {
  const { red } = terminal.noteColours;
  for (const { place, message, mend } of withoutControls(problems)) terminal.note(`${red(place)}: ${message}. ${mend}`);
  terminal.note(`\n${plural(problems.length, 'setting is', 'settings are')} not right; ${outcome}.`);
}

/** What is allowed and yet probably not meant. */
export function printNotices(terminal: Terminal, notices: readonly Problem[]): void {
  const { yellow } = terminal.noteColours;
  for (const { place, message, mend } of withoutControls(notices))
    terminal.note(`${yellow(place)}: ${message}. ${mend}`);
}

export function checkConfig(context: CommandContext, flags: Flags): number {
  const { terminal } = context;
  const { problems, notices, file } = readConfig({ env: context.env, cwd: context.cwd, flags: settingFlags(flags) });
  const code = problems.length === 0 ? exitCodes.ok : exitCodes.usage;
  if (flags.json) printJson(terminal, { file: file ?? null, problems, notices });
  else if (!flags.quiet) printNotices(terminal, notices);
  if (flags.json) return code;
  if (problems.length > 0) printProblems(terminal, problems);
  else if (!flags.quiet)
    terminal.out(`The configuration is right${file === undefined ? '; there is no settings file.' : `: ${file}`}`);
  return code;
}

/** Effective values, also when others are wrong: then it says so and ends with 2. */
export function showConfig(context: CommandContext, flags: Flags): number {
  const { terminal } = context;
  const reading = readConfig({ env: context.env, cwd: context.cwd, flags: settingFlags(flags) });
  const shown = describeConfig(reading);
  if (flags.json) printJson(terminal, shown);
  else {
    const { dim } = terminal.colours;
    terminal.out(
      formatTable(
        [{ title: 'setting' }, { title: 'value' }, ...(flags.origin ? [{ title: 'origin' }] : [])],
        withoutControls(shown).map((one) => [
          one.key,
          one.value ?? dim('(none)'),
          ...(flags.origin ? [one.origin === 'default' ? dim(one.origin) : one.origin] : []),
        ]),
      ),
    );
  }
  if (reading.problems.length === 0) return exitCodes.ok;
  if (!flags.json) printProblems(terminal, reading.problems);
  return exitCodes.usage;
}

export function printReference(context: CommandContext): number {
  context.terminal.stdout.write(configReference());
  return exitCodes.ok;
}

export function printSchema(context: CommandContext): number {
  context.terminal.stdout.write(configSchemaText());
  return exitCodes.ok;
}

export function printExample(context: CommandContext): number {
  context.terminal.stdout.write(configExample());
  return exitCodes.ok;
}
