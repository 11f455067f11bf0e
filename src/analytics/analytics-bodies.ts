import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import type { LastLook, Looked } from './analytics.ts';
import type { Forecast } from './forecast.ts';
import type { KnownPattern } from './known-pattern.ts';
import { type KnownRecommendation, recommendationStates } from './known-recommendation.ts';
import { type Pattern, patternTypes } from './pattern.ts';
import type { Profile } from './profile.ts';
import { efforts, optimizationTypes, priorities } from './recommendation.ts';

const instant = z.iso.datetime();
const count = z.number().int();
const figures = z.record(z.string(), z.number().nullable());
const words = z.record(z.string(), z.union([z.string(), z.number(), z.null()]));
const share = z.number().min(0).max(1);

export const profileSchema = z
  .object({
    resource_type: z.string(),
    metric: z.string().describe('Where the values lie in the store of metrics.'),
    unit: z.string().describe('Of a flow: what passes; its average, peak and growth are per hour.'),
    kind: z
      .enum(['level', 'stock', 'flow', 'latency'])
      .describe('`level` is held at a moment, `stock` piles up, `flow` passes, `latency` is how long something took.'),
    time_window_hours: z.number().describe('What is known of the window that was asked for.'),
    from: instant,
    to: instant,
    samples: count.describe('Steps with values.'),
    step_seconds: z.number(),
    total_usage: z.number().describe('Of a flow what passed; else the area below it.'),
    total_unit: z.string(),
    peak_usage: z.number(),
    average_usage: z.number(),
    p95_usage: z.number().describe('What 95 of 100 steps stay below; of twenty steps and fewer the highest one.'),
    usage_variance: z.number().describe('Of the means of the steps.'),
    growth_rate: z.number().describe('Per hour: the median of the slopes between all pairs of steps.'),
    provided: z.number().nullable().describe('What efficiency and waste are shares of.'),
    provided_basis: z
      .enum(['capacity', 'peak'])
      .nullable()
      .describe(
        '`capacity` where a limit is known, else `peak`: what 99 of 100 steps stay below. Null, as `provided`, for a latency, and without a limit below 101 steps.',
      ),
    efficiency_score: share.nullable().describe('The average as a share of what is provided; null without that.'),
    waste_percentage: z
      .number()
      .min(0)
      .max(100)
      .nullable()
      .describe('What 95 of 100 steps leave unused of what is provided; null without that.'),
    patterns: z
      .array(z.object({ pattern_type: z.enum(patternTypes), description: z.string(), confidence: share }))
      .describe('Those of this window.'),
    recommendations: z
      .array(
        z.object({
          recommendation_id: z.string(),
          title: z.string(),
          priority: z.enum(priorities),
          state: z.enum(recommendationStates),
        }),
      )
      .describe('Those that are open or dismissed, from the last look.'),
  })
  .meta({ id: 'UsageProfile' });
export type UsageProfileBody = z.infer<typeof profileSchema>;

const hourMs = 3_600_000;

const profileBody = (
  profile: Profile,
  patterns: readonly Pattern[],
  recommendations: readonly KnownRecommendation[],
): UsageProfileBody => {
  const { series, fromMs, toMs } = profile;
  return {
    ...{ resource_type: series.resourceType, metric: series.metric, unit: series.unit, kind: series.kind },
    time_window_hours: (toMs - fromMs) / hourMs,
    ...{ from: isoInstant(fromMs), to: isoInstant(toMs), samples: profile.points },
    step_seconds: series.stepMs / 1_000,
    ...{ total_usage: profile.total, total_unit: profile.totalUnit, peak_usage: profile.peak },
    ...{ average_usage: profile.average, p95_usage: profile.p95, usage_variance: profile.variance },
    ...{ growth_rate: profile.growthPerHour, provided: profile.provided, provided_basis: profile.providedBasis },
    ...{ efficiency_score: profile.efficiency, waste_percentage: profile.wastePercent },
    patterns: patterns
      .filter((one) => one.key === series.key || one.metadata.leader === series.key)
      .map(({ type, description, confidence }) => ({ pattern_type: type, description, confidence })),
    recommendations: recommendations
      .filter(({ key }) => key === series.key)
      .map((one) => ({ recommendation_id: one.id, title: one.title, priority: one.priority, state: one.state })),
  };
};

export const profilesSchema = z
  .object({
    time_window_hours: z.number().describe('As it was asked for.'),
    looked_at: instant.describe('The answer stays the same until `analytics.interval_seconds` later.'),
    instance: z.string().describe('Whose host, programs and processes these are; backends and quotas are of all.'),
    profiles: z
      .record(z.string(), profileSchema)
      .describe('By resource: its type, and behind a colon whose, where there are several.'),
    unprofiled: z
      .array(z.object({ resource: z.string(), resource_type: z.string(), samples: count, reason: z.string() }))
      .describe('What is known for too short a time to say anything.'),
    left_out: count.describe('Series beyond `analytics.max_series`.'),
  })
  .meta({ id: 'UsageProfiles' });
export type UsageProfilesBody = z.infer<typeof profilesSchema>;

export function profilesBody(
  { atMs, analysis }: Looked,
  asked: {
    readonly instance: string;
    readonly windowHours: number;
    readonly resourceType: string | undefined;
    readonly recommendations: readonly KnownRecommendation[];
  },
): UsageProfilesBody {
  const { resourceType, recommendations } = asked;
  const wanted = (one: { readonly resourceType: string }): boolean =>
    resourceType === undefined || one.resourceType === resourceType;
  return {
    ...{ time_window_hours: asked.windowHours, looked_at: isoInstant(atMs), instance: asked.instance },
    profiles: Object.fromEntries(
      analysis.profiles
        .filter(({ series }) => wanted(series))
        .map((profile) => [profile.series.key, profileBody(profile, analysis.patterns, recommendations)]),
    ),
    unprofiled: analysis.unprofiled.filter(wanted).map(({ key, resourceType: type, points, reason }) => ({
      ...{ resource: key, resource_type: type, samples: points, reason },
    })),
    left_out: analysis.leftOut,
  };
}

const owner = z
  .string()
  .nullable()
  .describe('The ragwarden whose host, programs or processes it is about; null: one thing of all that share a state.');

export const patternSchema = z
  .object({
    pattern_id: z.string(),
    instance: owner,
    pattern_type: z.enum(patternTypes),
    resource: z.string(),
    resource_type: z.string(),
    description: z.string(),
    confidence: share.describe('What it is a share of is told for each type in docs/analytics.md.'),
    time_window_start: instant,
    time_window_end: instant,
    metrics: figures.describe('The figures that it rests on.'),
    metadata: words,
    first_seen: instant,
    last_seen: instant,
    ended_at: instant.nullable(),
  })
  .meta({ id: 'UsagePattern' });
export type UsagePatternBody = z.infer<typeof patternSchema>;

export const patternBody = (one: KnownPattern): UsagePatternBody => ({
  ...{
    pattern_id: one.id,
    instance: one.instance,
    pattern_type: one.type,
    resource: one.key,
    resource_type: one.resourceType,
  },
  ...{ description: one.description, confidence: one.confidence },
  ...{ time_window_start: isoInstant(one.fromMs), time_window_end: isoInstant(one.toMs) },
  ...{ metrics: one.metrics, metadata: one.metadata },
  ...{ first_seen: isoInstant(one.firstSeenMs), last_seen: isoInstant(one.lastSeenMs) },
  ended_at: isoInstantOrNull(one.endedMs),
});

export const recommendationSchema = z
  .object({
    recommendation_id: z.string(),
    instance: owner,
    title: z.string(),
    description: z.string(),
    optimization_type: z.enum(optimizationTypes),
    priority: z.enum(priorities),
    estimated_savings: z.object({
      amount: z.number().nullable().describe('Null where it cannot be told; then `basis` says why.'),
      unit: z.string(),
      basis: z.string().describe('How it was computed.'),
    }),
    implementation_effort: z.enum(efforts),
    resource: z.string(),
    resource_type: z.string(),
    current_state: words,
    recommended_state: words,
    steps: z.array(z.string()),
    tags: z.record(z.string(), z.string()),
    evidence: z.array(z.string()).describe('Ids of the patterns that it rests on.'),
    state: z.enum(recommendationStates).describe('`resolved`: its cause is gone.'),
    created_at: instant,
    last_seen: instant,
    resolved_at: instant.nullable(),
    dismissed: z
      .object({ by: z.string(), reason: z.string(), at: instant })
      .nullable()
      .describe('It stays dismissed until somebody reopens it, or it becomes graver.'),
  })
  .meta({ id: 'OptimizationRecommendation' });
export type OptimizationRecommendationBody = z.infer<typeof recommendationSchema>;

export const recommendationBody = (one: KnownRecommendation): OptimizationRecommendationBody => ({
  ...{ recommendation_id: one.id, instance: one.instance, title: one.title, description: one.description },
  ...{ optimization_type: one.optimizationType, priority: one.priority, estimated_savings: one.savings },
  ...{ implementation_effort: one.effort, resource: one.key, resource_type: one.resourceType },
  ...{ current_state: one.currentState, recommended_state: one.recommendedState, steps: [...one.steps] },
  ...{ tags: one.tags, evidence: [...one.evidence], state: one.state },
  ...{ created_at: isoInstant(one.createdMs), last_seen: isoInstant(one.lastSeenMs) },
  resolved_at: isoInstantOrNull(one.resolvedMs),
  dismissed: one.dismissal && {
    ...{ by: one.dismissal.by, reason: one.dismissal.reason, at: isoInstant(one.dismissal.atMs) },
  },
});

export const forecastSchema = z
  .object({
    resource: z.string(),
    resource_type: z.string(),
    unit: z.string(),
    state: z
      .enum(['fills', 'grows', 'falls', 'no_trend', 'too_little_data', 'not_in_this_window'])
      .describe(
        '`fills`: a limit is reached; `grows`: no limit is known, or it is far; `not_in_this_window`: of a quota.',
      ),
    basis: z.enum(['trend', 'quota window']),
    now: z.number().nullable(),
    limit: z.number().nullable(),
    per_hour: z
      .object({ low: z.number(), mid: z.number(), high: z.number() })
      .nullable()
      .describe('The slope, and between which it lies 95 of 100 times.'),
    reached_at: instant.nullable(),
    earliest: instant.nullable(),
    latest: instant.nullable().describe('Null: at the slower slope the limit is not reached.'),
    hold_out: z
      .object({
        error: z.number().describe('Mean distance, when only the first three quarters were known.'),
        error_of_no_change: z.number().describe('The same, had one said that nothing changes.'),
        points: count,
      })
      .nullable(),
    message: z.string(),
  })
  .meta({ id: 'UsageForecast' });
export type UsageForecastBody = z.infer<typeof forecastSchema>;

export const forecastBody = (one: Forecast): UsageForecastBody => ({
  ...{ resource: one.key, resource_type: one.resourceType, unit: one.unit, state: one.state, basis: one.basis },
  ...{ now: one.now, limit: one.limit, per_hour: one.perHour, reached_at: isoInstantOrNull(one.reachedAtMs) },
  ...{ earliest: isoInstantOrNull(one.earliestMs), latest: isoInstantOrNull(one.latestMs) },
  hold_out: one.holdOut && {
    ...{ error: one.holdOut.error, error_of_no_change: one.holdOut.errorOfNoChange, points: one.holdOut.points },
  },
  message: one.message,
});

export const lookSchema = z
  .object({
    looked_at: instant,
    series: count,
    left_out: count,
    pairs: count.describe('Of series that were compared with each other.'),
    patterns: count.describe('Found by this look, by this instance.'),
    recommendations: count.describe('That follow from them, dismissed ones too.'),
    took_ms: z.number(),
  })
  .meta({ id: 'AnalyticsLook' });
export type AnalyticsLookBody = z.infer<typeof lookSchema>;

export const lookBody = (look: LastLook): AnalyticsLookBody => ({
  ...{ looked_at: isoInstant(look.atMs), series: look.series, left_out: look.leftOut, pairs: look.pairs },
  ...{ patterns: look.patterns, recommendations: look.recommendations, took_ms: look.tookMs },
});
