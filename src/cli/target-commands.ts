import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { pageOf, pathPart, read, type TargetAnswer, targetAnswer } from './answers.ts';
import type { ApiClient } from './api-client.ts';
import { reportFailure } from './backup-commands.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { followOperation } from './follow-operation.ts';
import { formatBytes, formatTable } from './format.ts';
import { renderTarget, targetEssence } from './status-command.ts';
import type { Colours } from './terminal.ts';
import { watch } from './watch.ts';
import { coloured } from './words.ts';

export async function listTargets(context: CommandContext, flags: RemoteFlags & { watch?: boolean }): Promise<number> {
  const { terminal } = context;
  const look = (api: ApiClient): Promise<unknown> => api.call('/api/v1/targets');
  if (flags.watch)
    return watch(context, flags, async (api) => {
      const document = await look(api);
      const { items } = read(pageOf(targetAnswer), document);
      return {
        document,
        essence: items.map(targetEssence),
        render: (colours) => (items.length === 0 ? noTarget : targetTable(items, colours)),
      };
    });
  return withApi(context, flags, async (api) => {
    const document = await look(api);
    if (flags.json) printJson(terminal, document);
    else {
      const { items } = read(pageOf(targetAnswer), document);
      if (items.length === 0) terminal.note(noTarget);
      else terminal.out(targetTable(items, terminal.colours));
    }
    return exitCodes.ok;
  });
}

const noTarget = 'No target is configured. Set RAGWARDEN_TARGET_URL and WORKING_DIR.';

const targetTable = (targets: readonly TargetAnswer[], colours: Colours): string =>
  formatTable(
    [
      { title: 'target' },
      { title: 'status' },
      { title: 'kind' },
      { title: 'version' },
      { title: 'documents', align: 'right' },
      { title: 'size', align: 'right' },
      { title: 'url' },
    ],
    targets.map((target) => [
      target.sample ? `${target.id} (sample)` : target.id,
      coloured(colours, target.status),
      target.kind ?? target.configured_kind ?? 'unknown',
      target.core_version ?? '-',
      target.documents === null ? '-' : String(countDocuments(target)),
      formatBytes(target.sizes.reduce((sum, one) => sum + one.bytes, 0)),
      target.endpoints[0]?.url ?? '-',
    ]),
  );

/** The counts have a sum of their own under `all` where the backend tells one. */
const countDocuments = ({ documents }: TargetAnswer): number =>
  documents?.all ?? Object.values(documents ?? {}).reduce((sum, count) => sum + count, 0);

const inspectionAnswer = z.looseObject({
  bytes_read: z.number(),
  duration_ms: z.number(),
  fresh: z.boolean(),
  kind: z.string().default('lightrag'),
  files: z.array(z.looseObject({ name: z.string(), bytes: z.number(), state: z.string() })),
  counts: z.record(z.string(), z.number()),
  embedding: z.array(z.looseObject({ file: z.string(), dimension: z.number() })),
  faults: z.array(z.looseObject({ severity: z.string(), message: z.string() })),
  audit: z
    .looseObject({
      verdict: z.string(),
      dangling: z.record(z.string(), z.looseObject({ count: z.number(), examples: z.array(z.string()) })),
      unchecked: z.array(z.string()),
    })
    .optional(),
});

/**
 * Looks at the target and into its files now and shows what was seen; `--json` prints `{target, inspection}`, where
 * `inspection` is null when the files are not visible to ragwarden.
 * @returns 4 when it is not healthy
 */
export async function inspectTarget(
  context: CommandContext,
  id: string | undefined,
  flags: RemoteFlags,
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const wanted = id ?? (await onlyTarget(await api.call('/api/v1/targets')));
    const path = `/api/v1/targets/${pathPart(wanted)}`;
    const before = read(targetAnswer, await api.call(path));
    let inspection: unknown = null;
    if (before.stores.some((store) => store.kind !== 'input-folder')) {
      const first = await api.call(`${path}/inspect`, { method: 'POST' });
      const { operation } = await followOperation(context, api, first, true);
      reportFailure(context, operation);
      inspection = operation.result ?? null;
    }
    // Probed afterwards, so that its status knows what the files showed.
    const document = await api.call(`${path}/probe`, { method: 'POST' });
    const target = read(targetAnswer, document);
    if (flags.json) printJson(terminal, { target: document, inspection });
    else {
      terminal.out(renderTarget(target, terminal.colours, Date.now()).join('\n'));
      for (const store of target.stores) terminal.out(`  ${store.kind} ${store.name}: ${store.path}`);
      for (const none of target.not_applicable) terminal.out(`  not applicable: ${none.what} (${none.reason})`);
      terminal.out(`  to stop it: ${target.lifecycle.stop}\n  to start it: ${target.lifecycle.start}`);
      if (inspection !== null) terminal.out(renderInspection(read(inspectionAnswer, inspection)).join('\n'));
    }
    return target.status === 'HEALTHY' ? exitCodes.ok : exitCodes.checkFailed;
  });
}

function renderInspection(report: z.infer<typeof inspectionAnswer>): string[] {
  if (report.fresh) return [`  files      none: ${nothingThere[report.kind] ?? 'nothing was ever stored there'}`];
  const bad = report.files.filter((file) => file.state !== 'ok');
  const dimensions = [...new Set(report.embedding.map((one) => one.dimension))];
  return [
    `  files      ${report.files.length - bad.length} of ${report.files.length} sound, ${formatBytes(report.bytes_read)} read in ${Math.round(report.duration_ms)} ms`,
    ...bad.map((file) => `             ${file.name}: ${file.state}`),
    `  rows       ${Object.entries(report.counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')}`,
    ...(dimensions.length > 0 ? [`  dimension  ${dimensions.join(', ')}`] : []),
    ...renderAudit(report.audit),
    ...report.faults.map((fault) => `  ${fault.severity.padEnd(9)}  ${fault.message}`),
  ];
}

const nothingThere: Readonly<Record<string, string>> = { graphrag: 'nothing was ever indexed there' };

/** Which rows refer to what another store has not, with the first few ids; `--json` has up to twenty of each. */
function renderAudit(audit: z.infer<typeof inspectionAnswer>['audit']): string[] {
  if (!audit) return [];
  const named = ({ count, examples }: { count: number; examples: readonly string[] }): string =>
    examples.length === 0 ? '' : `: ${examples.slice(0, 3).join(', ')}${count > 3 ? ', …' : ''}`;
  return [
    `  audit      ${audit.verdict}`,
    ...Object.entries(audit.dangling)
      .filter(([, { count }]) => count > 0)
      .map(([name, found]) => `             ${found.count} ${name.replaceAll('_', ' ')}${named(found)}`),
    ...(audit.unchecked.length > 0 ? [`             not checked: ${audit.unchecked.join(', ')}`] : []),
  ];
}

/** The id of the one target there is. @throws AppError when there are several, or none */
export async function onlyTarget(document: unknown): Promise<string> {
  const { items } = read(pageOf(targetAnswer), document);
  const [first, second] = items;
  if (!first)
    throw new AppError('target/unknown', 'No target is configured. Set RAGWARDEN_TARGET_URL and WORKING_DIR.');
  if (second)
    throw new AppError('request/invalid', `Name one of the targets: ${items.map((one) => one.id).join(', ')}.`);
  return first.id;
}
