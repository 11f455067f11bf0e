import { isAppError, type Violation } from '../platform/errors.ts';
import type { CliOptions, CommandContext } from './cli.ts';
import { exitCodeOf, Interrupted, ServerRefusal } from './exit-code.ts';
import { withoutControls } from './format.ts';
import { runProgram } from './program.ts';
import { createTerminal, noteExplanation, type Terminal } from './terminal.ts';

/** Runs one command line to its end and says what went wrong. @returns the exit code; never throws */
export async function runCli(options: CliOptions): Promise<number> {
  const { env, cwd, signal, offline, onReloadAsked } = options;
  const terminal = createTerminal(options);
  const context: CommandContext = { env, cwd, signal, offline, onReloadAsked, terminal };
  try {
    return await runProgram(context, options.argv);
  } catch (thrown) {
    // What fails because the process was told to end is that end, however it looks from inside.
    const err = signal.aborted && signal.reason instanceof Interrupted ? signal.reason : thrown;
    if (!(err instanceof Interrupted)) report(terminal, err);
    return exitCodeOf(err);
  }
}

function report(terminal: Terminal, err: unknown): void {
  const { red, dim } = terminal.noteColours;
  if (isAppError(err) || err instanceof ServerRefusal) {
    terminal.note(`${red('error')}: ${withoutControls(err.detail)} ${dim(`[${err.code}]`)}`);
    for (const { at, message } of withoutControls<readonly Violation[]>(err.violations))
      terminal.note(`  ${at}: ${message}`);
    noteExplanation(terminal, err.code);
    return;
  }
  // A bug: what it says is the best there is to go by.
  terminal.note(`${red('error')}: ${err instanceof Error ? (err.stack ?? err.message) : String(err)}`);
}
