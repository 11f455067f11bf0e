import { isAheadOfClock, isRestorable, newestFirstAt, type RecoveryPoint } from './point.ts';

const dayMs = 86_400_000;

export type RetentionPolicy = {
  /** Every point is kept this many days; 0 keeps all for ever. */
  readonly retentionDays: number;
  /** Then the last of each day until this age. */
  readonly dailyRetentionDays: number;
};

export type RetentionItem = {
  readonly point: RecoveryPoint;
  readonly action: 'keep' | 'forget';
  readonly reason: string;
  /** Why it stays however old it gets; absent where nothing but its age keeps it. */
  readonly protection?: string;
};

/** Until then it stays, if nothing keeps it longer. Null: for ever. */
export const keptUntilMs = (point: RecoveryPoint, policy: RetentionPolicy): number | null =>
  policy.retentionDays <= 0 ? null : point.takenMs + policy.retentionDays * dayMs;

/**
 * What stays and what goes, with a reason for each; nothing is done here. Points of the whole target and of each single workspace
 * are counted apart: none of them stands for another. The newest point that is complete and verified
 * always stays, and so does the newest of all, and whatever is pinned. What is misdated is none of these; while its date is ahead of
 * the clock it stays, because nobody knows its age, and then it is at least as old as its date says. Days are UTC.
 * @param points of one target, any order; only those that exist count
 * @returns newest first
 */
export function planRetention(
  points: readonly RecoveryPoint[],
  policy: RetentionPolicy,
  nowMs: number,
): RetentionItem[] {
  const kinds = Map.groupBy(points.filter(isRestorable), (point) => point.workspace);
  const newestFirst = newestFirstAt(nowMs);
  return [...kinds.values()]
    .flatMap((alike) => planOfKind(alike, policy, nowMs))
    .sort((a, b) => newestFirst(a.point, b.point));
}

function planOfKind(points: readonly RecoveryPoint[], policy: RetentionPolicy, nowMs: number): RetentionItem[] {
  const existing = [...points].sort(newestFirstAt(nowMs));
  const newest = existing[0];
  const newestGood = existing.find((point) => point.status === 'success' && point.verifiedMs !== null);
  const lastOfDay = new Map<number, RecoveryPoint>();
  for (const point of existing) {
    const day = Math.floor(point.takenMs / dayMs);
    if (!lastOfDay.has(day)) lastOfDay.set(day, point);
  }
  return existing.map((point): RetentionItem => {
    const ageDays = (nowMs - point.takenMs) / dayMs;
    const keep = (reason: string): RetentionItem => ({ point, action: 'keep', reason });
    if (point.pinned) return { ...keep('pinned'), protection: 'it is pinned' };
    if (point === newestGood)
      return {
        ...keep('the newest point that is complete and verified'),
        protection: 'it is the newest that is complete and verified',
      };
    if (point === newest) return { ...keep('the newest point'), protection: 'it is the newest' };
    if (isAheadOfClock(point, nowMs)) return keep('dated in the future by a clock that was wrong; forget it yourself');
    if (policy.retentionDays <= 0) return keep('retention is switched off');
    if (ageDays < policy.retentionDays) return keep(`younger than ${policy.retentionDays} days`);
    if (ageDays < policy.dailyRetentionDays && lastOfDay.get(Math.floor(point.takenMs / dayMs)) === point)
      return keep(`the last of its day, younger than ${policy.dailyRetentionDays} days`);
    return {
      point,
      action: 'forget',
      reason:
        ageDays < policy.dailyRetentionDays
          ? `older than ${policy.retentionDays} days and not the last of its day`
          : `older than ${Math.max(policy.retentionDays, policy.dailyRetentionDays)} days`,
    };
  });
}
