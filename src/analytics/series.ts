import type { Points } from './trend.ts';

/**
 * What the numbers are. `level`: held at a moment, goes up and down. `stock`: piles up until somebody clears it. `flow`: how much passed,
 * in units per hour. `latency`: how long something took; there is no capacity for it and nothing to waste.
 */
export type SeriesKind = 'level' | 'stock' | 'flow' | 'latency';

/** One resource over the window that is looked at. */
export type ResourceSeries = {
  /** `memory`, `storage:default/files`, `metric:queue_depth{worker="a"}`. */
  readonly key: string;
  readonly resourceType: string;
  readonly metric: string;
  readonly unit: string;
  readonly kind: SeriesKind;
  /** What is provided of it; null where nobody knows. */
  readonly capacity: number | null;
  /** Whether what is not used could be given back. */
  readonly mayBeSpare: boolean;
  /** Several figures of one thing: that they move together says nothing. */
  readonly family: string;
  readonly stepMs: number;
  /** Begins of steps, and the mean of each; of a flow its pace in units per hour. */
  readonly times: readonly number[];
  readonly values: readonly (number | null)[];
  /** The highest single value of each step, where it is known beside the means: what is short stands out of these alone. */
  readonly tops: readonly (number | null)[] | null;
  /** The highest single value where it is known beside the means. */
  readonly highest: number | null;
  /** One thing for all instances that share a state, as a quota or a backend is; otherwise each instance has its own. */
  readonly isShared: boolean;
};

const hourMs = 3_600_000;

/** What is known of it, in hours since the epoch, so that the hour of the day can be read from them; the middle of each step. */
export function pointsOf({ times, values, stepMs }: Pick<ResourceSeries, 'times' | 'values' | 'stepMs'>): Points {
  const points = { hours: [] as number[], values: [] as number[] };
  for (const [i, value] of values.entries())
    if (value !== null) {
      points.hours.push(((times[i] as number) + stepMs / 2) / hourMs);
      points.values.push(value);
    }
  return points;
}

export const instantOf = (hours: number): number => Math.round(hours * hourMs);

/** On whole hours, for comparisons; the mean of what an hour has. Undefined where the steps are longer. */
export function hourly({ times, values, stepMs }: ResourceSeries): (number | null)[] | undefined {
  if (stepMs > hourMs) return undefined;
  const first = Math.floor((times[0] ?? 0) / hourMs);
  const sums: { sum: number; count: number }[] = [];
  for (const [i, value] of values.entries()) {
    const hour = Math.floor((times[i] as number) / hourMs) - first;
    sums[hour] ??= { sum: 0, count: 0 };
    if (value === null) continue;
    (sums[hour] as { sum: number; count: number }).sum += value;
    (sums[hour] as { sum: number; count: number }).count += 1;
  }
  // The first and the last hour are seldom whole.
  return sums.map((one, hour) =>
    hour === 0 || hour === sums.length - 1 || one.count === 0 ? null : one.sum / one.count,
  );
}
