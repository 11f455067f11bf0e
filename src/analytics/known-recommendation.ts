import { hashOf, isOver, type Look } from './known-pattern.ts';
import { type Priority, priorities, type Recommendation } from './recommendation.ts';

/** open → dismissed by somebody, or resolved when its cause is gone; dismissed → open by somebody, or when it becomes graver. */
export const recommendationStates = ['open', 'dismissed', 'resolved'] as const;
export type RecommendationState = (typeof recommendationStates)[number];

export type Dismissal = {
  readonly by: string;
  readonly reason: string;
  readonly atMs: number;
  readonly priority: Priority;
};

export type FoundRecommendation = Recommendation & { readonly id: string; readonly instance: string | null };

export type KnownRecommendation = FoundRecommendation & {
  readonly state: RecommendationState;
  readonly createdMs: number;
  readonly lastSeenMs: number;
  readonly resolvedMs: number | null;
  /** Stays with one that is resolved: if its cause comes back, it is still dismissed. */
  readonly dismissal: Dismissal | null;
};

export const recommendationId = (
  instance: string | null,
  { rule, key }: Pick<Recommendation, 'rule' | 'key'>,
): string => `rc_${hashOf(instance ?? '', rule, key)}`;

export const rankOf = (priority: Priority): number => priorities.indexOf(priority);

/**
 * What this look means for what was recommended before. What is found is open, unless somebody dismissed it when it was at least as grave;
 * what is not found for an hour has resolved itself.
 */
export function decideRecommendations(
  known: readonly KnownRecommendation[],
  found: readonly FoundRecommendation[],
  look: Look,
): KnownRecommendation[] {
  const { nowMs } = look;
  const before = new Map(known.map((one) => [one.id, one]));
  const changed = found.map((one): KnownRecommendation => {
    const last = before.get(one.id);
    const dismissal =
      last?.dismissal && rankOf(one.priority) <= rankOf(last.dismissal.priority) ? last.dismissal : null;
    const anew = last === undefined || last.state === 'resolved';
    return {
      ...{ ...one, dismissal, lastSeenMs: nowMs, resolvedMs: null },
      state: dismissal ? 'dismissed' : 'open',
      createdMs: anew ? nowMs : last.createdMs,
    };
  });
  const seen = new Set(found.map(({ id }) => id));
  for (const one of known)
    if (one.state !== 'resolved' && !seen.has(one.id) && isOver(one, look))
      changed.push({ ...one, state: 'resolved', resolvedMs: nowMs });
  return changed;
}
