import { newestFirstAt, type RecoveryPoint } from '../backup/index.ts';
import { refusePoint } from './plan-sync.ts';
import type { ReplicationDeps } from './replication-deps.ts';

/** Points that shall be at every replica, newest first, and those that are not handed on. */
export async function wantedPoints(
  { points, targetIds, clock }: Pick<ReplicationDeps, 'points' | 'targetIds' | 'clock'>,
  ofTarget?: string,
): Promise<{ wanted: RecoveryPoint[]; refused: { point: RecoveryPoint; reason: string }[] }> {
  const wanted: RecoveryPoint[] = [];
  const refused: { point: RecoveryPoint; reason: string }[] = [];
  for (const targetId of ofTarget === undefined ? targetIds : [ofTarget])
    for (const point of await points.list({ targetId, statuses: ['success', 'partial'], limit: 100_000 })) {
      const reason = refusePoint(point);
      if (reason === undefined) wanted.push(point);
      else refused.push({ point, reason });
    }
  return { wanted: wanted.sort(newestFirstAt(clock.now())), refused };
}
