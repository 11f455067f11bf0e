import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import {
  eventStreamAnswer,
  lastEventId,
  type RoutePlugin,
  type SseMessage,
  sseStream,
} from '../platform/http/index.ts';
import type { Logger } from '../platform/logging.ts';
import { type AuditRouteDeps, auditRoutes } from './audit-routes.ts';
import { type EventInsightDeps, eventInsightRoutes, requireSwitchedOn } from './event-insight-routes.ts';
import type { EventLog } from './event-log.ts';
import type { EventFilter } from './event-store.ts';
import {
  cursor,
  eventBody,
  eventSchema,
  filterOf,
  filterQuery,
  instant,
  limit,
  msOf,
  numberOf,
  page,
} from './event-wire.ts';

export type EventRouteDeps = AuditRouteDeps & EventInsightDeps & { readonly log: Logger };

/** What happened and who asked for what: lists, a live stream that resumes by `seq`, counts, exports, and the audit chain. */
export const eventRoutes =
  (deps: EventRouteDeps): RoutePlugin =>
  async (app) => {
    const { events, log } = deps;
    const requireEnabled = requireSwitchedOn(deps.enabled);
    await app.register(auditRoutes(deps));
    await app.register(eventInsightRoutes(deps));

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
