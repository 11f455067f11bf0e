import type { AlertRule, Anomaly } from './alert-rule.ts';
import type { Reading } from './reading.ts';
import { shortNumber } from './short-number.ts';

/** What a series was like: where its windows lay, and how far they strayed. */
export type Usual = {
  readonly median: number;
  /** As a standard deviation, of what outliers do not move. */
  readonly spread: number;
  readonly windows: number;
};

/** With fewer windows of past nothing can be said to be unusual. */
export const fewestWindows = 20;
/** What never moved has no spread, and whatever it does then is this unusual. */
const mostScore = 1_000;
/** Times the median of distances, or their mean: the standard deviation, where values are spread like a bell. */
const ofMedian = 1.4826;
const ofMean = 1.2533;

/**
 * Median, and median distance from it (MAD): half of the past may be broken without either moving far, which mean and standard deviation
 * cannot. Where more than half of the past is one value the mean distance takes its place. Undefined for fewer than `fewestWindows`.
 */
export function findUsual(values: readonly number[]): Usual | undefined {
  const windows = values.length;
  if (windows < fewestWindows) return undefined;
  const sorted = Float64Array.from(values).sort();
  const median = middleOf(sorted);
  const distances = sorted.map((value) => Math.abs(value - median)).sort();
  const mad = middleOf(distances);
  const spread = mad > 0 ? ofMedian * mad : (ofMean * distances.reduce((sum, one) => sum + one, 0)) / windows;
  return { median, spread, windows };
}

function middleOf(sorted: Float64Array): number {
  const at = Math.floor(sorted.length / 2);
  const upper = sorted[at] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[at - 1] ?? upper) + upper) / 2;
}

/** How many spreads a value lies from what is usual, in the direction that counts; 0 for what lies no further than `least_difference`. */
export function scoreOf({ direction, leastDifference }: Anomaly, value: number, { median, spread }: Usual): number {
  const difference = value - median;
  const counted = direction === 'both' ? Math.abs(difference) : direction === 'above' ? difference : -difference;
  if (!(counted > leastDifference)) return 0;
  return spread === 0 ? mostScore : Math.min(mostScore, counted / spread);
}

/** The same with words for people: a score alone says too little. */
export const readingOf = (rule: AlertRule & { readonly anomaly: Anomaly }, of: Reading, usual: Usual): Reading => ({
  labels: of.labels,
  value: scoreOf(rule.anomaly, of.value, usual),
  detail: `${shortNumber(of.value)}, usually ${shortNumber(usual.median)} ± ${shortNumber(usual.spread)}`,
});

/** How far from the same time of an earlier season still is the same time. */
const nearShare = 1 / 48;

/** The part of the past that is compared: whole windows as long as that of the rule, before the window that is judged. */
export type Past = { readonly fromMs: number; readonly endMs: number; readonly stepMs: number };

/** Moves by whole windows, so that what is usual is made once per window and not at each evaluation. */
export function pastOf({ windowMs }: AlertRule, { baselineMs }: Anomaly, nowMs: number): Past {
  const endMs = Math.floor((nowMs - windowMs) / windowMs) * windowMs;
  return { fromMs: endMs - Math.floor(baselineMs / windowMs) * windowMs, endMs, stepMs: windowMs };
}

/**
 * Values of that past, without gaps; with a season those at the same time of earlier ones.
 * @param times begin of each window
 */
export function valuesOf(
  { seasonMs }: Anomaly,
  past: Past,
  times: readonly number[],
  values: readonly (number | null)[],
): number[] {
  const nearMs = seasonMs === undefined ? 0 : Math.max(2 * past.stepMs, seasonMs * nearShare);
  const found: number[] = [];
  for (const [at, timeMs] of times.entries()) {
    const value = values[at];
    if (value === null || value === undefined || timeMs < past.fromMs || timeMs >= past.endMs) continue;
    if (seasonMs !== undefined) {
      const agoMs = past.endMs - timeMs;
      const offMs = agoMs % seasonMs;
      // This season's own past is not compared: what is unusual has begun in it.
      if (agoMs < seasonMs - nearMs || Math.min(offMs, seasonMs - offMs) > nearMs) continue;
    }
    found.push(value);
  }
  return found;
}
