import { setImmediate } from 'node:timers/promises';
import type { Forecast, ResourceSeries, WindowOfSeries } from '../analytics/index.ts';
import type { Database } from '../platform/database/index.ts';
import { denies, type PastPeriod, periodMs, type Quota, readGreatest, readUsage } from '../quotas/index.ts';

/** Of longer ones no window that is looked at has ten, of a second one nobody keeps them. */
const lookedAt: readonly Quota['period'][] = ['minute', 'hour', 'day'];

/** How quotas were used, and what each says itself of its present window; when there are `most` series no further quota is read. */
export async function readQuotaFacts(
  db: Database,
  quotas: readonly Quota[],
  window: WindowOfSeries,
  { nowMs, most }: { readonly nowMs: number; readonly most: number },
): Promise<{ series: ResourceSeries[]; forecasts: Forecast[]; leftOut: number }> {
  const facts = { series: [] as ResourceSeries[], forecasts: [] as Forecast[], leftOut: 0 };
  for (const quota of quotas) {
    if (!quota.enabled) continue;
    if (facts.series.length >= most) {
      facts.leftOut += 1;
      continue;
    }
    // SQLite reads on this thread: others have their turn between two quotas.
    await setImmediate();
    const [fullest] = (await readUsage(db, quota, { nowMs, limit: 1 })).buckets;
    if (fullest?.forecast) facts.forecasts.push(windowForecast(quota, fullest.total, fullest.forecast));
    // What comes back bit by bit, or never, has no windows.
    if (quota.window === 'sliding' || !lookedAt.includes(quota.period)) continue;
    const past = await readGreatest(db, quota, { fromMs: beginOf(quota, window), nowMs });
    const series = quotaSeries(quota, past, window, nowMs);
    if (series) facts.series.push(series);
  }
  return facts;
}

const stepOf = ({ period }: Pick<Quota, 'period'>, { stepMs }: WindowOfSeries): number =>
  Math.max(stepMs, periodMs[period]);
const beginOf = (quota: Pick<Quota, 'period'>, window: WindowOfSeries): number =>
  Math.floor(window.fromMs / stepOf(quota, window)) * stepOf(quota, window);

/**
 * The most that was used in one window, on the steps of everything else that is looked at, or the quota's own where they are longer. Null before
 * the first window that is known, and for what is not over; 0 for one in between that nobody used.
 * @returns undefined where no window is known
 */
export function quotaSeries(
  quota: Pick<Quota, 'id' | 'counts' | 'period' | 'limit' | 'shadow' | 'action' | 'enabled' | 'origin'>,
  past: readonly Pick<PastPeriod, 'startMs' | 'greatest'>[],
  window: WindowOfSeries,
  nowMs: number,
): ResourceSeries | undefined {
  if (past.length === 0) return undefined;
  const stepMs = stepOf(quota, window);
  const fromMs = beginOf(quota, window);
  const times = Array.from({ length: Math.ceil((window.toMs + 1 - fromMs) / stepMs) }, (_, i) => fromMs + i * stepMs);
  const firstMs = past.reduce((least, { startMs }) => Math.min(least, startMs), Number.POSITIVE_INFINITY);
  const values = times.map((at): number | null => (at + stepMs <= firstMs || at + stepMs > nowMs ? null : 0));
  for (const { startMs, greatest } of past) {
    const at = Math.floor((startMs - fromMs) / stepMs);
    const known = values[at];
    if (typeof known === 'number') values[at] = Math.max(known, greatest);
  }
  const key = `quota:${quota.id}`;
  return {
    ...{ key, resourceType: quota.counts, metric: '', unit: quota.counts, kind: 'level', capacity: quota.limit },
    // A limit that turns nobody away costs nothing, and one that nobody chose is not too large.
    mayBeSpare: denies(quota) && quota.origin !== 'default',
    ...{ family: key, stepMs, times, values, tops: null, highest: null, isShared: true },
  };
}

/** As the quota says it itself, of the one that used most. */
function windowForecast(
  quota: Quota,
  now: number,
  { atEnd, exhaustedAtMs }: { readonly atEnd: number; readonly exhaustedAtMs: number | null },
): Forecast {
  return {
    ...{ key: `quota:${quota.id}`, resourceType: quota.counts, unit: quota.counts, limit: quota.limit },
    ...{ basis: 'quota window', now, holdOut: null, perHour: null },
    ...{ reachedAtMs: exhaustedAtMs, earliestMs: null, latestMs: null },
    state: exhaustedAtMs === null ? 'not_in_this_window' : 'fills',
    message: `At the pace of this ${quota.period}: ${atEnd} of ${quota.limit} at its end.`,
  };
}
