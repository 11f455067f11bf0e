import { z } from 'zod';
import { isoInstant } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import {
  eventStreamAnswer,
  lastEventId,
  type RoutePlugin,
  type SseMessage,
  sseStream,
} from '../platform/http/index.ts';
import type { Logger } from '../platform/logging.ts';
import { type AuditEntry, type Event, severities } from './event.ts';
import type { EventLog } from './event-log.ts';
import type { EventFilter } from './event-store.ts';

export const eventSchema = z
  .object({
    seq: z.number().int().describe('Grows by one in commit order, without gaps; also the id on the stream.'),
    at: z.iso.datetime(),
    type: z.string(),
    severity: z.enum(severities),
    target_id: z.string().nullable(),
    workspace: z.string().nullable(),
    operation_id: z.string().nullable(),
    instance: z.string(),
    message: z.string(),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event' });
export type EventBody = z.infer<typeof eventSchema>;

const auditEntrySchema = z
  .object({
    seq: z.number().int(),
    at: z.iso.datetime(),
    actor: z.string(),
    action: z.string(),
    object: z.string(),
    outcome: z.string(),
    data: z.record(z.string(), z.unknown()),
    prev_hash: z.string(),
    hash: z.string().describe('SHA-256 over prev_hash and the entry.'),
  })
  .meta({ id: 'AuditEntry' });

const auditVerdictSchema = z.object({
  intact: z.boolean(),
  entries: z.number().int().describe('How many were read and found right.'),
  head: z.object({ seq: z.number().int(), hash: z.string() }).nullable(),
  broken_at_seq: z.number().int().nullable(),
  reason: z.string().nullable(),
});

const cursor = z
  .string()
  .regex(/^\d{1,15}$/)
  .optional()
  .describe('`next_cursor` of the page before.');
const limit = z.coerce.number().int().min(1).max(500).default(100);
const instant = z.iso.datetime({ offset: true }).optional();

const filterQuery = {
  type: z
    .string()
    .max(2_000)
    .regex(/^[a-z]+(\.[a-z-]+)*(\.\*)?(,[a-z]+(\.[a-z-]+)*(\.\*)?)*$/)
    .optional()
    .describe('Types, separated by commas; `backup.*` is every type that begins so.'),
  severity: z
    .string()
    .regex(/^(info|warning|error|critical)(,(info|warning|error|critical))*$/)
    .optional()
    .describe('Severities, separated by commas.'),
  target_id: z.string().max(100).optional(),
  workspace: z.string().max(1_000).optional(),
  operation_id: z.string().max(100).optional(),
};

type FilterQuery = { [Name in keyof typeof filterQuery]?: string | undefined };

const filterOf = (query: FilterQuery): EventFilter => ({
  types: query.type?.split(','),
  severities: severities.filter((severity) => query.severity?.split(',').includes(severity)),
  targetId: query.target_id,
  workspace: query.workspace,
  operationId: query.operation_id,
});

const msOf = (text: string | undefined): number | undefined => (text === undefined ? undefined : Date.parse(text));
const numberOf = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));

/** A page with its cursor: one more than asked for was read, so the last page has none. */
function page<Item extends { seq: number }>(
  found: Item[],
  size: number,
): { items: Item[]; next_cursor: string | null } {
  const items = found.slice(0, size);
  const last = items.at(-1);
  return { items, next_cursor: found.length > size && last ? String(last.seq) : null };
}

/** What happened and who asked for what: lists, a live stream that resumes by `seq`, and the check of the audit chain. */
export const eventRoutes =
  (deps: { events: EventLog; log: Logger; enabled: boolean }): RoutePlugin =>
  async (app) => {
    const { events, log } = deps;
    const requireEnabled = async (): Promise<void> => {
      if (!deps.enabled)
        throw new AppError(
          'feature/disabled',
          'The event log is switched off by LIGHTRAG_EVENT_LOGGING_ENABLED (events.enabled).',
        );
    };

    app.get(
      '/api/v1/events',
      {
        preHandler: requireEnabled,
        config: { access: 'admin', activity: 'events.list', problems: ['feature/disabled'] },
        schema: {
          tags: ['events'],
          summary: 'What happened, newest first',
          querystring: z.object({
            ...filterQuery,
            since: instant.describe('Inclusive.'),
            until: instant.describe('Exclusive.'),
            order: z.enum(['newest', 'oldest']).default('newest'),
            cursor,
            limit,
          }),
          response: { 200: z.object({ items: z.array(eventSchema), next_cursor: z.string().nullable() }) },
        },
      },
      async ({ query }) => {
        const at = numberOf(query.cursor);
        const found = await events.list({
          ...filterOf(query),
          sinceMs: msOf(query.since),
          untilMs: msOf(query.until),
          order: query.order === 'newest' ? 'newest-first' : 'oldest-first',
          ...(query.order === 'newest' ? { beforeSeq: at } : { afterSeq: at }),
          limit: query.limit + 1,
        });
        return page(found.map(eventBody), query.limit);
      },
    );

    app.get(
      '/api/v1/events/stream',
      {
        preHandler: requireEnabled,
        config: { access: 'admin', activity: 'events.stream', problems: ['feature/disabled'] },
        schema: {
          tags: ['events'],
          summary: 'Events as they happen, as server-sent events',
          description:
            'Each message is named `event` and has `seq` as its id. With `Last-Event-ID` nothing is missed; without, it begins now. `refresh` means: the numbering began anew, load the list again.',
          querystring: z.object({ ...filterQuery, last_event_id: z.string().max(200).optional() }),
          response: { 200: eventStreamAnswer('Messages named `event`, each with one event as JSON, and `refresh`.') },
        },
      },
      async (request, reply) => {
        const resumeFrom = seqOf(lastEventId(request));
        const filter = filterOf(request.query);
        return sseStream(request, reply, {
          log,
          whenSlow: 'wait',
          source: ({ signal }) => messages(events, resumeFrom, filter, signal),
        });
      },
    );

    app.get(
      '/api/v1/audit',
      {
        config: { access: 'admin', activity: 'audit.list' },
        schema: {
          tags: ['events'],
          summary: 'Who asked for what, newest first',
          querystring: z.object({
            actor: z.string().max(1_000).optional(),
            action: z.string().max(200).optional(),
            since: instant.describe('Inclusive.'),
            until: instant.describe('Exclusive.'),
            cursor,
            limit,
          }),
          response: { 200: z.object({ items: z.array(auditEntrySchema), next_cursor: z.string().nullable() }) },
        },
      },
      async ({ query }) => {
        const found = await events.listAudit({
          actor: query.actor,
          action: query.action,
          sinceMs: msOf(query.since),
          untilMs: msOf(query.until),
          beforeSeq: numberOf(query.cursor),
          limit: query.limit + 1,
        });
        return page(found.map(auditBody), query.limit);
      },
    );

    app.get(
      '/api/v1/audit/verify',
      {
        config: { access: 'admin', activity: 'audit.verify' },
        schema: {
          tags: ['events'],
          summary: 'Reads the whole audit trail and checks its chain of hashes',
          response: { 200: auditVerdictSchema },
        },
      },
      async () => {
        const verdict = await events.verifyAudit();
        return verdict.intact
          ? { intact: true, entries: verdict.entries, head: verdict.head, broken_at_seq: null, reason: null }
          : {
              intact: false,
              entries: verdict.entries,
              head: null,
              broken_at_seq: verdict.brokenAtSeq,
              reason: verdict.reason,
            };
      },
    );
  };

async function* messages(
  events: EventLog,
  resumeFrom: number | undefined,
  filter: EventFilter,
  signal: AbortSignal,
): AsyncGenerator<SseMessage, void> {
  const newest = await events.lastSeq();
  if (resumeFrom !== undefined && resumeFrom > newest) yield { event: 'refresh', data: {}, id: newest };
  const afterSeq = resumeFrom === undefined || resumeFrom > newest ? newest : resumeFrom;
  for await (const event of events.follow({ afterSeq, signal, filter }))
    yield { id: event.seq, event: 'event', data: eventBody(event) };
}

function seqOf(id: string | undefined): number | undefined {
  if (id === undefined) return undefined;
  if (!/^\d{1,15}$/.test(id))
    throw new AppError('request/unreadable', '`Last-Event-ID` is the number of the last event that was received.');
  return Number(id);
}

const eventBody = (event: Event): EventBody => ({
  seq: event.seq,
  at: isoInstant(event.atMs),
  type: event.type,
  severity: event.severity,
  target_id: event.targetId,
  workspace: event.workspace,
  operation_id: event.operationId,
  instance: event.instance,
  message: event.message,
  data: { ...event.data },
});

const auditBody = (entry: AuditEntry): z.infer<typeof auditEntrySchema> => ({
  seq: entry.seq,
  at: isoInstant(entry.atMs),
  actor: entry.actor,
  action: entry.action,
  object: entry.object,
  outcome: entry.outcome,
  data: { ...entry.data },
  prev_hash: entry.prevHash,
  hash: entry.hash,
});
