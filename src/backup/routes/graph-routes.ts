import { z } from 'zod';
import { idempotencyOf } from '../../operations/index.ts';
import { isoInstant, isoInstantOrNull } from '../../platform/clock.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import type { GraphScheduleStatus } from '../backup-schedule.ts';
import { graphStats, graphStatsSchema } from '../graphs/graph-stats.ts';
import { isRestorable, newestFirstAt } from '../point.ts';
import type { ForgetResult } from '../upkeep/index.ts';
import { type BackupRoutesDeps, graphParams, who } from './route-deps.ts';
import { endOf } from './snapshot-routes.ts';

const below = '/api/v1/backup-replication/backup';

const scheduleBody = z.object({
  graph_id: z.string(),
  enabled: z.boolean().describe('Whether the graph has a schedule of its own.'),
  source: z.enum(['graph', 'target']).describe('`target`: it goes with the points of its whole target.'),
  frequency_seconds: z.number(),
  next_run: z.string().nullable().describe('Null while the schedule is switched off or backups are unavailable.'),
  last_backup_id: z.string().nullable(),
  last_snapshot_time: z.string().nullable(),
  error: z.string().nullable(),
});

const scheduleReport = (found: GraphScheduleStatus): z.infer<typeof scheduleBody> => ({
  graph_id: found.graph.id,
  enabled: found.source === 'graph',
  source: found.source,
  frequency_seconds: found.frequencyMs / 1000,
  next_run: isoInstantOrNull(found.nextMs),
  last_backup_id: found.newest?.id ?? null,
  last_snapshot_time: isoInstantOrNull(found.newest?.takenMs),
  error: found.error,
});

const cleanupBody = z.object({
  deleted_snapshots: z.number().nullable().describe('Recovery points that went; null while it goes on.'),
  kept_snapshots: z.number().nullable(),
  message: z.string(),
  operation_ids: z
    .array(z.string())
    .describe('Follow them at `/api/v1/operations/{id}`; empty when nothing was to do.'),
});

/** All graphs together: what they take, what is too old, and how often each is taken. */
export const graphRoutes =
  (deps: BackupRoutesDeps): RoutePlugin =>
  async (app) => {
    const { backup, points, operations, schedule } = deps;

    app.get(
      `${below}/stats`,
      {
        config: { access: 'admin', activity: 'backup stats', problems: ['feature/disabled'] },
        schema: {
          tags: ['backup'],
          summary: 'Snapshots and their sizes by graph',
          response: { 200: graphStatsSchema },
        },
      },
      async () => graphStats(backup.snapshots, { policy: backup.policy, nowMs: deps.now() }),
    );

    app.post(
      `${below}/cleanup`,
      {
        config: {
          access: 'admin',
          activity: 'clean up snapshots',
          problems: ['feature/disabled', 'operation/busy', 'backup/unavailable'],
        },
        schema: {
          tags: ['backup'],
          summary: 'Delete what retention does not keep, now; with `Prefer: wait=N` answer when it is done',
          response: { 200: cleanupBody, 202: cleanupBody },
        },
      },
      async (request, reply) => {
        let [deleted, kept, goesOn] = [0, 0, false];
        const ids: string[] = [];
        for (const targetId of deps.targetIds) {
          const plan = await backup.planRetention(targetId);
          const doomed = plan.filter((item) => item.action === 'forget').length;
          kept += plan.length - doomed;
          if (doomed === 0) continue;
          const begun = await backup.upkeep.forget({
            targetId,
            requestedBy: who(request),
            idempotency: idempotencyOf(request),
          });
          ids.push(begun.id);
          const ended = await endOf(operations, request, begun);
          if (!ended) goesOn = true;
          // What an operation of this kind results in.
          else deleted += (ended.result as ForgetResult).forgotten.length;
        }
        reply.code(goesOn ? 202 : 200);
        return {
          deleted_snapshots: goesOn ? null : deleted,
          kept_snapshots: goesOn ? null : kept,
          message: goesOn
            ? 'What retention does not keep is being deleted.'
            : deleted > 0
              ? `${deleted} recovery point(s) were deleted, ${kept} stay.`
              : kept === 0
                ? 'There is no recovery point yet.'
                : `Nothing was deleted: retention keeps all ${kept}. \`/api/v1/backup/retention\` says why.`,
          operation_ids: ids,
        };
      },
    );

    app.post(
      `${below}/schedule`,
      {
        config: { access: 'admin', activity: 'schedule graph', problems: ['feature/disabled', 'target/unknown'] },
        schema: {
          tags: ['backup'],
          summary: 'Take one graph more often than its target, or with its target again',
          body: z
            .strictObject({
              graph_id: z.string().max(20_000),
              frequency_seconds: z.number().min(10).max(31_536_000).optional(),
              enabled: z.boolean().optional().describe('False: with its target again.'),
            })
            .refine((asked) => asked.enabled === false || asked.frequency_seconds !== undefined, {
              error: 'is needed unless `enabled` is false',
              path: ['frequency_seconds'],
            }),
          response: { 200: scheduleBody },
        },
      },
      async (request) => {
        const { graph_id: id, frequency_seconds: seconds, enabled } = request.body;
        const graph = await backup.snapshots.requireGraph(id);
        const frequencyMs = enabled === false || seconds === undefined ? null : seconds * 1000;
        return scheduleReport(await schedule.scheduleGraph(graph, frequencyMs, who(request)));
      },
    );

    app.get(
      `${below}/schedule/:graph_id`,
      {
        config: { access: 'admin', activity: 'read schedule', problems: ['feature/disabled', 'target/unknown'] },
        schema: {
          tags: ['backup'],
          summary: 'How often one graph is taken, and when next',
          params: graphParams,
          response: { 200: scheduleBody },
        },
      },
      async (request) =>
        scheduleReport(await schedule.graphStatus(await backup.snapshots.requireGraph(request.params.graph_id))),
    );

    app.get(
      '/api/v1/health-dashboard/backups/summary',
      {
        config: { access: 'admin', activity: 'backups summary', problems: ['feature/disabled'] },
        schema: {
          tags: ['backup'],
          summary: 'Recent backups at a glance',
          response: { 200: summaryBody },
        },
      },
      async () => {
        const nowMs = deps.now();
        const rows = (
          await Promise.all(
            deps.targetIds.map((targetId) => points.list({ targetId, withForgotten: true, limit: 100_000 })),
          )
        ).flat();
        const existing = rows.filter(isRestorable).sort(newestFirstAt(nowMs));
        const total = existing.reduce((sum, point) => sum + point.logicalBytes, 0);
        const statuses = await Promise.all(deps.targetIds.map((targetId) => schedule.status(targetId)));
        const recent = rows.filter((point) => point.takenMs > nowMs - recentMs);
        return {
          total_backups: existing.length,
          total_size_bytes: total,
          recent_backups: recent.filter(isRestorable).length,
          failed_backups: recent.filter((point) => point.status === 'error' || point.status === 'lost').length,
          average_size_bytes: existing.length === 0 ? null : Math.round(total / existing.length),
          oldest_backup: isoInstantOrNull(existing.at(-1)?.takenMs),
          newest_backup: isoInstantOrNull(existing[0]?.takenMs),
          targets: statuses.map((one) => ({
            target_id: one.targetId,
            status: one.state,
            newest_backup_id: one.newest?.id ?? null,
            newest_verified_at: isoInstantOrNull(one.newestVerified?.takenMs),
            next_backup: isoInstantOrNull(one.nextMs),
            rpo_met: one.rpo.met,
          })),
          recent: recent
            .toSorted((a, b) => b.takenMs - a.takenMs)
            .slice(0, 10)
            .map((point) => ({
              backup_id: point.id,
              target_id: point.targetId,
              workspace: point.workspace,
              status: point.status,
              grade: point.grade,
              timestamp: isoInstant(point.takenMs),
              size_bytes: isRestorable(point) ? point.logicalBytes : null,
              verified_at: isoInstantOrNull(point.verifiedMs),
            })),
        };
      },
    );
  };

const recentMs = 7 * 86_400_000;

const summaryBody = z.object({
  total_backups: z.number(),
  total_size_bytes: z.number().describe('As the data lay there; the repository keeps less.'),
  recent_backups: z.number().describe('Of the last seven days, as are the failed ones.'),
  failed_backups: z.number(),
  average_size_bytes: z.number().nullable(),
  oldest_backup: z.string().nullable(),
  newest_backup: z.string().nullable(),
  targets: z.array(
    z.object({
      target_id: z.string(),
      status: z.enum(['idle', 'scheduled', 'running', 'error']),
      newest_backup_id: z.string().nullable(),
      newest_verified_at: z.string().nullable(),
      next_backup: z.string().nullable(),
      rpo_met: z.boolean(),
    }),
  ),
  recent: z.array(
    z.object({
      backup_id: z.string(),
      target_id: z.string(),
      workspace: z.string().nullable(),
      status: z.enum(['running', 'success', 'partial', 'error', 'lost']),
      grade: z.enum(['consistent', 'crash-consistent', 'fuzzy']).nullable(),
      timestamp: z.string(),
      size_bytes: z.number().nullable(),
      verified_at: z.string().nullable(),
    }),
  ),
});
