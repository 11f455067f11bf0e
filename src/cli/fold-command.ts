import { resolve } from 'node:path';
import { type CommandContext, printJson } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { plural } from './format.ts';

export async function foldFolder(
  context: CommandContext,
  folder: string,
  flags: { readonly json?: boolean; readonly quiet?: boolean },
): Promise<number> {
  const { terminal } = context;
  const result = await context.offline.foldRestored(resolve(context.cwd, folder));
  if (flags.json) printJson(terminal, result);
  else {
    for (const fault of result.faults) terminal.note(fault);
    if (!flags.quiet)
      terminal.out(
        `${plural(result.folded, 'file')} folded, ${plural(result.checked, 'other')} as captured, ${result.faults.length} failed.`,
      );
  }
  return result.faults.length === 0 ? exitCodes.ok : exitCodes.checkFailed;
}
