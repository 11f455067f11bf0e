import { z } from 'zod';
import { pathPart, read } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { isConfirmed, requireSomebodyOrYes, type YesFlag } from './confirm.ts';
import { exitCodes } from './exit-code.ts';
import { formatFacts, formatInstant, withoutControls } from './format.ts';

const outcomeAnswer = z.looseObject({ success: z.boolean(), message: z.string(), operation_id: z.string() });
const statsAnswer = z.looseObject({
  total_cleanups: z.number(),
  expired_cleaned: z.number(),
  idle_cleaned: z.number(),
  size_cleaned: z.number(),
  errors: z.number(),
  last_cleanup: z.string().nullable(),
  running: z.boolean(),
  settings: z.looseObject({ ttl_hours: z.number(), max_idle_hours: z.number(), max_size_mb: z.number() }),
});

/** @returns 4 when it stays */
export async function cleanUpWorkspace(
  context: CommandContext,
  workspace: string,
  flags: RemoteFlags & YesFlag & { force?: boolean },
): Promise<number> {
  const { terminal } = context;
  requireSomebodyOrYes(context, flags, 'What belongs to the workspace is taken away');
  return withApi(context, flags, async (api) => {
    const question = `What belongs to the workspace ${workspace} is taken away.`;
    if (!(await isConfirmed(context, flags, question))) return exitCodes.failure;
    const document = await api.call(`/api/workspaces/${pathPart(workspace)}/cleanup`, {
      method: 'POST',
      query: flags.force ? { force: 'true' } : {},
    });
    const { success, message, operation_id: id } = read(outcomeAnswer, document);
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet) {
      terminal.out(withoutControls(message));
      if (success) terminal.note(`It can come back: \`ragwarden cleanup undo ${id}\`.`);
    }
    return success ? exitCodes.ok : exitCodes.checkFailed;
  });
}

export async function showWorkspaceStats(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/workspaces/cleanup/stats');
    if (flags.json) printJson(terminal, document);
    else {
      const stats = read(statsAnswer, document);
      const { ttl_hours: ttl, max_idle_hours: idle, max_size_mb: size } = stats.settings;
      terminal.out(
        formatFacts([
          ['by itself', stats.running ? 'yes' : 'no (cleanup.workspaces_enabled)'],
          [
            'cleaned up',
            `${stats.total_cleanups}: ${stats.expired_cleaned} expired, ${stats.idle_cleaned} idle, ${stats.size_cleaned} too large`,
          ],
          ['errors', String(stats.errors)],
          ['last', stats.last_cleanup === null ? 'never' : formatInstant(stats.last_cleanup)],
          ['limits', `${ttl} h to live, ${idle} h idle, ${size} MiB`],
        ]),
      );
    }
    return exitCodes.ok;
  });
}
