import { z } from 'zod';
import { idempotencyOf, operationAnswers, preferredWait, respondWithOperation } from '../../operations/index.ts';
import { AppError, isAppError } from '../../platform/errors.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { replicaId } from './replication-bodies.ts';
import {
  admin,
  below,
  graphParams,
  type ReplicationRoutesDeps,
  targetParams,
  unknownTarget,
  who,
} from './route-deps.ts';

const begins = ['feature/disabled', unknownTarget, 'operation/busy', 'conflict/state'] as const;

/** Work on copies, each as an operation: bringing what is missing, reading it back, mending, freeing space. */
export const copyRoutes =
  (deps: ReplicationRoutesDeps): RoutePlugin =>
  async (app) => {
    const { replication, operations } = deps;
    const { replicas } = replication;
    const tags = ['replication'];

    app.post(
      `${below}/targets/:target_id/replicate`,
      {
        config: { ...admin('replicate'), problems: [...begins, 'target/unknown'] },
        schema: {
          tags,
          summary: 'Copy what is missing to one target, now',
          params: targetParams,
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const operation = await replication.sync({
          replicaId: request.params.target_id,
          requestedBy: who(request),
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(operations, request, reply, operation);
      },
    );

    app.post(
      `${below}/targets/:target_id/verify`,
      {
        config: { ...admin('verify replication target'), problems: begins },
        schema: {
          tags,
          summary: 'Read a share of the data at one target and see whether it is sound',
          params: targetParams,
          body: z
            .strictObject({
              percent: z.number().min(0.1).max(100).optional().describe('Default: replication.verify_percent.'),
            })
            .nullish(),
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const operation = await replication.verify({
          replicaId: request.params.target_id,
          percent: request.body?.percent,
          requestedBy: who(request),
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(operations, request, reply, operation);
      },
    );

    app.post(
      `${below}/targets/:target_id/heal`,
      {
        config: { ...admin('heal'), problems: [...begins, 'conflict/confirmation-required'] },
        schema: {
          tags,
          summary: 'Mend a damaged repository from a good one: the target from ours, or ours from the target',
          params: targetParams,
          body: z.strictObject({
            damaged: z.enum(['target', 'source']).describe('Which of the two is mended.'),
            confirm: z.boolean().default(false),
          }),
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const { damaged, confirm } = request.body;
        await replicas.require(request.params.target_id);
        if (!confirm)
          throw new AppError(
            'conflict/confirmation-required',
            'Healing forgets the damaged snapshots before it copies them back. Send "confirm": true.',
          );
        const operation = await replication.heal({
          replicaId: request.params.target_id,
          damaged,
          requestedBy: who(request),
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(operations, request, reply, operation);
      },
    );

    app.post(
      `${below}/targets/:target_id/prune`,
      {
        config: { ...admin('prune replication target'), problems: begins },
        schema: {
          tags,
          summary:
            'Free what nothing refers to at one target: what was forgotten there, or left by a copy that was cut off',
          params: targetParams,
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const operation = await replication.prune({
          replicaId: request.params.target_id,
          requestedBy: who(request),
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(operations, request, reply, operation);
      },
    );

    app.post(
      `${below}/graphs/:graph_id/replicate`,
      {
        config: { ...admin('replicate'), problems: [...begins, 'target/unknown'] },
        schema: {
          tags,
          summary: 'Copy the points of one graph to every target that is switched on, or to those that are named',
          params: graphParams,
          body: z.strictObject({ target_ids: z.array(replicaId).max(100).optional() }).nullish(),
          response: {
            202: z.object({
              graph_id: z.string(),
              operation_ids: z.array(z.string()).describe('Follow them at `/api/v1/operations/{id}`.'),
              busy: z
                .array(z.string())
                .describe('Targets at which somebody works already; what is missing goes there next.'),
            }),
          },
        },
      },
      async (request, reply) => {
        const graph = deps.requireGraph(request.params.graph_id);
        const asked = request.body?.target_ids;
        for (const id of asked ?? []) await replicas.require(id);
        const chosen = (await replicas.list()).filter(({ id, enabled }) => asked?.includes(id) ?? enabled);
        if (chosen.length === 0)
          throw new AppError('conflict/state', 'No replication target is switched on. Register one first.');
        const ids: string[] = [];
        const busy: string[] = [];
        for (const { id } of chosen) {
          const begun = await replication
            .sync({ replicaId: id, targetId: graph.targetId, requestedBy: who(request) })
            .catch((err: unknown) => {
              if (!isAppError(err) || err.code !== 'operation/busy') throw err;
              busy.push(id);
              return undefined;
            });
          if (begun) ids.push(begun.id);
        }
        const waitSeconds = preferredWait(request.headers.prefer);
        if (waitSeconds !== undefined)
          await Promise.all(ids.map((id) => operations.wait(id, { timeoutMs: waitSeconds * 1_000 })));
        reply.code(202);
        return { graph_id: graph.id, operation_ids: ids, busy };
      },
    );
  };
