import { z } from 'zod';
import {
  idempotencyOf,
  type Operations,
  operationAnswers,
  preferredWait,
  respondWithOperation,
} from '../operations/index.ts';
import { isoInstantOrNull } from '../platform/clock.ts';
import { AppError, isAppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { logStatuses, logTypes, replicaStatuses } from './replica.ts';
import type { Replication } from './replication.ts';
import {
  bodyOfLog,
  bodyOfReplica,
  logBody,
  newReplicaBody,
  placementBody,
  replicaBody,
  replicaChangeBody,
  replicaId,
} from './replication-bodies.ts';

export type ReplicationRoutesDeps = {
  readonly replication: Replication;
  readonly operations: Operations;
  /** @throws AppError `target/unknown` */
  requireGraph(id: string): { readonly id: string; readonly targetId: string; readonly workspace: string };
  /** After a change of what there is to do. */
  wake(): void;
};

const below = '/api/v1/backup-replication/replication';
const params = z.object({ target_id: replicaId });
const graphParams = z.object({ graph_id: z.string().max(200) });
const unknownTarget = 'replication/unknown-target';
const begins = ['feature/disabled', unknownTarget, 'operation/busy', 'conflict/state'] as const;
const registers = [
  'request/invalid',
  'repository/invalid-location',
  'conflict/state',
  'outgoing/refused-address',
  'outgoing/failed',
  'target/foreign-path',
] as const;
const who = (request: { principal?: { subject: string } | undefined }): string =>
  request.principal?.subject ?? 'unknown';

/** Places that points are copied to, what lies there, what was done, and what is to be done. */
export const replicationRoutes =
  (deps: ReplicationRoutesDeps): RoutePlugin =>
  async (app) => {
    const { replication, operations } = deps;
    const { replicas, store } = replication;
    const tags = ['replication'];
    const admin = (activity: string) => ({ access: 'admin', activity }) as const;

    const requireBody = async (id: string): Promise<z.infer<typeof replicaBody>> => {
      await replicas.require(id);
      const { replicas: all, enabled } = await replication.overview();
      const found = all.find(({ replica }) => replica.id === id);
      // It was just there: somebody removed it in between.
      if (!found) throw new AppError(unknownTarget, `The replication target ${id} is gone.`);
      return bodyOfReplica(found, enabled);
    };

    app.get(
      `${below}/targets`,
      {
        config: admin('list replication targets'),
        schema: {
          tags,
          summary: 'Places that recovery points are copied to, and how they are',
          querystring: z.object({ enabled_only: z.enum(['true', 'false']).optional() }),
          response: { 200: z.object({ items: z.array(replicaBody), next_cursor: z.null() }) },
        },
      },
      async (request) => {
        const { replicas: all, enabled } = await replication.overview();
        const only = request.query.enabled_only === 'true';
        const items = all.filter(({ replica }) => !only || replica.enabled).map((one) => bodyOfReplica(one, enabled));
        return { items, next_cursor: null };
      },
    );

    app.post(
      `${below}/targets`,
      {
        config: { ...admin('register replication target'), problems: registers },
        schema: {
          tags,
          summary: 'Register a place that recovery points are copied to',
          body: newReplicaBody,
          response: { 201: replicaBody },
        },
      },
      async (request, reply) => {
        const { body } = request;
        const replica = await replicas.register(
          {
            id: body.target_id,
            name: body.name,
            location: body.location,
            baseUrl: body.base_url,
            credentials: body.api_key === undefined ? body.credentials : { ...body.credentials, API_KEY: body.api_key },
            ...{ zone: body.zone, offline: body.offline, enabled: body.enabled, metadata: body.metadata },
            limitKiB: body.limit_kib_per_second,
          },
          who(request),
        );
        deps.wake();
        reply.code(201);
        return requireBody(replica.id);
      },
    );

    app.get(
      `${below}/targets/:target_id`,
      {
        config: { ...admin('read replication target'), problems: [unknownTarget] },
        schema: { tags, summary: 'One replication target', params, response: { 200: replicaBody } },
      },
      async (request) => requireBody(request.params.target_id),
    );

    app.patch(
      `${below}/targets/:target_id`,
      {
        config: {
          ...admin('change replication target'),
          problems: [unknownTarget, 'request/invalid', 'conflict/state'],
        },
        schema: {
          tags,
          summary: 'Change a replication target, or hand in new credentials; where it lies stays',
          params,
          body: replicaChangeBody,
          response: { 200: replicaBody },
        },
      },
      async (request) => {
        const { api_key, credentials, limit_kib_per_second, ...change } = request.body;
        const secrets = api_key === undefined ? credentials : { ...credentials, API_KEY: api_key };
        await replicas.change(
          request.params.target_id,
          { ...change, limitKiB: limit_kib_per_second, credentials: secrets },
          who(request),
        );
        deps.wake();
        return requireBody(request.params.target_id);
      },
    );

    app.delete(
      `${below}/targets/:target_id`,
      {
        config: {
          ...admin('remove replication target'),
          problems: [unknownTarget, 'conflict/state', 'operation/busy'],
        },
        schema: {
          tags,
          summary: 'Copy there no more. What lies there stays',
          params,
          response: { 200: z.object({ status: z.literal('success'), message: z.string() }) },
        },
      },
      async (request) => {
        const { target_id } = request.params;
        await replicas.remove(target_id, who(request));
        deps.wake();
        return {
          status: 'success' as const,
          message: `Nothing more is copied to ${target_id}. What lies there stays.`,
        };
      },
    );

    app.get(
      `${below}/targets/:target_id/health`,
      {
        config: { ...admin('read replication target'), problems: [unknownTarget] },
        schema: {
          tags,
          summary: 'Whether a replication target can be used',
          params,
          querystring: z.object({
            fresh: z.enum(['true', 'false']).optional().describe('`true`: look now, unless somebody works there.'),
          }),
          response: {
            200: z.object({
              target_id: z.string(),
              status: z.enum(replicaStatuses),
              error: z.string().nullable(),
              last_health_check: z.string().nullable(),
            }),
          },
        },
      },
      async (request) => {
        const { target_id } = request.params;
        await replicas.require(target_id);
        const gone = new AbortController();
        request.raw.once('close', () => gone.abort());
        const state =
          request.query.fresh === 'true'
            ? await replication.look(target_id, gone.signal)
            : (await store.states()).get(target_id);
        return {
          target_id,
          status: state?.status ?? 'unknown',
          error: state?.error ?? null,
          last_health_check: isoInstantOrNull(state?.checkedMs),
        };
      },
    );

    app.post(
      `${below}/targets/:target_id/replicate`,
      {
        config: { ...admin('replicate'), problems: [...begins, 'target/unknown'] },
        schema: { tags, summary: 'Copy what is missing to one target, now', params, response: operationAnswers },
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
          params,
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
          params,
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

    app.get(
      `${below}/graphs/:graph_id/status`,
      {
        config: { ...admin('read replication'), problems: ['target/unknown'] },
        schema: {
          tags,
          summary: 'Where the points of one graph are copied to, and how far behind each place is',
          params: graphParams,
          response: {
            200: z.object({
              graph_id: z.string(),
              total_targets: z.number(),
              enabled_targets: z.number(),
              newest_backup_id: z.string().nullable(),
              newest_taken_at: z.string().nullable(),
              recent_operations: z.number().describe('Of the last hundred entries of the log.'),
              successful_operations: z.number(),
              failed_operations: z.number(),
              last_replication: z.string().nullable(),
              placement: placementBody.nullable(),
              targets: z.array(replicaBody),
            }),
          },
        },
      },
      async (request) => {
        const graph = deps.requireGraph(request.params.graph_id);
        const overview = await replication.overview(graph.targetId);
        const recent = await store.log({ targetId: graph.targetId, type: 'sync', limit: 100 });
        const done = recent.filter(({ status }) => status === 'completed' || status === 'validated');
        const [placed] = overview.placement;
        return {
          graph_id: graph.id,
          total_targets: overview.replicas.length,
          enabled_targets: overview.replicas.filter(({ replica }) => replica.enabled).length,
          newest_backup_id: overview.newest[0]?.pointId ?? null,
          newest_taken_at: isoInstantOrNull(overview.newest[0]?.takenMs),
          recent_operations: recent.length,
          successful_operations: done.length,
          failed_operations: recent.filter(({ status }) => status === 'failed').length,
          last_replication: isoInstantOrNull(done[0]?.completedMs),
          placement: placed
            ? {
                ...{ target: placed.targetId, met: placed.met, copies: placed.copies, zones: placed.zones },
                ...{ offline: placed.offline, missing: [...placed.missing] },
              }
            : null,
          targets: overview.replicas.map((one) => bodyOfReplica(one, overview.enabled)),
        };
      },
    );

    app.get(
      `${below}/logs`,
      {
        config: admin('read replication log'),
        schema: {
          tags,
          summary: 'What was copied, verified and healed, newest first',
          querystring: z.object({
            target_id: replicaId.optional(),
            graph_id: z.string().max(200).optional(),
            backup_id: z.string().max(100).optional(),
            operation_type: z.enum(logTypes).optional(),
            status: z.enum(logStatuses).optional(),
            limit: z.coerce.number().int().min(1).max(500).default(100),
            cursor: z
              .string()
              .max(100)
              .regex(/^\d{1,15}\.repl_[0-9a-z]{26}$/, 'is not a cursor of this list')
              .optional(),
          }),
          response: { 200: z.object({ items: z.array(logBody), next_cursor: z.string().nullable() }) },
        },
      },
      async (request) => {
        const { cursor, limit, target_id, graph_id, backup_id, operation_type, status } = request.query;
        const [startedMs, id] = cursor?.split('.') ?? [];
        const rows = await store.log({
          ...{ replicaId: target_id, pointId: backup_id, type: operation_type, status, limit: limit + 1 },
          targetId: graph_id?.split(':', 1)[0],
          before: startedMs === undefined || id === undefined ? undefined : { startedMs: Number(startedMs), id },
        });
        const last = rows.length > limit ? rows[limit - 1] : undefined;
        return {
          items: rows.slice(0, limit).map(bodyOfLog),
          next_cursor: last ? `${last.startedMs}.${last.id}` : null,
        };
      },
    );
  };
