/**
 * Analytics: how resources were used, what they do, where they go, and what to do about it; read from the series that the metrics slice
 * keeps. Owns the tables `analytics_pattern` and `analytics_recommendation`. Invariants: no number is made of nothing; a leak is what the
 * resources slice says is one; a pattern says how sure it is, and what of; nothing is recommended without one; chance among many series and
 * pairs is counted.
 */
export { type Analytics, type AnalyticsPorts, createAnalytics } from './analytics.ts';
export type {
  AnalyticsLookBody,
  OptimizationRecommendationBody,
  UsageForecastBody,
  UsagePatternBody,
  UsageProfilesBody,
} from './analytics-bodies.ts';
export { boundedAnalytics } from './analytics-growth.ts';
export { registerAnalyticsMetrics } from './analytics-metrics.ts';
export { analyticsRoutes } from './analytics-routes.ts';
export { type Forecast, reachesAt } from './forecast.ts';
export type { LeakFact } from './leak-fact.ts';
export type { WindowOfSeries } from './read-series.ts';
export type { Machine } from './recommendation.ts';
export type { ResourceSeries } from './series.ts';
export type { Fleet } from './write-down.ts';
