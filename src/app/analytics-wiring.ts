import {
  type Analytics,
  analyticsRoutes,
  createAnalytics,
  type Forecast,
  type LeakFact,
  type ResourceSeries,
  registerAnalyticsMetrics,
} from '../analytics/index.ts';
import type { Metrics } from '../metrics/index.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { Reconciler } from '../platform/reconciler.ts';
import { periodMs, type Quota, type Quotas, readHistory, readUsage } from '../quotas/index.ts';
import type { ObservedLeakBody } from '../resources/index.ts';
import type { Ground } from './ground.ts';

export type AnalyticsWiring = {
  readonly analytics: Analytics;
  readonly analyticsRoutes: RoutePlugin;
  /** Undefined: switched off, or nothing is kept that could be looked at. */
  readonly analyticsJob: Reconciler | undefined;
};

/** What the series say, with the leaks and the quotas that other parts know of. */
export function createAnalyticsWiring(
  ground: Ground,
  ports: {
    readonly metrics: Pick<Metrics, 'history' | 'recorder'>;
    readonly quotas: Pick<Quotas, 'definitions'>;
    /** Undefined while nothing is looked at. */
    leaks(): readonly ObservedLeakBody[] | undefined;
  },
): AnalyticsWiring {
  const { config, live, clock, db, events, registry, logOf } = ground;
  const enabled = config.analytics.enabled && config.metrics.enabled;
  const analytics = createAnalytics({
    history: ports.metrics.history,
    ports: {
      definitions: () => ports.metrics.recorder.definitions(),
      leaks: () => ports.leaks()?.map(leakFact),
      quotas: (fromMs) => quotaFacts(ground, ports.quotas, fromMs),
    },
    settings: () => live.config().analytics,
    instance: config.state.instance,
    ...{ db, events, clock },
    log: logOf('analytics'),
  });
  live.onChange((now) => analytics.job.setIntervalMs(now.analytics.intervalMs));
  if (enabled) registerAnalyticsMetrics(registry, analytics);
  return {
    analytics,
    analyticsRoutes: analyticsRoutes({
      ...{ analytics, enabled },
      windowHours: () => live.config().analytics.windowMs / 3_600_000,
    }),
    analyticsJob: enabled ? analytics.job : undefined,
  };
}

const leakFact = (leak: ObservedLeakBody): LeakFact => ({
  key: `leak:${leak.subject}/${leak.measure}`,
  ...{ resourceType: leak.resource_type, subject: leak.subject, measure: leak.measure, unit: leak.unit },
  ...{ level: leak.level, confidence: leak.confidence, perHour: leak.growth_per_hour },
  ...{ grownPercent: leak.growth_percent, hours: leak.hours, runs: leak.runs },
  sinceMs: Date.parse(leak.suspected_at),
  seenMs: Date.parse(leak.last_seen),
  ...{ description: leak.description, action: leak.suggested_action, closestHarmless: leak.closest_harmless_story },
});

/** Windows of one quota that are looked at. */
const mostPeriods = 200;

async function quotaFacts(
  { db, clock }: Pick<Ground, 'db' | 'clock'>,
  quotas: Pick<Quotas, 'definitions'>,
  fromMs: number,
): Promise<{ series: ResourceSeries[]; forecasts: Forecast[] }> {
  const nowMs = clock.now();
  const facts = { series: [] as ResourceSeries[], forecasts: [] as Forecast[] };
  for (const quota of quotas.definitions.all()) {
    if (!quota.enabled) continue;
    const forecast = await forecastOf(quota);
    if (forecast) facts.forecasts.push(forecast);
    const stepMs = periodMs[quota.period];
    // Shorter ones are gone before anybody could look at them; what never begins anew has no windows.
    if (quota.period === 'forever' || quota.window === 'sliding' || stepMs < 60_000) continue;
    const past = (await readHistory(db, quota, mostPeriods)).filter(
      ({ startMs }) => startMs >= fromMs && startMs + stepMs <= nowMs,
    );
    const first = past.reduce((least, { startMs }) => Math.min(least, startMs), Number.POSITIVE_INFINITY);
    if (past.length === 0) continue;
    const byStart = new Map(past.map(({ startMs, greatest }) => [startMs, greatest]));
    const count = Math.min(mostPeriods, Math.floor((nowMs - first) / stepMs));
    const times = Array.from({ length: count }, (_, i) => first + i * stepMs);
    facts.series.push({
      key: `quota:${quota.id}`,
      ...{ resourceType: quota.counts, metric: '', unit: quota.counts, kind: 'level', capacity: quota.limit },
      ...{ mayBeSpare: true, family: `quota:${quota.id}`, stepMs, times, highest: null },
      // A window that nobody used has no row.
      values: times.map((at) => byStart.get(at) ?? 0),
    });
  }
  return facts;

  /** As the quotas say it themselves, of the one that used most. */
  async function forecastOf(quota: Quota): Promise<Forecast | undefined> {
    const [most] = (await readUsage(db, quota, { nowMs, limit: 1 })).buckets;
    if (most?.forecast === undefined) return undefined;
    const { atEnd, exhaustedAtMs } = most.forecast;
    const whole = { key: `quota:${quota.id}`, resourceType: quota.counts, unit: quota.counts, limit: quota.limit };
    return {
      ...{ ...whole, basis: 'quota window', now: most.total, holdOut: null },
      perHour: null,
      ...{ reachedAtMs: exhaustedAtMs, earliestMs: null, latestMs: null },
      state: exhaustedAtMs === null ? 'not_in_this_window' : 'fills',
      message: `At the pace of this ${quota.period}: ${atEnd} of ${quota.limit} at its end.`,
    };
  }
}
