import { z } from 'zod';
import { isoInstantOrNull } from '../../platform/clock.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { pageCursor, pageOf, placeOfCursor } from '../../platform/paging.ts';
import { logStatuses, logTypes } from '../replica.ts';
import { bodyOfLog, bodyOfReplica, logBody, placementBody, replicaBody, replicaId } from './replication-bodies.ts';
import { admin, below, graphParams, type ReplicationRoutesDeps } from './route-deps.ts';

/** How far the copies of a graph are, and what was done. */
export const statusRoutes =
  (deps: ReplicationRoutesDeps): RoutePlugin =>
  async (app) => {
    const { replication } = deps;
    const { store } = replication;
    const tags = ['replication'];

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
            cursor: pageCursor('repl_[0-9a-z]{26}'),
          }),
          response: { 200: z.object({ items: z.array(logBody), next_cursor: z.string().nullable() }) },
        },
      },
      async (request) => {
        const { cursor, limit, target_id, graph_id, backup_id, operation_type, status } = request.query;
        const rows = await store.log({
          ...{ replicaId: target_id, pointId: backup_id, type: operation_type, status, limit: limit + 1 },
          targetId: graph_id?.split(':', 1)[0],
          before: placeOfCursor(cursor),
        });
        return pageOf(rows, limit, { atMs: (row) => row.startedMs, body: bodyOfLog });
      },
    );
  };
