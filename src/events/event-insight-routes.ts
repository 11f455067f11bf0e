import { z } from 'zod';
import { type Clock, isoInstant } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError } from '../platform/errors.ts';
import { type RoutePlugin, textAnswer } from '../platform/http/index.ts';
import { type NewEvent, severities } from './event.ts';
import { analyse, decideBucketMs, rankReasons } from './event-analytics.ts';
import type { EventLog, EventRecorder } from './event-log.ts';
import { eventBody, eventSchema, filterOf, filterQuery, graphOf, instant, msOf } from './event-wire.ts';
import { exportEvents, ndjson, ndjsonType } from './export.ts';

export type EventInsightDeps = {
  readonly events: EventLog;
  /** What counts besides writing: the same that the slices record with. */
  readonly recorder: EventRecorder;
  readonly db: Database;
  readonly clock: Clock;
  readonly enabled: boolean;
  /** @throws AppError `target/unknown` */
  requireTarget(id: string): void;
};

export const requireSwitchedOn = (enabled: boolean) => async (): Promise<void> => {
  if (!enabled)
    throw new AppError(
      'feature/disabled',
      'The event log is switched off by LIGHTRAG_EVENT_LOGGING_ENABLED (events.enabled).',
    );
};

const tally = z.record(z.string(), z.number().int());
const analyticsSchema = z.object({
  since: z.iso.datetime(),
  until: z.iso.datetime(),
  bucket_seconds: z.number().int(),
  total: z.number().int(),
  by_severity: tally,
  by_kind: z.array(z.object({ kind: z.string(), total: z.number().int(), by_severity: tally })),
  by_type: z.array(z.object({ type: z.string(), severity: z.enum(severities), count: z.number().int() })),
  over_time: z
    .array(z.object({ at: z.iso.datetime(), by_severity: tally, by_kind: tally }))
    .describe('Stretches in which nothing happened are left out.'),
  reasons: z.array(
    z.object({ reason: z.string(), type: z.string(), count: z.number().int(), last_at: z.iso.datetime() }),
  ),
  reasons_of: z.number().int().describe('How many warnings and worse the reasons were taken from: the newest.'),
});

const dayMs = 86_400_000;
/** Warnings and worse whose reasons are read. */
const mostComplaints = 2_000;

/** What programs may tell; a kind that ragwarden decides about is its own to tell. */
const toldKinds = ['backup', 'replication', 'recovery'] as const;
const newEventSchema = z.strictObject({
  kind: z.enum(toldKinds),
  event_type: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_. -]{0,59}$/, 'is letters, digits, `_`, `.`, `-`, at most 60, a letter first')
    .describe('What happened, such as `created`. Kept in lower case with dashes.'),
  graph_id: z.string().max(1_100).optional().describe('`target` or `target:workspace`.'),
  replication_target_id: z.string().max(200).optional().describe('Of replication: where to.'),
  checkpoint_id: z.string().max(200).optional().describe('Of recovery.'),
  severity: z.enum(severities).default('info'),
  message: z.string().min(1).max(2_000).optional().describe('One sentence; made of the rest when left out.'),
  details: z
    .record(z.string().max(200), z.json())
    .refine((value) => JSON.stringify(value).length <= 16_384, 'has more than 16 KiB')
    .optional(),
});
type NewEventBody = z.infer<typeof newEventSchema>;

/** The log as counts over time, as lines, and what other programs add to it. */
export const eventInsightRoutes =
  (deps: EventInsightDeps): RoutePlugin =>
  async (app) => {
    const { events, db, clock } = deps;
    const requireEnabled = requireSwitchedOn(deps.enabled);
    const range = { since: instant.describe('Inclusive.'), until: instant.describe('Exclusive.') };

    app.get(
      '/api/v1/events/analytics',
      {
        preHandler: requireEnabled,
        config: { access: 'admin', activity: 'events.analytics', problems: ['feature/disabled'] },
        schema: {
          tags: ['events'],
          summary: 'How many events of which kind and severity over time, and the reasons told most',
          description: 'The last 24 hours unless told.',
          querystring: z.object({
            ...filterQuery,
            ...range,
            bucket_seconds: z.coerce.number().int().min(60).max(86_400).optional(),
          }),
          response: { 200: analyticsSchema },
        },
      },
      async ({ query }) => {
        const untilMs = msOf(query.until) ?? clock.now();
        const sinceMs = msOf(query.since) ?? untilMs - dayMs;
        if (sinceMs >= untilMs) throw new AppError('request/invalid', '`since` is not before `until`.');
        const bucketMs =
          query.bucket_seconds === undefined ? decideBucketMs(sinceMs, untilMs) : query.bucket_seconds * 1_000;
        if ((untilMs - sinceMs) / bucketMs > 2_000)
          throw new AppError(
            'request/invalid',
            'That is more than 2,000 stretches: ask for wider ones, or for less time.',
          );
        const filter = { ...filterOf(query), sinceMs, untilMs };
        const analytics = analyse(await events.count(filter, bucketMs));
        const wanted = (['warning', 'error', 'critical'] as const).filter(
          (severity) => !filter.severities?.length || filter.severities.includes(severity),
        );
        const complaints =
          wanted.length === 0 ? [] : await events.list({ ...filter, severities: wanted, limit: mostComplaints });
        return {
          since: isoInstant(sinceMs),
          until: isoInstant(untilMs),
          bucket_seconds: bucketMs / 1_000,
          total: analytics.total,
          by_severity: definite(analytics.bySeverity),
          by_kind: analytics.byKind.map(({ kind, total, bySeverity }) => ({
            kind,
            total,
            by_severity: definite(bySeverity),
          })),
          by_type: [...analytics.byType],
          over_time: analytics.overTime.map((one) => ({
            at: isoInstant(one.atMs),
            by_severity: definite(one.bySeverity),
            by_kind: definite(one.byKind),
          })),
          reasons: rankReasons(complaints).map(({ lastAtMs, ...one }) => ({ ...one, last_at: isoInstant(lastAtMs) })),
          reasons_of: complaints.length,
        };
      },
    );

    app.get(
      '/api/v1/events/export',
      {
        preHandler: requireEnabled,
        config: { access: 'admin', activity: 'events.export', problems: ['feature/disabled'] },
        schema: {
          tags: ['events'],
          summary: 'Events, oldest first, one JSON document a line',
          description:
            'Ends with the event that was the newest when it began. An answer that breaks off is not complete.',
          querystring: z.object({ ...filterQuery, ...range }),
          response: { 200: textAnswer('Lines, each an event.', ndjsonType) },
        },
      },
      async ({ query }, reply) =>
        reply
          .type(ndjsonType)
          .send(
            ndjson(
              exportEvents(events, { ...filterOf(query), sinceMs: msOf(query.since), untilMs: msOf(query.until) }),
            ),
          ),
    );

    app.post(
      '/api/v1/events',
      {
        preHandler: requireEnabled,
        config: { access: 'service', activity: 'events.tell', problems: ['feature/disabled', 'target/unknown'] },
        schema: {
          tags: ['events'],
          summary: 'Tell of a backup, a replication or a recovery that another program made',
          description:
            'Kept as `<kind>.told.<event_type>`, so that it is never taken for something ragwarden did itself.',
          body: newEventSchema,
          response: { 201: eventSchema },
        },
      },
      async (request, reply) => {
        const event = toldEvent(request.body, request.principal?.subject ?? '');
        if (event.targetId !== undefined) deps.requireTarget(event.targetId);
        const seq = await db.unit((tx) => deps.recorder.record(tx, event));
        const [written] = await events.list({ afterSeq: seq - 1, beforeSeq: seq + 1, limit: 1 });
        if (!written) throw new Error(`event ${seq} is not there`);
        return reply.code(201).send(eventBody(written));
      },
    );
  };

const definite = (tallied: Readonly<Partial<Record<string, number>>>): Record<string, number> =>
  Object.fromEntries(Object.entries(tallied).map(([name, count]) => [name, count ?? 0]));

function toldEvent(body: NewEventBody, by: string): NewEvent {
  const word = body.event_type
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/-+$/g, '');
  const graph = body.graph_id === undefined ? undefined : graphOf(body.graph_id);
  const of = [
    ...(body.graph_id === undefined ? [] : [`of ${body.graph_id}`]),
    ...(body.replication_target_id === undefined ? [] : [`to ${body.replication_target_id}`]),
    ...(body.checkpoint_id === undefined ? [] : [`of checkpoint ${body.checkpoint_id}`]),
  ].join(' ');
  return {
    type: `${body.kind}.told.${word}`,
    severity: body.severity,
    targetId: graph?.targetId,
    workspace: graph?.workspace,
    message: body.message ?? `${by} tells of a ${body.kind} ${of}: ${word}.`.replaceAll('  ', ' ').replace(' :', ':'),
    data: {
      ...(body.replication_target_id === undefined ? {} : { replication_target_id: body.replication_target_id }),
      ...(body.checkpoint_id === undefined ? {} : { checkpoint_id: body.checkpoint_id }),
      ...(body.details === undefined ? {} : { details: body.details }),
    },
  };
}
