import { shareOf } from './middle.ts';
import { pointsOf, type ResourceSeries } from './series.ts';
import { fewestPoints, findTrend, type Trend } from './trend.ts';

/** How a resource was used over a window. Null is what has no meaning for it. */
export type Profile = {
  readonly series: ResourceSeries;
  readonly fromMs: number;
  readonly toMs: number;
  readonly points: number;
  /** Of a flow what passed; of everything else the area below it, in unit hours. */
  readonly total: number;
  readonly totalUnit: string;
  readonly peak: number;
  readonly average: number;
  /** Of the means of the steps. */
  readonly variance: number;
  readonly p95: number;
  readonly growthPerHour: number;
  readonly provided: number | null;
  readonly providedBasis: 'capacity' | 'peak' | null;
  readonly efficiency: number | null;
  readonly wastePercent: number | null;
  readonly trend: Trend | undefined;
};

export type Unprofiled = {
  readonly key: string;
  readonly resourceType: string;
  readonly points: number;
  readonly reason: string;
};

const hourMs = 3_600_000;

/** Below this the 99th of 100 steps is the highest one, and one peak alone is no measure. */
const fewestOfProvided = 101;

/**
 * Efficiency is the average as a share of what is provided, waste what 95 of 100 steps left of it. Provided is the capacity, where it is
 * known; else the 99th of 100 steps, since whoever runs it must provide for its peaks, and null where there are not so many.
 * @returns why there is no profile, for fewer than ten steps with values: no number is made of nothing
 */
export function profileOf(series: ResourceSeries): Profile | Unprofiled {
  const points = pointsOf(series);
  const count = points.values.length;
  if (count < fewestPoints)
    return {
      ...{ key: series.key, resourceType: series.resourceType, points: count },
      reason: `${count} of at least ${fewestPoints} steps of ${series.stepMs / 60_000} min have values.`,
    };
  const { kind, stepMs, capacity } = series;
  const stepHours = stepMs / hourMs;
  let sum = 0;
  for (const value of points.values) sum += value;
  const average = sum / count;
  let variance = 0;
  for (const value of points.values) variance += (value - average) ** 2 / count;
  const sorted = Float64Array.from(points.values).sort();
  const p95 = shareOf(sorted, 0.95);
  const highest = sorted[count - 1] as number;
  const trend = findTrend(points);
  const ofPeaks = count < fewestOfProvided ? null : Math.max(shareOf(sorted, 0.99), 0);
  const provided = kind === 'latency' ? null : (capacity ?? ofPeaks);
  const isShare = provided !== null && provided > 0;
  return {
    ...{ series, points: count, average, variance, p95, trend, total: sum * stepHours },
    totalUnit: kind === 'flow' ? series.unit : `${series.unit} hours`,
    fromMs: Math.round((points.hours[0] as number) * hourMs - stepMs / 2),
    toMs: Math.round((points.hours[count - 1] as number) * hourMs + stepMs / 2),
    peak: Math.max(highest, series.highest ?? highest),
    growthPerHour: trend?.perHour ?? 0,
    provided: isShare ? provided : null,
    providedBasis: isShare ? (capacity === null ? 'peak' : 'capacity') : null,
    efficiency: isShare ? clamp(average / provided) : null,
    wastePercent: isShare ? 100 * clamp(1 - p95 / provided) : null,
  };
}

const clamp = (share: number): number => Math.min(1, Math.max(0, share));

export const isProfile = (one: Profile | Unprofiled): one is Profile => 'series' in one;
