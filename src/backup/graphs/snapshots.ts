import { AppError } from '../../platform/errors.ts';
import type { BackupDeps } from '../backup-deps.ts';
import { isPointId, isRestorable, type RecoveryPoint } from '../point.ts';
import { planRetention, type RetentionPolicy } from '../retention.ts';
import { type Graph, graphsOf, requireGraph } from './graph.ts';
import { findPart, type WorkspacePart } from './part.ts';

/** One workspace's part of a recovery point. */
export type Snapshot = { readonly graph: Graph; readonly point: RecoveryPoint; readonly part: WorkspacePart };

export type Snapshots = {
  /** Every workspace that has data now, is configured, or is in a point. */
  graphs(): Promise<readonly Graph[]>;
  /** @throws AppError `target/unknown` */
  requireGraph(id: string): Promise<Graph>;
  /** The graph of a workspace by its own name. @throws AppError `target/unknown` */
  requireWorkspace(targetId: string, workspace: string): Promise<Graph>;
  /** Newest first; those that exist, that are being taken, and that failed. */
  list(graph: Graph): Promise<readonly Snapshot[]>;
  /** @throws AppError `backup/invalid-id`, `backup/unknown-point` */
  require(graph: Graph, snapshotId: string): Promise<Snapshot>;
  /**
   * What goes when this snapshot is deleted is the whole point.
   * @throws AppError `conflict/state` when it is pinned, the newest good one, or holds other workspaces too; not with `force`
   */
  requireDeletable(snapshot: Snapshot, force: boolean): Promise<void>;
};

const everyRow = 100_000;

export function createSnapshots(
  deps: Pick<BackupDeps, 'points' | 'requireTarget' | 'clock'> & {
    readonly targetIds: readonly string[];
    readonly policy: RetentionPolicy;
  },
): Snapshots {
  const { points, clock } = deps;

  /** What was deleted by accident is what somebody wants back: points are asked too. */
  const workspacesOf = async (targetId: string): Promise<string[]> => {
    const [newest, alone] = await Promise.all([points.newest(targetId), points.workspaces(targetId)]);
    const named = [
      ...deps.requireTarget(targetId).workspaces(),
      ...(newest?.manifest?.target.workspaces ?? []),
      ...alone,
    ];
    return [...new Set(named)].sort();
  };

  const findGraph = async (id: string): Promise<Graph> => {
    const targetId = id.split(':', 1)[0] ?? '';
    const workspaces = deps.targetIds.includes(targetId) ? await workspacesOf(targetId) : undefined;
    return requireGraph(id, () => workspaces);
  };

  const snapshotOf = (graph: Graph, point: RecoveryPoint): Snapshot[] => {
    const part = findPart(point, graph.workspace);
    return part ? [{ graph, point, part }] : [];
  };

  return {
    async graphs() {
      const found: Graph[] = [];
      for (const targetId of deps.targetIds) found.push(...graphsOf(targetId, await workspacesOf(targetId)));
      return found;
    },
    requireGraph: findGraph,
    requireWorkspace: (targetId, workspace) => findGraph(`${targetId}:${workspace}`),
    async list(graph) {
      const rows = await points.list({ targetId: graph.targetId, workspace: graph.workspace, limit: everyRow });
      return rows.flatMap((point) => snapshotOf(graph, point));
    },
    async require(graph, snapshotId) {
      if (!isPointId(snapshotId))
        throw new AppError('backup/invalid-id', 'Ids of snapshots look like backup_20261122_093000_x7k2.');
      const point = await points.find(snapshotId);
      const [found] = point?.targetId === graph.targetId && point.forgottenMs === null ? snapshotOf(graph, point) : [];
      if (!found) throw new AppError('backup/unknown-point', `${graph.id} has no snapshot ${snapshotId}.`);
      return found;
    },
    async requireDeletable({ graph, point }, force) {
      if (!isRestorable(point))
        throw new AppError(
          'conflict/state',
          `${point.id} does not exist in the repository; there is nothing to delete.`,
        );
      if (force) return;
      const rows = await points.list({
        targetId: graph.targetId,
        series: point.workspace,
        statuses: ['success', 'partial'],
        limit: everyRow,
      });
      const kept = planRetention(rows, deps.policy, clock.now()).find((item) => item.point.id === point.id);
      const others = (point.manifest?.target.workspaces ?? []).filter((name) => name !== graph.workspace);
      const reason =
        kept?.protection ??
        (point.workspace === null && others.length > 0
          ? `it holds ${others.length === 1 ? 'another workspace' : `${others.length} other workspaces`} as well`
          : undefined);
      if (reason !== undefined)
        throw new AppError('conflict/state', `${point.id} is not deleted: ${reason}. With \`force\` it is.`);
    },
  };
}
