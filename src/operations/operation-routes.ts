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
import { isFinal, operationStates } from './operation.ts';
import { operationAnswers, operationBody, operationSchema, respondWithOperation } from './operation-answer.ts';
import type { Operations } from './operations.ts';

const params = z.object({ id: z.string().min(1).max(100) });

/** Following and cancelling long work, whichever slice started it. */
export const operationRoutes =
  (deps: { operations: Operations; log: Logger }): RoutePlugin =>
  async (app) => {
    const { operations, log } = deps;

    app.get(
      '/api/v1/operations',
      {
        config: { access: 'admin', activity: 'operations.list' },
        schema: {
          tags: ['operations'],
          summary: 'Long work, newest first',
          querystring: z.object({
            state: z.enum(operationStates).optional(),
            kind: z.string().max(100).optional(),
            target_id: z.string().max(100).optional(),
            cursor: z
              .string()
              .regex(/^op_[0-9a-z]{1,40}$/)
              .optional()
              .describe('`next_cursor` of the page before.'),
            limit: z.coerce.number().int().min(1).max(500).default(50),
          }),
          response: { 200: z.object({ items: z.array(operationSchema), next_cursor: z.string().nullable() }) },
        },
      },
      async ({ query }) => {
        const found = await operations.list({
          state: query.state,
          kind: query.kind,
          targetId: query.target_id,
          beforeId: query.cursor,
          limit: query.limit + 1,
        });
        const items = found.slice(0, query.limit).map(operationBody);
        return { items, next_cursor: found.length > query.limit ? (items.at(-1)?.id ?? null) : null };
      },
    );

    app.get(
      '/api/v1/operations/:id',
      {
        config: {
          access: 'admin',
          activity: 'operations.read',
          headers: ['prefer'],
          problems: ['operation/unknown'],
        },
        schema: {
          tags: ['operations'],
          summary: 'One operation: phase, progress, result',
          description: 'With `Prefer: wait=N` it answers when the operation has ended, after N seconds at the latest.',
          params,
          response: { 200: operationSchema },
        },
      },
      async (request, reply) => {
        const operation = await operations.require(request.params.id);
        const body = await respondWithOperation(operations, request, reply, operation);
        // Reading is always 200: here nothing was asked for that could still be under way.
        reply.code(200).removeHeader('location');
        return body;
      },
    );

    app.post(
      '/api/v1/operations/:id/cancel',
      {
        config: {
          access: 'admin',
          activity: 'operations.cancel',
          headers: ['prefer'],
          problems: ['operation/unknown', 'conflict/state'],
        },
        schema: {
          tags: ['operations'],
          summary: 'Asks a running operation to end',
          params,
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const actor = request.principal?.subject;
        if (actor === undefined) throw new AppError('access/unauthenticated', 'Nobody stands behind this request.');
        const operation = await operations.cancel(request.params.id, { requestedBy: actor });
        return respondWithOperation(operations, request, reply, operation);
      },
    );

    app.get(
      '/api/v1/operations/:id/stream',
      {
        config: { access: 'admin', activity: 'operations.stream', problems: ['operation/unknown'] },
        schema: {
          tags: ['operations'],
          summary: 'One operation as it goes on, as server-sent events',
          description:
            'Each message is named `operation` and holds all of it, so whoever reconnects misses nothing. After the end was received the answer is 204, which ends the reconnecting.',
          params,
          querystring: z.object({ last_event_id: z.string().max(200).optional() }),
          response: {
            200: eventStreamAnswer('Messages named `operation`, each with the whole operation as JSON.'),
            204: z.undefined().describe('Its end was received already.'),
          },
        },
      },
      async (request, reply) => {
        const operation = await operations.require(request.params.id);
        if (isFinal(operation) && lastEventId(request) === endId) return reply.code(204).send();
        return sseStream(request, reply, {
          log,
          whenSlow: 'wait',
          source: ({ signal }) => messages(operations, operation.id, signal),
        });
      },
    );
  };

const endId = 'end';

async function* messages(operations: Operations, id: string, signal: AbortSignal): AsyncGenerator<SseMessage, void> {
  let sent = 0;
  for await (const operation of operations.watch(id, signal)) {
    sent += 1;
    yield { id: isFinal(operation) ? endId : sent, event: 'operation', data: operationBody(operation) };
  }
}
