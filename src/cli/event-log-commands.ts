import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { systemClock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { EventFilter, EventRange } from '../sdk/index.ts';
import { read } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { type EventFilterFlags, filterOf } from './event-commands.ts';
import { exitCodes } from './exit-code.ts';
import { formatInstant, formatTable, plural } from './format.ts';
import { sparkline } from './metric-values.ts';
import { coloured } from './words.ts';

type RangedFlags = EventFilterFlags & { readonly last?: number; readonly from?: string; readonly to?: string };

/** Unless told, the server's own choice. */
function rangeQuery({ last, from, to }: RangedFlags): { since: string | undefined; until: string | undefined } {
  const untilMs = to === undefined ? systemClock.now() : Date.parse(to);
  const since = from ?? (last === undefined ? undefined : new Date(untilMs - last * 1_000).toISOString());
  return { since, until: to };
}

const optional = <Name extends string, T>(name: Name, value: T | undefined) =>
  // A computed name is forgotten.
  (value === undefined ? {} : { [name]: value }) as { readonly [N in Name]?: T };

function rangeDates(flags: RangedFlags): EventRange {
  const { since, until } = rangeQuery(flags);
  return {
    ...optional('since', since === undefined ? undefined : new Date(since)),
    ...optional('until', until === undefined ? undefined : new Date(until)),
  };
}

const clientFilter = (flags: EventFilterFlags): EventFilter => ({
  ...optional('types', flags.type?.split(',')),
  // Both were held against their words when they were parsed.
  ...optional('kinds', flags.kind?.split(',') as EventFilter['kinds']),
  ...optional('severities', flags.severity?.split(',') as EventFilter['severities']),
  ...optional('targetId', flags.target),
  ...optional('graphId', flags.graph),
  ...optional('actor', flags.user),
  ...optional('correlationId', flags.correlation),
});

const instant = z.string();
const tally = z.record(z.string(), z.number());
const analyticsAnswer = z.object({
  since: instant,
  until: instant,
  bucket_seconds: z.number(),
  total: z.number(),
  by_kind: z.array(z.object({ kind: z.string(), total: z.number(), by_severity: tally })),
  over_time: z.array(z.object({ at: instant, by_kind: tally })),
  reasons: z.array(z.object({ reason: z.string(), type: z.string(), count: z.number(), last_at: instant })),
});

export async function showAnalytics(context: CommandContext, flags: RangedFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/events/analytics', {
      query: { ...filterOf(flags), ...rangeQuery(flags) },
    });
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet) terminal.out(describeAnalytics(read(analyticsAnswer, document)));
    return exitCodes.ok;
  });
}

const words = ['critical', 'error', 'warning', 'info'];

function describeAnalytics(found: z.infer<typeof analyticsAnswer>): string {
  const range = `from ${formatInstant(found.since)} to ${formatInstant(found.until)}`;
  if (found.total === 0) return `Nothing of this kind happened ${range}.`;
  const first = Date.parse(found.since);
  const width = found.bucket_seconds * 1_000;
  const stretches = Math.max(1, Math.ceil((Date.parse(found.until) - first) / width));
  const course = (kind: string): string => {
    const counts = Array.from({ length: stretches }, () => 0);
    for (const { at, by_kind: kinds } of found.over_time) {
      const index = Math.min(stretches - 1, Math.max(0, Math.floor((Date.parse(at) - first) / width)));
      counts[index] = (counts[index] ?? 0) + (kinds[kind] ?? 0);
    }
    return sparkline(counts);
  };
  const table = formatTable(
    [
      { title: 'kind' },
      { title: 'events', align: 'right' },
      ...words.map((title) => ({ title, align: 'right' as const })),
      { title: 'course' },
    ],
    found.by_kind.map((one) => [
      one.kind,
      String(one.total),
      ...words.map((word) => String(one.by_severity[word] ?? '')),
      course(one.kind),
    ]),
  );
  const reasons =
    found.reasons.length === 0
      ? 'No warning and nothing worse.'
      : formatTable(
          [{ title: 'times', align: 'right' }, { title: 'last' }, { title: 'type' }, { title: 'reason' }],
          found.reasons
            .slice(0, 10)
            .map((one) => [String(one.count), formatInstant(one.last_at), one.type, one.reason]),
        );
  return `${plural(found.total, 'event')} ${range}\n\n${table}\n\n${reasons}`;
}

export type ExportFlags = RangedFlags & { readonly audit?: boolean; readonly output?: string };

/** Into a file it stands under its name only when all of it is there. */
export async function exportEvents(context: CommandContext, flags: ExportFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const documents = api.documents((client, call) =>
      flags.audit
        ? client.audit.export({ ...optional('actor', flags.user), ...rangeDates(flags) }, call)
        : client.events.export({ ...clientFilter(flags), ...rangeDates(flags) }, call),
    );
    if (flags.output === undefined) {
      for await (const one of documents) terminal.stdout.write(`${JSON.stringify(one)}\n`);
      return exitCodes.ok;
    }
    const file = resolve(context.cwd, flags.output);
    if (await stat(file).catch(() => undefined))
      throw new AppError('config/invalid', `${file} is there already. Name another file.`);
    let lines = 0;
    const counted = async function* (): AsyncGenerator<string, void> {
      for await (const one of documents) {
        lines += 1;
        yield `${JSON.stringify(one)}\n`;
      }
    };
    try {
      await pipeline(counted(), createWriteStream(`${file}.partial`, { mode: 0o600 }));
      await rename(`${file}.partial`, file);
    } catch (err) {
      await rm(`${file}.partial`, { force: true });
      throw err;
    }
    if (!flags.quiet) terminal.note(`${plural(lines, 'line')} in ${file}.`);
    return exitCodes.ok;
  });
}

const verdictAnswer = z.object({
  intact: z.boolean(),
  entries: z.number(),
  head: z.object({ seq: z.number(), hash: z.string() }).nullable(),
  anchors: z.object({ matched: z.number(), removed: z.number(), foreign: z.number() }).nullable(),
  broken_at_seq: z.number().nullable(),
  reason: z.string().nullable(),
});

export type VerifyFlags = RemoteFlags & { readonly against?: string; readonly expect?: string };

/** @returns 4 when the trail is not what was written */
export async function verifyEvents(context: CommandContext, flags: VerifyFlags): Promise<number> {
  const { terminal } = context;
  const expected = flags.expect === undefined ? undefined : /^(\d{1,15}):([0-9a-f]{64})$/.exec(flags.expect);
  if (expected === null)
    throw new AppError('config/invalid', '`--expect` is SEQ:HASH, as `ragwarden events verify` tells it.');
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/audit/verify', {
      query: { against: flags.against, expected_seq: expected?.[1], expected_hash: expected?.[2] },
      // Restic is started once for each recovery point.
      timeoutMs: flags.against === 'repository' ? 600_000 : 120_000,
    });
    const verdict = read(verdictAnswer, document);
    if (flags.json) printJson(terminal, document);
    else if (!verdict.intact)
      terminal.out(
        `${coloured(terminal.colours, 'failed')}  The audit trail is not what was written: at entry ${verdict.broken_at_seq}, ${verdict.reason}. See docs/runbooks/audit-chain-broken.md.`,
      );
    else if (!flags.quiet) terminal.out(`${coloured(terminal.colours, 'ok')}  ${describeWhole(verdict)}`);
    return verdict.intact ? exitCodes.ok : exitCodes.checkFailed;
  });
}

function describeWhole({ entries, head, anchors }: z.infer<typeof verdictAnswer>): string {
  const noted = anchors ?? { matched: 0, removed: 0, foreign: 0 };
  const said = [
    noted.matched === 0
      ? 'no recovery point has noted its head yet, so nothing shows whether its end was cut off'
      : `${plural(noted.matched, 'noted head')} ${noted.matched === 1 ? 'agrees' : 'agree'}`,
    ...(noted.removed > 0 ? [`${noted.removed} of entries that were removed since`] : []),
    ...(noted.foreign > 0 ? [`${noted.foreign} of another trail`] : []),
  ].join(', ');
  return `${plural(entries, 'entry', 'entries')} read, nothing changed or removed; ${said}.\nHead ${head?.seq}:${head?.hash}`;
}
