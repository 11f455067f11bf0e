import { isAheadOfClock, newestFirstAt, type RecoveryPoint } from '../backup/index.ts';
import type { Copy } from './replica.ts';

export type ReplicaLag = {
  /** 0 when the newest point is there; else how long the oldest newer one has waited since it was taken. Null: nothing to copy. */
  readonly lagMs: number | null;
  /** Points that are not there. */
  readonly points: number;
  /** What they take in the repository, as far as that is known; else what they protect. */
  readonly bytes: number;
  readonly newestThereMs: number | null;
  readonly newestTherePointId: string | null;
};

type Known = Pick<RecoveryPoint, 'id' | 'takenMs' | 'storedBytes' | 'logicalBytes'>;

/** @param points those that shall be there, of one target, in any order */
export function measureLag(
  points: readonly Known[],
  copies: readonly Pick<Copy, 'pointId' | 'takenMs'>[],
  nowMs: number,
): ReplicaLag {
  const there = new Set(copies.map(({ pointId }) => pointId));
  const missing = points.filter(({ id }) => !there.has(id));
  const newestFirst = newestFirstAt(nowMs);
  const [newest] = copies.map(({ pointId: id, takenMs }) => ({ id, takenMs })).sort(newestFirst);
  // How long one has waited that is dated ahead of the clock, nobody knows.
  const waiting = missing.filter(
    (one) => !isAheadOfClock(one, nowMs) && (newest === undefined || newestFirst(one, newest) < 0),
  );
  return {
    lagMs:
      points.length === 0
        ? null
        : waiting.length === 0
          ? 0
          : Math.max(0, nowMs - Math.min(...waiting.map(({ takenMs }) => takenMs))),
    points: missing.length,
    bytes: missing.reduce((sum, one) => sum + (one.storedBytes ?? one.logicalBytes), 0),
    newestThereMs: newest?.takenMs ?? null,
    newestTherePointId: newest?.id ?? null,
  };
}
