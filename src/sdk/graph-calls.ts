import type { StartOptions } from './operation-calls.ts';
import { type Call, type CallOptions, pathPart, type Transport } from './transport.ts';
import type {
  BackupsSummaryBody,
  CleanupBody,
  DoneBody,
  GraphScheduleBody,
  GraphStatsBody,
  RestorePlan,
  Snapshot,
} from './wire.ts';

/** Work whose answer the server holds back until it is done, so many seconds at most. */
export type WorkOptions = StartOptions & { readonly waitSeconds?: number };

/**
 * Snapshots of graphs: the parts of recovery points that belong to one workspace.
 * A graph is called by its target, or `target:workspace` where the target has several.
 */
export function createGraphCalls({ send }: Transport) {
  // The server checks every answer against the schema that these types are made of.
  const ask = async <T>(path: string, call?: Call): Promise<T> => (await send(path, call)) as T;
  const below = '/api/v1/backup-replication/backup';
  const snapshots = (graphId: string): string => `${below}/graphs/${pathPart(graphId)}/snapshots`;
  const snapshot = (graphId: string, id: string): string => `${snapshots(graphId)}/${pathPart(id)}`;
  return {
    /**
     * Begins a snapshot of one graph; without `waitSeconds` it answers while that goes on.
     * @throws RagwardenError `target/unknown`, `target/foreign-path`, `operation/busy`, or what ended the work
     */
    create: async (
      graphId: string,
      {
        sourceDir,
        metadata,
        ...call
      }: WorkOptions & { sourceDir?: string; metadata?: Readonly<Record<string, unknown>> } = {},
    ) => ask<Snapshot>(snapshots(graphId), { ...call, method: 'POST', body: { source_dir: sourceDir, metadata } }),
    /** Newest first, with those that failed. @throws RagwardenError `target/unknown` */
    list: async (graphId: string, call?: CallOptions) => ask<Snapshot[]>(snapshots(graphId), call),
    /** @throws RagwardenError `target/unknown`, `backup/unknown-point` */
    get: async (graphId: string, snapshotId: string, call?: CallOptions) =>
      ask<Snapshot>(snapshot(graphId, snapshotId), call),
    /** What a restore of it would do; changes nothing. */
    planRestore: async (
      graphId: string,
      snapshotId: string,
      { targetDir, asWorkspace, ...call }: CallOptions & { targetDir?: string; asWorkspace?: string } = {},
    ) =>
      ask<RestorePlan>(`${snapshot(graphId, snapshotId)}/restore`, {
        ...call,
        method: 'POST',
        body: { plan_only: true, target_dir: targetDir, as_workspace: asWorkspace },
      }),
    /**
     * Begins a restore of this graph alone: over what lives, or into a new folder below `backup.allowed_roots`.
     * @throws RagwardenError `conflict/confirmation-required` in place without `confirm: true`, `target/foreign-path`,
     *   `restore/blocked`, or what ended the work
     */
    restore: async (
      graphId: string,
      snapshotId: string,
      {
        targetDir,
        asWorkspace,
        confirm,
        planId,
        ...call
      }: WorkOptions & { targetDir?: string; asWorkspace?: string; confirm?: boolean; planId?: string } = {},
    ) =>
      ask<DoneBody>(`${snapshot(graphId, snapshotId)}/restore`, {
        ...call,
        method: 'POST',
        body: { target_dir: targetDir, as_workspace: asWorkspace, confirm, plan_id: planId },
      }),
    /**
     * Deletes the recovery point that it is part of.
     * @throws RagwardenError `conflict/state` when it is pinned, the newest good one, or holds other graphs; not with `force`
     */
    delete: async (graphId: string, snapshotId: string, { force, ...call }: WorkOptions & { force?: boolean } = {}) =>
      ask<DoneBody>(snapshot(graphId, snapshotId), { ...call, method: 'DELETE', query: { force } }),
    /** Deletes what retention does not keep. */
    cleanup: (call?: WorkOptions) => ask<CleanupBody>(`${below}/cleanup`, { ...call, method: 'POST' }),
    stats: (call?: CallOptions) => ask<GraphStatsBody>(`${below}/stats`, call),
    /** How often it is taken, and when next. */
    schedule: async (graphId: string, call?: CallOptions) =>
      ask<GraphScheduleBody>(`${below}/schedule/${pathPart(graphId)}`, call),
    /** Takes it more often than its target; `frequencySeconds` null: with its target again. */
    setSchedule: (graphId: string, { frequencySeconds, ...call }: CallOptions & { frequencySeconds: number | null }) =>
      ask<GraphScheduleBody>(`${below}/schedule`, {
        ...call,
        method: 'POST',
        body:
          frequencySeconds === null
            ? { graph_id: graphId, enabled: false }
            : { graph_id: graphId, frequency_seconds: frequencySeconds },
      }),
    /** Recent backups at a glance. */
    summary: (call?: CallOptions) => ask<BackupsSummaryBody>('/api/v1/health-dashboard/backups/summary', call),
  };
}
