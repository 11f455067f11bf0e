import { type CallOptions, pathPart, type Transport } from './transport.ts';
import type {
  AnalyticsLookBody,
  OptimizationRecommendationBody,
  OptimizationType,
  Page,
  PatternType,
  RecommendationPriority,
  RecommendationState,
  UsageForecastBody,
  UsagePatternBody,
  UsageProfilesBody,
} from './wire.ts';

export type WindowQuery = {
  /** Such as `memory`; of applications `metric`. */
  readonly resourceType?: string;
  /** 1 to 720; `analytics.window_hours` unless told. */
  readonly windowHours?: number;
};
export type PatternQuery = {
  readonly resourceType?: string;
  readonly patternType?: PatternType;
  /** What this instance has alone, with what all share; every instance unless told. */
  readonly instance?: string;
  /** Those that are found no more, instead. */
  readonly ended?: boolean;
  readonly cursor?: string;
  /** 1 to 100, 50 unless told. */
  readonly limit?: number;
};
export type RecommendationQuery = {
  readonly priority?: RecommendationPriority;
  readonly optimizationType?: OptimizationType;
  readonly resourceType?: string;
  /** As of patterns. */
  readonly instance?: string;
  /** `open` unless told. */
  readonly state?: RecommendationState | 'all';
  readonly cursor?: string;
  /** 1 to 100, 50 unless told. */
  readonly limit?: number;
};

/** `total` is of all pages; `looked_at` null: there was no look yet. */
type Seen = { readonly total: number; readonly looked_at: string | null };

const base = '/api/v1/metrics/analytics';

/** How resources are used, what they do, where they go, and what to do about it. A service token may read; the rest is for admins. */
export function createAnalyticsCalls(transport: Transport) {
  const one = (id: string, what: string): string => `${base}/recommendations/${pathPart(id)}/${what}`;
  return {
    profiles: async ({ resourceType, windowHours, ...call }: CallOptions & WindowQuery = {}) =>
      (await transport.send(`${base}/profiles`, {
        ...call,
        query: { resource_type: resourceType, window_hours: windowHours },
      })) as UsageProfilesBody, // checked where it is made
    /** The surest first. */
    patterns: async ({
      resourceType,
      patternType,
      instance,
      ended,
      cursor,
      limit,
      ...call
    }: CallOptions & PatternQuery = {}) =>
      (await transport.send(`${base}/patterns`, {
        ...call,
        query: { resource_type: resourceType, pattern_type: patternType, instance, ended, cursor, limit },
      })) as Page<UsagePatternBody> & Seen, // likewise
    /** The gravest first, of one priority the newest. */
    recommendations: async ({ optimizationType, resourceType, ...given }: CallOptions & RecommendationQuery = {}) => {
      const { signal, ...query } = given;
      return (await transport.send(`${base}/recommendations`, {
        signal,
        query: { ...query, optimization_type: optimizationType, resource_type: resourceType },
      })) as Page<OptimizationRecommendationBody> & Seen; // likewise
    },
    /** What is full first comes first. */
    forecasts: async ({ resourceType, windowHours, ...call }: CallOptions & WindowQuery = {}) =>
      (await transport.send(`${base}/forecasts`, {
        ...call,
        query: { resource_type: resourceType, window_hours: windowHours },
      })) as Page<UsageForecastBody> & { readonly looked_at: string }, // likewise
    /** Looks now, instead of at the next interval. */
    run: async (call?: CallOptions) =>
      (await transport.send(`${base}/run`, { ...call, method: 'POST' })) as AnalyticsLookBody, // likewise
    /** @throws `analytics/unknown-recommendation`; `conflict/state` for one that resolved itself */
    dismiss: async (id: string, reason: string, call?: CallOptions) =>
      (await transport.send(one(id, 'dismiss'), {
        ...{ ...call, method: 'POST' },
        body: { reason },
      })) as OptimizationRecommendationBody, // likewise
    /** Takes a dismissal back. @throws as `dismiss` */
    reopen: async (id: string, call?: CallOptions) =>
      (await transport.send(one(id, 'reopen'), { ...call, method: 'POST' })) as OptimizationRecommendationBody, // likewise
  };
}
