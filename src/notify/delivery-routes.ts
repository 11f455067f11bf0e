import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { Delivery } from './delivery.ts';
import type { Outbox } from './outbox.ts';
import { headline } from './senders/wording.ts';
import { actorOf } from './silence-routes.ts';

export const deliveryId = z.string().regex(/^msg_[0-9a-z]{1,40}$/, 'is no id of a delivery');
const states = z.enum(['pending', 'sent', 'dead', 'superseded']);

export const attemptSchema = z.object({
  at: z.string(),
  outcome: z.enum(['sent', 'failed']),
  status: z.number().nullable().describe('What was answered, where a status is answered.'),
  error: z.string().nullable(),
  latency_ms: z.number(),
});

const deliverySchema = z.object({
  id: z.string().describe('Also the id that the receiver sees, the same at each attempt.'),
  receiver: z.string(),
  state: states.describe('`superseded`: a later one says all of it.'),
  reason: z.enum(['change', 'repeat', 'escalation', 'test']),
  status: z.enum(['firing', 'resolved']),
  title: z.string(),
  group_labels: z.record(z.string(), z.string()),
  alerts: z.array(
    z.object({ key: z.string(), status: z.enum(['firing', 'resolved']), severity: z.string(), title: z.string() }),
  ),
  omitted_alerts: z.number(),
  created_at: z.string(),
  next_attempt_at: z.string().nullable(),
  finished_at: z.string().nullable(),
  failures: z.number(),
  superseded_by: z.string().nullable(),
  attempts: z.array(attemptSchema).describe('The latest fifty, oldest first.'),
});

/** So many are listed; the rest is counted. */
const mostShown = 20;

export const shapeAttempts = ({ attempts }: Delivery): z.infer<typeof attemptSchema>[] =>
  attempts.map(({ atMs, outcome, status, error, latencyMs }) => ({
    at: isoInstant(atMs),
    ...{ outcome, status, error },
    latency_ms: latencyMs,
  }));

const shapeDelivery = (delivery: Delivery): z.infer<typeof deliverySchema> => {
  const { message } = delivery;
  return {
    id: delivery.id,
    receiver: delivery.receiverId,
    state: delivery.state,
    reason: message.reason,
    status: message.status,
    title: headline(message),
    group_labels: { ...message.groupLabels },
    alerts: message.alerts
      .slice(0, mostShown)
      .map(({ key, status, severity, title }) => ({ key, status, severity, title })),
    omitted_alerts: message.omitted + Math.max(0, message.alerts.length - mostShown),
    created_at: isoInstant(delivery.createdMs),
    next_attempt_at: isoInstantOrNull(delivery.nextMs),
    finished_at: isoInstantOrNull(delivery.finishedMs),
    failures: delivery.failures,
    superseded_by: delivery.supersededBy,
    attempts: shapeAttempts(delivery),
  };
};

/** The outbox: what was sent, what waits, what was given up, and what happened at each attempt. */
export const deliveryRoutes =
  ({ outbox }: { outbox: Outbox }): RoutePlugin =>
  async (app) => {
    const tags = ['alerts'];
    const path = '/api/v1/metrics/alerts/deliveries';
    const params = z.object({ id: deliveryId });

    app.get(
      path,
      {
        config: { access: 'admin', activity: 'deliveries' },
        schema: {
          tags,
          summary: 'Notifications that were sent, wait or were given up, newest first, with their attempts',
          querystring: z.object({
            state: states.optional(),
            receiver: z.string().max(63).optional(),
            limit: z.coerce.number().int().min(1).max(500).default(50),
            cursor: deliveryId.optional(),
          }),
          response: {
            200: z.object({
              items: z.array(deliverySchema),
              next_cursor: z.string().nullable(),
              pending: z.number().describe('How many wait to be sent, whatever was asked for.'),
              oldest_pending_since: z.string().nullable(),
            }),
          },
        },
      },
      async (request) => {
        const { state, receiver, limit, cursor } = request.query;
        const [page, backlog] = await Promise.all([
          outbox.list({ state, receiverId: receiver, beforeId: cursor }, limit + 1),
          outbox.backlog(),
        ]);
        const items = page.slice(0, limit);
        const last = page.length > limit ? items.at(-1) : undefined;
        return {
          items: items.map(shapeDelivery),
          next_cursor: last?.id ?? null,
          pending: backlog.pending,
          oldest_pending_since: isoInstantOrNull(backlog.oldestMs),
        };
      },
    );

    app.get(
      `${path}/:id`,
      {
        config: { access: 'admin', activity: 'delivery', problems: ['request/not-found'] },
        schema: { tags, summary: 'One notification with its attempts', params, response: { 200: deliverySchema } },
      },
      async (request) => shapeDelivery(await outbox.require(request.params.id)),
    );

    app.post(
      `${path}/:id/retry`,
      {
        config: { access: 'admin', activity: 'retry-delivery', problems: ['request/not-found', 'conflict/state'] },
        schema: {
          tags,
          summary: 'Have a dead letter tried again, or a waiting one at once',
          params,
          response: { 202: deliverySchema },
        },
      },
      async (request, reply) => {
        const delivery = await outbox.retry(actorOf(request.principal), request.params.id);
        reply.code(202);
        return shapeDelivery(delivery);
      },
    );
  };
