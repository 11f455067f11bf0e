import type { PointStore, RecoveryPoint } from '../../backup/index.ts';
import type { CheckpointGraph } from './checkpoint.ts';

export type GraphName = { readonly id: string; readonly targetId: string; readonly workspace: string };

/** A point that is older than a workspace knows nothing of it. Without its manifest nobody can tell. */
const holds = ({ manifest }: RecoveryPoint, workspace: string): boolean =>
  manifest === null || manifest.target.workspaces.includes(workspace);

/**
 * The newest verified point that stands for a graph: of its whole target where it holds the graph, since only such a one can be
 * failed over to, else of the workspace alone. What a restore gave up stands for none.
 */
export async function findVerified(
  points: Pick<PointStore, 'newest'>,
  { targetId, workspace }: GraphName,
): Promise<RecoveryPoint | undefined> {
  const whole = await points.newest(targetId, 'wanted');
  return whole && holds(whole, workspace) ? whole : points.newest(targetId, 'wanted', workspace);
}

/** @param named what other checkpoints name: a pin of theirs is passed on to the one that lasts longer */
export const bindGraph = (
  graph: GraphName,
  point: RecoveryPoint,
  named: readonly CheckpointGraph[],
): CheckpointGraph => ({
  graphId: graph.id,
  targetId: graph.targetId,
  workspace: graph.workspace,
  pointId: point.id,
  takenMs: point.takenMs,
  pinnedHere: !point.pinned || named.some((one) => one.pointId === point.id && one.pinnedHere === true),
});
