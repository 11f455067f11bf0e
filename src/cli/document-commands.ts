import { z } from 'zod';
import { pageOf, pathPart, read } from './answers.ts';
import type { ApiClient } from './api-client.ts';
import { reportFailure } from './backup-commands.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { exitCodeOfOperation, followOperation } from './follow-operation.ts';
import { formatDuration, formatFacts, formatInstant, formatTable, withoutControls } from './format.ts';
import { onlyTarget } from './target-commands.ts';
import type { Colours } from './terminal.ts';
import { watch } from './watch.ts';

type Flags = RemoteFlags & { readonly target?: string };

const listed = z.looseObject({
  id: z.string(),
  status: z.string(),
  file_path: z.string(),
  age_seconds: z.number(),
  cause: z.string().nullable(),
  error: z.string().nullable(),
});
const documentsAnswer = z.looseObject({
  target_id: z.string(),
  workspace: z.string(),
  looked_at: z.string().nullable(),
  counts: z.record(z.string(), z.number()).nullable(),
  in_flight: z.number().nullable(),
  stuck: z
    .looseObject({ cause: z.string(), since: z.string(), documents: z.number(), listed: z.array(listed) })
    .nullable(),
  failed: z.array(listed),
  ended: z.array(z.looseObject({ outcome: z.string(), cause: z.string().nullable(), documents: z.number() })),
  counted_since: z.string().nullable(),
  latency: z
    .looseObject({
      documents: z.number(),
      average_ms: z.number(),
      p50_ms: z.number(),
      p95_ms: z.number(),
      p99_ms: z.number(),
    })
    .nullable(),
  inserts_followed: z.number(),
  reprocessing: z.looseObject({ automatic: z.boolean(), most_per_day: z.number(), today: z.number() }),
});
type DocumentsAnswer = z.infer<typeof documentsAnswer>;

const pathOf = async (api: ApiClient, flags: Flags): Promise<string> =>
  `/api/v1/targets/${pathPart(flags.target ?? (await onlyTarget(await api.call('/api/v1/targets'))))}/documents`;
const codeOf = (items: readonly DocumentsAnswer[]): number =>
  items.some((one) => one.stuck !== null) ? exitCodes.checkFailed : exitCodes.ok;

/** @returns 4 when documents are stuck */
export async function showDocuments(context: CommandContext, flags: Flags & { watch?: boolean }): Promise<number> {
  const look = async (api: ApiClient): Promise<unknown> => api.call(await pathOf(api, flags));
  const render = (items: readonly DocumentsAnswer[], colours: Colours): string =>
    items.map((one) => describe(one, colours)).join('\n\n');
  if (flags.watch)
    return watch(context, flags, async (api) => {
      const document = await look(api);
      const { items } = read(pageOf(documentsAnswer), document);
      return { document, essence: items, render: (colours) => render(items, colours) };
    });
  return withApi(context, flags, async (api) => {
    const document = await look(api);
    const { items } = read(pageOf(documentsAnswer), document);
    if (flags.json) printJson(context.terminal, document);
    else if (!flags.quiet) context.terminal.out(render(items, context.terminal.colours));
    return codeOf(items);
  });
}

/** @returns 4 when there are any */
export async function listStuck(context: CommandContext, flags: Flags & { failed?: boolean }): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(await pathOf(api, flags));
    const { items } = read(pageOf(documentsAnswer), document);
    if (flags.json) printJson(terminal, document);
    else {
      const rows = items.flatMap((one) => [
        ...(one.stuck?.listed ?? []).map((found) => row(found, one.stuck?.cause ?? '')),
        ...(flags.failed ? one.failed.map((found) => row(found, found.cause ?? 'other')) : []),
      ]);
      if (rows.length === 0) terminal.note('No document is stuck.');
      else
        terminal.out(
          formatTable(
            [
              { title: 'document' },
              { title: 'file' },
              { title: 'status' },
              { title: 'since', align: 'right' },
              { title: 'cause' },
            ],
            rows,
          ),
        );
    }
    return codeOf(items);
  });
}

export async function reprocessDocuments(
  context: CommandContext,
  flags: Flags & { workspace?: string; failed?: boolean },
): Promise<number> {
  return withApi(context, flags, async (api) => {
    const first = await api.call(`${await pathOf(api, flags)}/reprocess`, {
      method: 'POST',
      body: {
        failed: flags.failed === true,
        ...(flags.workspace === undefined ? {} : { workspace: flags.workspace }),
      },
    });
    const { document, operation } = await followOperation(context, api, first, flags.quiet === true);
    if (flags.json) printJson(context.terminal, document);
    reportFailure(context, operation);
    if (operation.result !== null && !flags.json && !flags.quiet) {
      const { listed: asked, moved } = read(z.looseObject({ listed: z.number(), moved: z.number() }), operation.result);
      context.terminal.out(`${moved} of ${asked} documents are taken up again.`);
    }
    return exitCodeOfOperation(operation);
  });
}

const row = (one: z.infer<typeof listed>, cause: string): string[] => [
  withoutControls(one.id),
  withoutControls(one.file_path),
  one.status,
  formatDuration(one.age_seconds * 1_000),
  one.error === null ? cause : `${cause}: ${withoutControls(one.error)}`,
];

function describe(one: DocumentsAnswer, colours: Colours): string {
  const counts = Object.entries(one.counts ?? {}).filter(([, count]) => count > 0);
  const facts: [string, string][] = [
    ['target', one.workspace === '' ? one.target_id : `${one.target_id}:${one.workspace}`],
    [
      'documents',
      counts.map(([status, count]) => `${status} ${count}`).join(', ') || (one.counts ? 'none' : 'unknown'),
    ],
    ['in flight', one.in_flight === null ? 'unknown' : `${one.in_flight}, ${one.inserts_followed} inserts followed`],
  ];
  if (one.stuck !== null)
    facts.push([
      'stuck',
      colours.yellow(`${one.stuck.documents} since ${formatInstant(one.stuck.since)} (${one.stuck.cause})`),
    ]);
  if (one.counted_since !== null)
    facts.push([
      'ended',
      `${one.ended.map((end) => `${end.outcome}${end.cause === null || end.cause === end.outcome ? '' : ` (${end.cause})`} ${end.documents}`).join(', ') || 'none'} since ${formatInstant(one.counted_since)}`,
    ]);
  if (one.latency !== null)
    facts.push([
      'latency',
      `p50 ${formatDuration(one.latency.p50_ms)}, p95 ${formatDuration(one.latency.p95_ms)}, p99 ${formatDuration(one.latency.p99_ms)} of the last ${one.latency.documents}`,
    ]);
  facts.push([
    'reprocessing',
    one.reprocessing.automatic
      ? `by itself, ${one.reprocessing.today} of ${one.reprocessing.most_per_day} in 24 h`
      : 'only when asked',
  ]);
  return formatFacts(facts);
}
