import { z } from 'zod';
import { isoInstant } from '../platform/clock.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { type MonitoredOperation, monitoredOperations, type OperationTotal } from './operation-totals.ts';
import { recordedItemsSchema, recordItems, takeItems } from './recorded-items.ts';
import type { Told } from './traffic.ts';
import type { TrafficRouteDeps } from './traffic-route-deps.ts';

const count = z.number().int();
const seconds = z.number();

const operationSchema = z
  .object({
    count: count.describe('Those that did not fail.'),
    avg_time: seconds,
    min_time: seconds,
    max_time: seconds,
    p50_time: seconds,
    p95_time: seconds,
    p99_time: seconds,
    errors: count,
    empty: count.describe('Of `count`: nothing was found.'),
    window_count: count.describe('Operations behind the percentiles: the last 10,000 at most.'),
  })
  .describe('Times in seconds; 0 when there was none.')
  .meta({ id: 'LightragOperation' });

const monitorSchema = z
  .object({
    timestamp: z.iso.datetime(),
    uptime_seconds: z.number().describe('Since it began to count, or was reset.'),
    since: z.iso.datetime(),
    operations: z.object({ query: count, search: count, insert: count, errors: count }),
    error_rate: z.number().nullable().describe('0 to 1; null before the first operation.'),
    throughput: z.number().describe('Operations per second since `since`, errors left out.'),
    query: operationSchema,
    search: operationSchema,
    insert: operationSchema.describe('Until an insert is accepted; its documents are worked on later.'),
  })
  .meta({ id: 'LightragMonitor' });

/** A failure may be told without saying of what, and how long it took. */
const recordedSchema = z
  .strictObject({
    operation: z.enum(monitoredOperations).optional(),
    seconds: z.number().min(0).max(86_400).optional(),
    error: z.boolean().default(false),
    workspace: z.string().max(200).optional(),
    user_id: z.string().max(300).optional(),
    mode: z.string().max(50).optional(),
    stream: z.boolean().default(false),
    first_content_seconds: z.number().min(0).max(86_400).optional(),
    timestamp: z.iso.datetime({ offset: true }).optional(),
  })
  .refine((one) => one.error || (one.operation !== undefined && one.seconds !== undefined), {
    error: 'an operation that did not fail has `operation` and `seconds`',
  });

const toldOf = (one: z.infer<typeof recordedSchema>, nowMs: number): Told => {
  const totalMs = (one.seconds ?? 0) * 1_000;
  return {
    door: 'backend',
    atMs: one.timestamp === undefined ? nowMs - totalMs : Math.min(nowMs, Date.parse(one.timestamp)),
    targetId: null,
    workspace: one.workspace ?? null,
    subject: one.user_id ?? null,
    keyId: null,
    operation: one.operation ?? 'unknown',
    route: 'recorded',
    mode: one.mode ?? null,
    stream: one.stream,
    status: 0,
    outcome: one.error ? 'hidden_error' : 'ok',
    reason: null,
    requestBytes: 0,
    responseBytes: 0,
    firstByteMs: null,
    firstContentMs: one.first_content_seconds === undefined ? null : one.first_content_seconds * 1_000,
    totalMs,
    trackId: null,
    llm: null,
  };
};

/** Queries, searches and inserts since the start, under the names of document 000. */
export const monitorRoutes =
  ({ traffic, db, events, clock }: TrafficRouteDeps): RoutePlugin =>
  async (app) => {
    const tags = ['monitoring'];

    app.get(
      '/api/v1/monitoring/lightrag',
      {
        config: { access: 'admin', activity: 'traffic.lightrag' },
        schema: { tags, summary: 'Queries, searches and inserts since the start', response: { 200: monitorSchema } },
      },
      async () => {
        const nowMs = clock.now();
        const { totals } = traffic;
        const of = Object.fromEntries(monitoredOperations.map((name) => [name, totals.of(name)])) as Record<
          MonitoredOperation,
          OperationTotal
        >; // exactly those names
        const uptimeSeconds = (nowMs - totals.sinceMs()) / 1_000;
        const done = of.query.count + of.search.count + of.insert.count;
        const errors = totals.errors();
        return {
          timestamp: isoInstant(nowMs),
          uptime_seconds: uptimeSeconds,
          since: isoInstant(totals.sinceMs()),
          operations: { query: of.query.count, search: of.search.count, insert: of.insert.count, errors },
          error_rate: done + errors === 0 ? null : errors / (done + errors),
          throughput: uptimeSeconds > 0 ? done / uptimeSeconds : 0,
          query: operationBody(of.query),
          search: operationBody(of.search),
          insert: operationBody(of.insert),
        };
      },
    );

    app.post(
      '/api/v1/monitoring/lightrag/reset',
      {
        config: { access: 'admin', activity: 'traffic.reset' },
        schema: {
          tags,
          summary: 'Begin to count anew',
          description: 'Totals, times and the latest exchanges are gone; the history of metrics stays.',
          response: { 200: z.object({ message: z.string() }) },
        },
      },
      async ({ principal }) => {
        const { totals } = traffic;
        const data = {
          since: isoInstant(totals.sinceMs()),
          ...Object.fromEntries(monitoredOperations.map((name) => [name, totals.of(name).count])),
          errors: totals.errors(),
        };
        await db.unit((tx) =>
          events.audit(tx, {
            actor: principal?.subject ?? 'unknown',
            action: 'traffic.reset',
            object: '*',
            outcome: 'done',
            data,
          }),
        );
        traffic.reset();
        return { message: 'Queries, searches and inserts are counted from now on.' };
      },
    );

    app.post(
      '/api/v1/monitoring/lightrag/record',
      {
        config: { access: 'service', activity: 'traffic.record' },
        schema: {
          tags,
          summary: 'Tell operations that did not pass the gateway',
          description:
            'Each item has `operation` (query, search, insert) and `seconds`, or `error: true`; it may have `workspace`, `user_id`, `mode`, `stream`, `first_content_seconds` and `timestamp`, when it began. What is told here and passes the gateway too is counted twice.',
          body: recordItems,
          response: { 200: recordedItemsSchema },
        },
      },
      async ({ body }) =>
        takeItems(body.items, recordedSchema, (item) => {
          traffic.record(toldOf(item, clock.now()));
          return undefined;
        }),
    );
  };

const operationBody = (total: OperationTotal): z.infer<typeof operationSchema> => {
  const inSeconds = (ms: number | null): number => (ms ?? 0) / 1_000;
  const { latest } = total;
  return {
    count: total.count,
    avg_time: inSeconds(total.avgMs),
    min_time: inSeconds(total.minMs),
    max_time: inSeconds(total.maxMs),
    p50_time: inSeconds(latest.p50),
    p95_time: inSeconds(latest.p95),
    p99_time: inSeconds(latest.p99),
    errors: total.errors,
    empty: total.empty,
    window_count: latest.count,
  };
};
