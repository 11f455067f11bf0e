import { isMisdated, isOutOfOrder, newestFirstAt, type RecoveryPoint } from '../backup/index.ts';
import type { Copy } from './replica.ts';

export type ReplicaLag = {
  /** 0 when the newest point is there; else how long the oldest newer one has waited since it was taken. Null: nothing to copy, or nobody knows. */
  readonly lagMs: number | null;
  /** Points that are not there. */
  readonly points: number;
  /** What they take in the repository, as far as that is known; else what they protect. */
  readonly bytes: number;
  readonly newestThereMs: number | null;
  readonly newestTherePointId: string | null;
};

type Known = Pick<RecoveryPoint, 'id' | 'takenMs' | 'misdated' | 'inOrder' | 'storedBytes' | 'logicalBytes'>;

/** @param points those that shall be there, of one target, in any order */
export function measureLag(
  points: readonly Known[],
  copies: readonly Pick<Copy, 'pointId' | 'takenMs'>[],
  nowMs: number,
): ReplicaLag {
  const there = new Set(copies.map(({ pointId }) => pointId));
  const missing = points.filter(({ id }) => !there.has(id));
  const known = new Map(points.map((one) => [one.id, one]));
  const newestFirst = newestFirstAt(nowMs);
  const [newest] = copies.map(({ pointId: id, takenMs }) => known.get(id) ?? { id, takenMs }).sort(newestFirst);
  const newer = missing.filter((one) => newest === undefined || newestFirst(one, newest) < 0);
  // How long one has waited that is misdated, nobody knows, also where its place among the others is known.
  const waiting = newer.filter((one) => !isMisdated(one, nowMs));
  const noOrder = missing.length > 0 && newest !== undefined && isOutOfOrder(newest, nowMs);
  const unknown = waiting.length === 0 && (newer.length > 0 || noOrder);
  return {
    lagMs:
      points.length === 0 || unknown
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
