import { medianOf } from './middle.ts';
import { sayAmount, sayHours } from './say.ts';
import { instantOf, pointsOf, type ResourceSeries } from './series.ts';
import { findTrend, type Points, type Trend, thinned } from './trend.ts';

export type ForecastState = 'fills' | 'grows' | 'no_trend' | 'falls' | 'too_little_data' | 'not_in_this_window';

/** Where a resource goes from here. */
export type Forecast = {
  readonly key: string;
  readonly resourceType: string;
  readonly unit: string;
  readonly state: ForecastState;
  readonly basis: 'trend' | 'quota window';
  readonly now: number | null;
  readonly limit: number | null;
  /** The slope, and between which it lies 95 of 100 times; null where none is told. */
  readonly perHour: { readonly low: number; readonly mid: number; readonly high: number } | null;
  /** When the limit is reached. `latestMs` null: at the slower slope it is not. */
  readonly reachedAtMs: number | null;
  readonly earliestMs: number | null;
  readonly latestMs: number | null;
  /** How the same method, told only the first three quarters, did on the last one; mean error, beside that of `no change`. */
  readonly holdOut: { readonly error: number; readonly errorOfNoChange: number; readonly points: number } | null;
  readonly message: string;
};

/** Where a line meets a limit; undefined when it does not rise. The one place that says so, for disks that fill and for all the rest. */
export function reachesAt(
  line: { readonly atMs: number; readonly value: number; readonly perMs: number },
  limit: number,
): number | undefined {
  return line.perMs <= 0 ? undefined : line.atMs + (limit - line.value) / line.perMs;
}

const hourMs = 3_600_000;
const fewestOfForecast = 24;
/** A day tells nothing of tomorrow but the day; of what piles up a quarter of it does. Hours. */
export const leastSpan = { stock: 6, level: 24, flow: 24, latency: 24 } as const;
/** Farther ahead than this is no forecast. */
const farthestMs = 5 * 365 * 24 * hourMs;
const enough = 0.01;

/**
 * When it is full, or why nobody can say. A trend is told only where chance makes none as steep, and where the line did better on what
 * was held out of it than `no change` does.
 */
export function forecastOf(series: ResourceSeries): Forecast {
  const { key, resourceType, unit, capacity } = series;
  const points = thinned(pointsOf(series));
  const nothing = {
    ...{ key, resourceType, unit, limit: capacity, now: points.values.length > 0 ? nowOf(points) : null },
    ...{ perHour: null, reachedAtMs: null, earliestMs: null, latestMs: null, holdOut: null },
    basis: 'trend' as const,
  };
  const least = leastSpan[series.kind];
  const span = (points.hours.at(-1) ?? 0) - (points.hours[0] ?? 0);
  const trend = findTrend(points);
  if (trend === undefined || points.values.length < fewestOfForecast || span < least)
    return {
      ...nothing,
      state: 'too_little_data',
      message: `Known for ${sayHours(span)} with ${points.values.length} points; a forecast takes ${least} h and ${fewestOfForecast}.`,
    };
  const holdOut = heldOut(points);
  const now = trend.atEnd;
  const pace = `${sayAmount(trend.perHour * 24, unit)} a day`;
  if (trend.p > enough || !holdOut || holdOut.error >= holdOut.errorOfNoChange)
    return {
      ...nothing,
      ...{ state: 'no_trend', holdOut: holdOut ?? null },
      message:
        trend.p > enough
          ? `No trend: chance makes one as steep in ${Math.round(100 * trend.p)} of 100 cases.`
          : 'No trend: the line of the first three quarters did no better on the last one than no change.',
    };
  const perHour = { low: trend.perHourLow, mid: trend.perHour, high: trend.perHourHigh };
  const told = { ...nothing, now, perHour, holdOut };
  if (trend.perHour < 0)
    return { ...told, state: 'falls', message: `It falls, by ${sayAmount(-trend.perHour * 24, unit)} a day.` };
  if (capacity === null) return { ...told, state: 'grows', message: `It grows by ${pace}; no limit of it is known.` };
  const atMs = instantOf(points.hours.at(-1) as number);
  const reach = (slope: number, off: number): number | null => {
    const found = reachesAt({ atMs, value: now + off, perMs: slope / hourMs }, capacity);
    return found === undefined || found - atMs > farthestMs ? null : Math.max(atMs, Math.round(found));
  };
  const reachedAtMs = reach(perHour.mid, 0);
  if (reachedAtMs === null)
    return { ...told, state: 'grows', message: `It grows by ${pace}; the limit is more than five years away.` };
  // Where the line stands now is uncertain too: a part of what points stray, more when there are few.
  const off = (2 * trend.spread) / Math.sqrt(Math.max(1, trend.points / 8));
  const earliestMs = reach(perHour.high, off);
  const latestMs = reach(perHour.low, -off);
  return {
    ...told,
    ...{ state: 'fills', reachedAtMs, earliestMs, latestMs },
    message: `It grows by ${pace} and reaches ${sayAmount(capacity, unit)} in ${sayHours((reachedAtMs - atMs) / hourMs)} (${sayHours(((earliestMs ?? reachedAtMs) - atMs) / hourMs)} to ${latestMs === null ? 'never' : sayHours((latestMs - atMs) / hourMs)}).`,
  };
}

const nowOf = ({ values }: Points): number => medianOf(values.slice(-3));

/** Fits the first three quarters and looks how far the last one lies from the line. */
function heldOut(points: Points): Forecast['holdOut'] | undefined {
  const n = points.values.length;
  const cut = Math.floor(0.75 * n);
  const known: Points = { hours: points.hours.slice(0, cut), values: points.values.slice(0, cut) };
  const trend: Trend | undefined = findTrend(known);
  if (!trend) return undefined;
  const last = known.hours[cut - 1] as number;
  // No change from where it stood, as the same line has it: of a day with a rhythm the last value alone would be at the mercy of the hour.
  const level = medianOf(known.values.slice(-Math.max(3, Math.floor(cut / 6))));
  let error = 0;
  let errorOfNoChange = 0;
  for (let i = cut; i < n; i += 1) {
    const value = points.values[i] as number;
    error += Math.abs(trend.atEnd + trend.perHour * ((points.hours[i] as number) - last) - value) / (n - cut);
    errorOfNoChange += Math.abs(level - value) / (n - cut);
  }
  return { error, errorOfNoChange, points: n - cut };
}
