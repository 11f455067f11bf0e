import { believedMs } from '../backup/index.ts';

/** How many copies of the newest point there shall be, and where. */
export type PlacementRule = {
  readonly copies: number;
  readonly zones: number;
  readonly offline: boolean;
  /** Where the repository itself lies. */
  readonly zone: string | null;
  readonly withinMs: number;
  readonly offlineWithinMs: number;
};

export type PlacedCopy = {
  readonly replicaId: string;
  readonly zone: string | null;
  readonly offline: boolean;
  /** When the newest point that lies there was taken; null: none. */
  readonly newestTakenMs: number | null;
  /** What was found damaged, or cannot be reached, is no copy to count on. */
  readonly sound: boolean;
};

export type PlacementVerdict = {
  readonly met: boolean;
  readonly copies: number;
  readonly zones: number;
  readonly offline: boolean;
  /** One sentence for each thing that is missing. */
  readonly missing: readonly string[];
};

/**
 * A replica counts when it is sound and holds the newest point that is old enough to be asked for; an offline one when the newest
 * that it holds is not older than `offlineWithinMs`. The repository itself is one copy. Without any point the rule is not asked.
 * What is dated ahead of the clock is older than anything (`believedMs`), and asked for where there is nothing else.
 * @param takenMs when the verified points of the target were taken
 */
export function decidePlacement(
  rule: PlacementRule,
  facts: {
    readonly takenMs: readonly number[];
    readonly replicas: readonly PlacedCopy[];
    readonly sourceSound: boolean;
  },
  nowMs: number,
): PlacementVerdict {
  const believed = (takenMs: number): number => believedMs({ takenMs }, nowMs);
  const due = facts.takenMs.map(believed).filter((taken) => nowMs - taken >= rule.withinMs);
  // Before the first point is old enough nothing is late.
  const askedMs = due.length === 0 ? null : Math.max(...due);
  const holds = ({ newestTakenMs, offline }: PlacedCopy): boolean => {
    if (askedMs === null) return true;
    if (newestTakenMs === null) return false;
    return believed(newestTakenMs) >= (offline ? Math.min(askedMs, nowMs - rule.offlineWithinMs) : askedMs);
  };
  const good = facts.replicas.filter((one) => one.sound && holds(one));
  const places = [
    ...(facts.sourceSound ? [{ zone: rule.zone ?? 'here', offline: false }] : []),
    ...good.map(({ zone, offline, replicaId }) => ({ zone: zone ?? `of ${replicaId}`, offline })),
  ];
  const zones = new Set(places.map(({ zone }) => zone)).size;
  const offline = places.some((one) => one.offline);
  if (askedMs === null) return { met: true, copies: places.length, zones, offline, missing: [] };
  const missing = [
    ...(places.length < rule.copies
      ? [`${places.length} of ${rule.copies} copies hold the newest point that is due.`]
      : []),
    ...(zones < rule.zones ? [`The copies lie in ${zones} of ${rule.zones} zones.`] : []),
    ...(rule.offline && !offline ? ['No copy that lies offline is new enough.'] : []),
  ];
  return { met: missing.length === 0, copies: places.length, zones, offline, missing };
}
