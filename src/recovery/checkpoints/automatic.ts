import { type Checkpoint, type CheckpointGraph, pointsOf } from './checkpoint.ts';

/** A graph with the verified point that would stand for it, and whether that is pinned. */
export type OfferedGraph = { readonly graph: CheckpointGraph; readonly pinned: boolean };

/** What is known when it is decided whether a checkpoint of a target is made by itself. */
export type AutomaticFacts = {
  readonly targetId: string;
  /** How many are kept; 0: none is made. */
  readonly keep: number;
  readonly intervalMs: number;
  /** When one was last made so; null: never. */
  readonly lastMs: number | null;
  /** When the oldest point that there is was taken. */
  readonly oldestMs: number | null;
  /** When it was first seen that both lie in the future; null: not so. */
  readonly noticedMs?: number | null;
  /** What one would name now: the graphs with a verified point. Need not be known before one is due. */
  readonly offered: readonly OfferedGraph[];
  readonly present: readonly Checkpoint[];
  readonly nowMs: number;
};

export type AutomaticPlan = {
  readonly make: boolean;
  /** Null: not before something else changes, which the reason tells. */
  readonly nextMs: number | null;
  /** Why there is none to wait for; null while one is. */
  readonly reason: string | null;
};

/** From where the interval counts. One in the future was written before the clock was set back, and counts from when that was seen. */
export const sinceOf = (facts: Pick<AutomaticFacts, 'lastMs' | 'oldestMs' | 'noticedMs' | 'nowMs'>): number | null => {
  const { lastMs, oldestMs, noticedMs, nowMs } = facts;
  const sinceMs = lastMs ?? oldestMs;
  return sinceMs === null || sinceMs <= nowMs ? sinceMs : Math.min(noticedMs ?? nowMs, nowMs);
};

/**
 * One interval after the last one that was made so, whoever was away meanwhile: missed ones are one. The first comes an interval after
 * the first point. What is due and has nothing new to name waits until there is.
 */
export function decideAutomatic(facts: AutomaticFacts): AutomaticPlan {
  const { targetId, keep, intervalMs, offered, nowMs } = facts;
  const none = (reason: string): AutomaticPlan => ({ make: false, nextMs: null, reason });
  if (keep === 0) return none('None is made by itself: recovery.automatic_checkpoints is 0.');
  const sinceMs = sinceOf(facts);
  const nextMs = sinceMs === null ? null : sinceMs + intervalMs;
  if (nextMs !== null && nextMs > nowMs) return { make: false, nextMs, reason: null };
  if (offered.length === 0 || nextMs === null) return none(`There is no verified point of ${targetId}.`);
  const keeper = facts.present.find((one) => offered.every((graph) => keeps(one, graph)));
  if (keeper) return none(`${keeper.id} keeps the newest verified point of ${targetId} already.`);
  return { make: true, nextMs, reason: null };
}

/** One that a kill kept from pinning its points keeps nothing. */
const keeps = ({ graphs }: Checkpoint, { graph, pinned }: OfferedGraph): boolean =>
  pinned && graphs.some(({ graphId, pointId }) => graphId === graph.graphId && pointId === graph.pointId);

/**
 * Of those that were made by themselves, what is given up: the oldest above the cap. What a failover or a drill works with stays until
 * that is over, and what somebody made is none of them.
 * @param present newest first
 * @param inUse   ids of checkpoints and of points
 */
export function planGivingUp(present: readonly Checkpoint[], keep: number, inUse: ReadonlySet<string>): Checkpoint[] {
  if (keep === 0) return [];
  return present
    .filter(({ cause }) => cause === 'scheduled')
    .slice(keep)
    .filter((one) => !inUse.has(one.id) && !pointsOf(one).some((pointId) => inUse.has(pointId)));
}
