import { readConfig, requireConfig } from '../config/index.ts';
import { createLogger } from '../platform/logging.ts';
import { catalogueAnswer, pathPart, pointAnswer, read } from './answers.ts';
import { reportFailure } from './backup-commands.ts';
import { type CommandContext, printJson, type RemoteFlags, settingFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { exitCodeOfOperation, followOperation } from './follow-operation.ts';
import { formatTable, plural } from './format.ts';
import { coloured } from './words.ts';

export async function pinPoint(
  context: CommandContext,
  id: string,
  pinned: boolean,
  flags: RemoteFlags,
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`/api/v1/backup/points/${pathPart(id)}/pin`, { method: pinned ? 'PUT' : 'DELETE' });
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet) {
      const point = read(pointAnswer, document);
      terminal.out(`${point.backup_id} is ${point.pinned ? 'pinned: retention keeps it' : 'not pinned any more'}.`);
    }
    return exitCodes.ok;
  });
}

type RebuildFlags = RemoteFlags & { readonly dryRun?: boolean; readonly offline?: boolean };

export async function rebuildCatalogue(context: CommandContext, flags: RebuildFlags): Promise<number> {
  const { terminal } = context;
  if (flags.offline) {
    const { dataDir, config } = flags;
    const reading = readConfig({ env: context.env, cwd: context.cwd, flags: settingFlags({ dataDir, config }) });
    const log = createLogger({ level: 'warn', destination: { write: (line) => void terminal.stderr.write(line) } });
    const options = { dryRun: flags.dryRun === true, log, signal: context.signal };
    const document = await context.offline.rebuildCatalogue(requireConfig(reading), options);
    return tell(context, flags, document, document);
  }
  return withApi(context, flags, async (api) => {
    const body = { dry_run: flags.dryRun === true };
    const first = await api.call('/api/v1/backup/rebuild-catalogue', { method: 'POST', body });
    const { document, operation } = await followOperation(context, api, first, flags.quiet === true);
    if (operation.state === 'succeeded') return tell(context, flags, document, operation.result);
    if (flags.json) printJson(terminal, document);
    reportFailure(context, operation);
    return exitCodeOfOperation(operation);
  });
}

/** Every point that is not simply as it was, then the sum; 4 when somebody has to look at something. */
function tell({ terminal }: CommandContext, flags: RebuildFlags, document: unknown, result: unknown): number {
  const report = read(catalogueAnswer, result);
  if (flags.json) printJson(terminal, document);
  else if (!flags.quiet) {
    const shown = report.items.filter((item) => item.action !== 'keep');
    if (shown.length > 0)
      terminal.out(
        formatTable(
          [{ title: 'point' }, { title: 'action' }, { title: 'reason' }],
          shown.map((item) => [item.backup_id, coloured(terminal.colours, item.action), item.reason]),
        ),
      );
    for (const one of report.leftovers)
      terminal.note(
        `leftover: snapshot ${one.snapshot_id.slice(0, 8)} of ${one.backup_id ?? 'no point'} (${one.reason})`,
      );
    terminal.out(
      `${report.dry_run ? 'Nothing was changed. It would add ' : 'Added '}${plural(report.added, 'point')}, ` +
        `${report.dry_run ? 'complete' : 'completed'} ${report.completed}, ` +
        `${report.dry_run ? 'keep' : 'kept'} ${report.kept}; ` +
        `${report.lost} lost, ${report.mismatched + report.refused} refused.`,
    );
  }
  return report.lost + report.mismatched + report.refused > 0 ? exitCodes.checkFailed : exitCodes.ok;
}
