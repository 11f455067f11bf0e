import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { idempotencyOf, type Operation, type Operations, preferredWait } from '../../operations/index.ts';
import { AppError, type ErrorCode, errorCatalogue } from '../../platform/errors.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { decidePlace, requireSource } from '../graphs/places.ts';
import { pendingSnapshot, type SnapshotBody, snapshotBody, snapshotSchema } from '../graphs/snapshot-report.ts';
import { restorePlanSchema } from '../restore-plan-report.ts';
import { type BackupRoutesDeps, graphParams, graphs, snapshotParams, who } from './route-deps.ts';

/** What begins work and answers with more than the operation: how it stands, and where to follow it. */
const doneSchema = z.object({
  status: z.string(),
  message: z.string(),
  operation_id: z.string().describe('Follow it at `/api/v1/operations/{id}`.'),
});

const metadata = z
  .record(z.string().max(200), z.json())
  .refine((value) => JSON.stringify(value).length <= 16_384, { error: 'is longer than 16384 characters' });

/** Snapshots of one graph: its workspace’s part of the recovery points, with the paths and fields of document 004. */
export const snapshotRoutes =
  (deps: BackupRoutesDeps): RoutePlugin =>
  async (app) => {
    const { backup, points, operations } = deps;
    const { snapshots } = backup;
    const shown = (found: Parameters<typeof snapshotBody>[0]): SnapshotBody =>
      snapshotBody(found, { location: backup.location, policy: backup.policy });

    app.post(
      `${graphs}/:graph_id/snapshots`,
      {
        config: {
          access: 'admin',
          activity: 'take snapshot',
          problems: [
            'feature/disabled',
            'target/unknown',
            'target/foreign-path',
            'operation/busy',
            'backup/unavailable',
          ],
        },
        schema: {
          tags: ['backup'],
          summary: 'Take a snapshot of one graph now; with `Prefer: wait=N` answer when it is there',
          params: graphParams,
          body: z
            .strictObject({
              source_dir: z
                .string()
                .max(8192)
                .optional()
                .describe('A registered folder of the graph; may be left out.'),
              metadata: metadata.optional().describe('Kept with the snapshot.'),
            })
            .nullish(),
          response: { 201: snapshotSchema, 202: snapshotSchema.describe('It is being taken; `Location` shows it.') },
        },
      },
      async (request, reply) => {
        const graph = await snapshots.requireGraph(request.params.graph_id);
        const { source_dir: folder, metadata: told } = request.body ?? {};
        if (folder !== undefined) requireSource(deps.requireTarget(graph.targetId), graph, folder);
        const begun = await backup.take({
          targetId: graph.targetId,
          cause: 'manual',
          selection: { workspace: graph.workspace, include: { database: true, workspaces: true, config: false } },
          metadata: told,
          requestedBy: who(request),
          idempotency: idempotencyOf(request),
        });
        const ended = await endOf(operations, request, begun);
        reply.code(ended ? 201 : 202);
        reply.header('location', `${graphs}/${encodeURIComponent(graph.id)}/snapshots/${begun.pointId}`);
        if (ended || (await points.find(begun.pointId))) return shown(await snapshots.require(graph, begun.pointId));
        return pendingSnapshot(graph, { pointId: begun.pointId, operation: begun, metadata: told ?? {} });
      },
    );

    app.get(
      `${graphs}/:graph_id/snapshots`,
      {
        config: { access: 'admin', activity: 'list snapshots', problems: ['feature/disabled', 'target/unknown'] },
        schema: {
          tags: ['backup'],
          summary: 'Snapshots of one graph, newest first',
          params: graphParams,
          response: { 200: z.array(snapshotSchema) },
        },
      },
      async (request) => {
        const graph = await snapshots.requireGraph(request.params.graph_id);
        return (await snapshots.list(graph)).map(shown);
      },
    );

    app.get(
      `${graphs}/:graph_id/snapshots/:snapshot_id`,
      {
        config: {
          access: 'admin',
          activity: 'read snapshot',
          problems: ['feature/disabled', 'target/unknown', 'backup/unknown-point', 'backup/invalid-id'],
        },
        schema: {
          tags: ['backup'],
          summary: 'One snapshot of one graph',
          params: snapshotParams,
          response: { 200: snapshotSchema, 304: z.undefined() },
        },
      },
      async (request) => {
        const graph = await snapshots.requireGraph(request.params.graph_id);
        return shown(await snapshots.require(graph, request.params.snapshot_id));
      },
    );

    app.post(
      `${graphs}/:graph_id/snapshots/:snapshot_id/restore`,
      {
        config: {
          access: 'admin',
          activity: 'restore snapshot',
          problems: [
            'feature/disabled',
            'target/unknown',
            'target/foreign-path',
            'backup/unknown-point',
            'backup/invalid-id',
            'conflict/confirmation-required',
            'conflict/state',
            'restore/plan-changed',
            'restore/invalid-options',
            'restore/blocked',
            'operation/busy',
            'backup/unavailable',
            'repository/missing',
            'repository/locked',
          ],
        },
        schema: {
          tags: ['backup'],
          summary: 'Restore one graph, in place or beside it; with plan_only show what would happen',
          params: snapshotParams,
          body: z
            .strictObject({
              target_dir: z
                .string()
                .max(8192)
                .optional()
                .describe('A registered folder of the graph (as without it), or a new one below backup.allowed_roots.'),
              as_workspace: z.string().max(64).optional().describe('Under this name, beside the one it has.'),
              plan_only: z.boolean().optional(),
              plan_id: z.string().max(200).optional(),
              confirm: z.boolean().optional().describe('What replaces the live data is refused without it.'),
              safety_point: z.boolean().optional(),
            })
            .nullish(),
          response: { 200: z.union([doneSchema, restorePlanSchema]), 202: doneSchema },
        },
      },
      async (request, reply) => {
        const graph = await snapshots.requireGraph(request.params.graph_id);
        const { point } = await snapshots.require(graph, request.params.snapshot_id);
        const asked = request.body ?? {};
        const place = decidePlace(deps.requireTarget(graph.targetId), graph, asked.target_dir);
        const options = {
          workspace: graph.workspace,
          asWorkspace: asked.as_workspace,
          ...(place.kind === 'aside' ? { to: { folder: place.folder } } : {}),
        };
        if (asked.plan_only) return backup.planRestore(point.id, options);
        const begun = await backup.restore({
          pointId: point.id,
          planId: asked.plan_id,
          // Beside the live data nothing is replaced that somebody would have to agree to.
          confirm: asked.confirm ?? place.kind === 'aside',
          safetyPoint: asked.safety_point ?? true,
          options,
          requestedBy: who(request),
          idempotency: idempotencyOf(request),
        });
        const ended = await endOf(operations, request, begun);
        reply.code(ended ? 200 : 202);
        const where = place.kind === 'aside' ? ` into ${place.folder}` : '';
        return {
          status: ended ? (ended.state === 'partial' ? 'partial' : 'restored') : 'in_progress',
          message: `${graph.id} ${ended ? 'was' : 'is being'} restored from ${point.id}${where}.`,
          operation_id: begun.id,
        };
      },
    );

    app.delete(
      `${graphs}/:graph_id/snapshots/:snapshot_id`,
      {
        config: {
          access: 'admin',
          activity: 'delete snapshot',
          problems: [
            'feature/disabled',
            'target/unknown',
            'backup/unknown-point',
            'backup/invalid-id',
            'conflict/state',
            'operation/busy',
            'backup/unavailable',
          ],
        },
        schema: {
          tags: ['backup'],
          summary: 'Delete the recovery point that a snapshot is part of',
          params: snapshotParams,
          querystring: z.object({
            force: z
              .enum(['true', 'false'])
              .optional()
              .describe('Also one that is pinned, the newest good one, or one that holds other graphs as well.'),
          }),
          response: { 200: doneSchema, 202: doneSchema },
        },
      },
      async (request, reply) => {
        const graph = await snapshots.requireGraph(request.params.graph_id);
        const found = await snapshots.require(graph, request.params.snapshot_id);
        await snapshots.requireDeletable(found, request.query.force === 'true');
        const begun = await backup.forget({
          points: [found.point],
          requestedBy: who(request),
          idempotency: idempotencyOf(request),
        });
        const ended = await endOf(operations, request, begun);
        reply.code(ended ? 200 : 202);
        return {
          status: ended ? 'deleted' : 'in_progress',
          message: `${found.point.id} ${ended ? 'was' : 'is being'} deleted.`,
          operation_id: begun.id,
        };
      },
    );
  };

/**
 * The end of work, when the caller prefers to wait and it comes in time; undefined while it goes on.
 * @throws AppError what ended it: whoever waits for a snapshot gets one, or the reason why there is none
 */
export async function endOf(
  operations: Operations,
  request: FastifyRequest,
  begun: Operation,
): Promise<Operation | undefined> {
  const waitSeconds = preferredWait(request.headers.prefer);
  if (waitSeconds === undefined) return undefined;
  const ended = await operations.wait(begun.id, { timeoutMs: waitSeconds * 1000 });
  if (ended.state === 'running') return undefined;
  if (ended.state === 'succeeded' || ended.state === 'partial') return ended;
  const code = ended.error?.code ?? `operation/${ended.state}`;
  // What is in the catalogue of errors is told under its own code.
  throw new AppError(
    code in errorCatalogue ? (code as ErrorCode) : 'internal/unexpected',
    ended.error?.detail ?? `The operation ${ended.id} was ${ended.state}.`,
  );
}
