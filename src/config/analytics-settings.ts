import { env, setting } from './setting.ts';
import { decimal, flag, wholeNumber } from './value-parsers.ts';

/** How often series are looked at for what they do, and how far back. */
export const analyticsSettings = {
  analyticsEnabled: setting({
    key: 'analytics.enabled',
    env: env('RAGWARDEN_ANALYTICS_ENABLED'),
    parser: flag,
    fallback: true,
    about: 'Look for patterns in the series that are kept. Off: none of it, and /api/v1/metrics/analytics answers 409.',
  }),
  analyticsIntervalSeconds: setting({
    key: 'analytics.interval_seconds',
    env: env('RAGWARDEN_ANALYTICS_INTERVAL'),
    parser: decimal(1, 86_400),
    fallback: 900,
    unit: 'seconds',
    runtime: true,
    about: 'Time between two looks at all series: a few milliseconds of CPU for each series. Never at the start.',
  }),
  analyticsWindowHours: setting({
    key: 'analytics.window_hours',
    env: env('RAGWARDEN_ANALYTICS_WINDOW'),
    parser: decimal(1, 720),
    fallback: 168,
    unit: 'hours',
    runtime: true,
    about:
      'How far back is looked. A week has every rhythm of the day several times; shorter sees what is young sooner.',
  }),
  analyticsMaxSeries: setting({
    key: 'analytics.max_series',
    env: env('RAGWARDEN_ANALYTICS_MAX_SERIES'),
    parser: wholeNumber(10, 10_000),
    fallback: 1_000,
    runtime: true,
    about:
      'Series that one look takes in at most; those of the host and the backends come before those of applications.',
  }),
} as const;

export type AnalyticsConfig = {
  readonly enabled: boolean;
  readonly intervalMs: number;
  readonly windowMs: number;
  readonly maxSeries: number;
};

export const buildAnalytics = (values: {
  readonly analyticsEnabled: boolean;
  readonly analyticsIntervalSeconds: number;
  readonly analyticsWindowHours: number;
  readonly analyticsMaxSeries: number;
}): AnalyticsConfig => ({
  enabled: values.analyticsEnabled,
  intervalMs: values.analyticsIntervalSeconds * 1_000,
  windowMs: values.analyticsWindowHours * 3_600_000,
  maxSeries: values.analyticsMaxSeries,
});
