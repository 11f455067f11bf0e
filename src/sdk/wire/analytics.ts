export type PatternType = 'gradual_growth' | 'periodic_spikes' | 'memory_leak' | 'underutilization' | 'cross_resource';
export type OptimizationType =
  | 'cleanup'
  | 'quota_adjustment'
  | 'scheduling'
  | 'caching'
  | 'pooling'
  | 'compression'
  | 'architecture';
export type RecommendationPriority = 'low' | 'medium' | 'high' | 'critical';
export type RecommendationState = 'open' | 'dismissed' | 'resolved';

export type UsageProfileBody = {
  readonly resource_type: string;
  readonly metric: string;
  /** Of a flow: what passes; its average, peak and growth are per hour. */
  readonly unit: string;
  readonly kind: 'level' | 'stock' | 'flow' | 'latency';
  readonly time_window_hours: number;
  readonly from: string;
  readonly to: string;
  /** Steps with values. */
  readonly samples: number;
  readonly step_seconds: number;
  /** Of a flow what passed; else the area below it. */
  readonly total_usage: number;
  readonly total_unit: string;
  readonly peak_usage: number;
  readonly average_usage: number;
  readonly p95_usage: number;
  readonly usage_variance: number;
  /** Per hour. */
  readonly growth_rate: number;
  /** What efficiency and waste are shares of: a limit that is known, else what 99 of 100 steps stay below. */
  readonly provided: number | null;
  readonly provided_basis: 'capacity' | 'peak' | null;
  /** 0 to 1; null where nothing is known to be provided. */
  readonly efficiency_score: number | null;
  readonly waste_percentage: number | null;
  readonly patterns: readonly {
    readonly pattern_type: PatternType;
    readonly description: string;
    readonly confidence: number;
  }[];
  readonly recommendations: readonly {
    readonly recommendation_id: string;
    readonly title: string;
    readonly priority: RecommendationPriority;
    readonly state: RecommendationState;
  }[];
};

export type UsageProfilesBody = {
  readonly time_window_hours: number;
  /** The answer stays the same until `analytics.interval_seconds` later. */
  readonly looked_at: string;
  /** Whose host, programs and processes these are; backends and quotas are of all. */
  readonly instance: string;
  /** By resource: its type, and behind a colon whose, where there are several. */
  readonly profiles: Readonly<Record<string, UsageProfileBody>>;
  /** What is known for too short a time to say anything. */
  readonly unprofiled: readonly {
    readonly resource: string;
    readonly resource_type: string;
    readonly samples: number;
    readonly reason: string;
  }[];
  readonly left_out: number;
};

export type UsagePatternBody = {
  readonly pattern_id: string;
  /** Null: one thing of all that share a state. */
  readonly instance: string | null;
  readonly pattern_type: PatternType;
  readonly resource: string;
  readonly resource_type: string;
  readonly description: string;
  /** 0 to 1. */
  readonly confidence: number;
  readonly time_window_start: string;
  readonly time_window_end: string;
  readonly metrics: Readonly<Record<string, number | null>>;
  readonly metadata: Readonly<Record<string, string | number | null>>;
  readonly first_seen: string;
  readonly last_seen: string;
  readonly ended_at: string | null;
};

export type OptimizationRecommendationBody = {
  readonly recommendation_id: string;
  /** Null: one thing of all that share a state. */
  readonly instance: string | null;
  readonly title: string;
  readonly description: string;
  readonly optimization_type: OptimizationType;
  readonly priority: RecommendationPriority;
  /** `amount` null: it cannot be told, and `basis` says why. */
  readonly estimated_savings: { readonly amount: number | null; readonly unit: string; readonly basis: string };
  readonly implementation_effort: 'low' | 'medium' | 'high';
  readonly resource: string;
  readonly resource_type: string;
  readonly current_state: Readonly<Record<string, string | number | null>>;
  readonly recommended_state: Readonly<Record<string, string | number | null>>;
  readonly steps: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
  /** Ids of patterns. */
  readonly evidence: readonly string[];
  readonly state: RecommendationState;
  readonly created_at: string;
  readonly last_seen: string;
  readonly resolved_at: string | null;
  readonly dismissed: { readonly by: string; readonly reason: string; readonly at: string } | null;
};

export type UsageForecastBody = {
  readonly resource: string;
  readonly resource_type: string;
  readonly unit: string;
  readonly state: 'fills' | 'grows' | 'falls' | 'no_trend' | 'too_little_data' | 'not_in_this_window';
  readonly basis: 'trend' | 'quota window';
  readonly now: number | null;
  readonly limit: number | null;
  /** The slope, and between which it lies 95 of 100 times. */
  readonly per_hour: { readonly low: number; readonly mid: number; readonly high: number } | null;
  readonly reached_at: string | null;
  readonly earliest: string | null;
  /** Null: at the slower slope the limit is not reached. */
  readonly latest: string | null;
  readonly hold_out: {
    readonly error: number;
    readonly error_of_no_change: number;
    readonly points: number;
  } | null;
  readonly message: string;
};

export type AnalyticsLookBody = {
  readonly looked_at: string;
  readonly series: number;
  readonly left_out: number;
  readonly pairs: number;
  readonly patterns: number;
  readonly recommendations: number;
  readonly took_ms: number;
};
