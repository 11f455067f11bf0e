import type { QuotaStatusBody } from './quotas.ts';

export type MetricType = 'counter' | 'gauge' | 'histogram' | 'timer' | 'rate';
export type MetricCategory =
  | 'system'
  | 'performance'
  | 'business'
  | 'security'
  | 'reliability'
  | 'resource'
  | 'user'
  | 'agent';
export type MetricAggregation =
  | 'sum'
  | 'average'
  | 'min'
  | 'max'
  | 'last'
  | 'count'
  | 'rate'
  | 'increase'
  | 'p50'
  | 'p90'
  | 'p95'
  | 'p99';

export type MetricLabels = Readonly<Record<string, string>>;

/** One value of a batch. */
export type MetricRecording = {
  readonly name: string;
  readonly value: number;
  /** For a metric that nobody defined; its name decides unless told. */
  readonly type?: MetricType;
  readonly labels?: MetricLabels;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** ISO 8601; at most an hour old and five minutes ahead. Now, unless told. */
  readonly timestamp?: string;
  readonly unit?: string;
};

export type MetricRecordedBody = {
  readonly accepted: number;
  readonly rejected: number;
  /** Why, by the place in the batch; the first hundred. */
  readonly errors: { readonly index: number; readonly reason: string; readonly detail: string }[];
};

export type MetricDefinitionBody = {
  readonly name: string;
  readonly category: MetricCategory;
  readonly type: MetricType;
  readonly unit: string;
  readonly description: string;
  readonly aggregations: MetricAggregation[];
  readonly tags: string[];
  readonly enabled: boolean;
  /** `use`: nobody defined it, it was recorded. */
  readonly defined_by: 'definition' | 'use';
};

/** Which stretch of a range came from which tier. */
export type MetricSource = {
  /** `store`: another store, which `metrics.read_back` names. */
  readonly tier: 'raw' | '5m' | '1h' | 'store';
  readonly resolution_seconds: number;
  readonly from: string;
  readonly to: string;
};

export type MetricQueryBody = {
  readonly name: string;
  readonly unit: string | null;
  readonly aggregation: MetricAggregation;
  readonly step_seconds: number;
  /** Where each window begins. */
  readonly times: string[];
  readonly sources: MetricSource[];
  /** Percentiles that were read from counts in buckets: within 0.8 %. */
  readonly approximate: boolean;
  /** Null is a gap. */
  readonly series: { readonly labels: MetricLabels; readonly values: (number | null)[] }[];
  readonly total_series: number;
  /** Why what the other store has of the range is missing here. */
  readonly store_error: string | null;
};

export type MetricLatestBody = {
  readonly items: { readonly labels: MetricLabels; readonly value: number | null }[];
  readonly next_cursor: null;
};

export type MetricTopBody = {
  readonly items: { readonly labels: MetricLabels; readonly value: number }[];
  readonly next_cursor: null;
  readonly total_series: number;
  readonly sources: MetricSource[];
};

export type MetricTypesBody = {
  readonly types: MetricType[];
  readonly categories: MetricCategory[];
  readonly aggregations: MetricAggregation[];
};

/** All metrics at a glance. What ragwarden does not have yet is null. */
export type MetricGlobalBody = {
  readonly basic_metrics: {
    readonly uptime_seconds: number;
    readonly uptime_formatted: string;
    readonly total_metrics_recorded: number;
    /** What each recorded counter grew by in 24 hours. */
    readonly global_counters: Readonly<Record<string, number>>;
    readonly active_agents: number;
    readonly metrics_history_size: number;
  };
  readonly enhanced_metrics: {
    readonly total_metrics: number;
    readonly enabled_metrics: number;
    readonly total_values: number;
    readonly total_aggregations: number;
    readonly active_alerts: number | null;
    readonly alert_rules: number | null;
    readonly collection_stats: {
      readonly total_metrics_collected: number;
      readonly total_aggregations_computed: number;
      readonly total_alerts_triggered: number | null;
      readonly collection_time_ms: number;
      readonly aggregation_time_ms: number;
      readonly alert_evaluation_time_ms: number | null;
    };
    readonly metrics_by_category: Readonly<Record<string, number>>;
    readonly metrics_by_type: Readonly<Record<string, number>>;
  };
  readonly resource_summary: {
    readonly total_resources: number;
    readonly resources_by_type: Readonly<Record<string, number>>;
    readonly resources_by_status: Readonly<Record<string, number>>;
    readonly total_leaks: number;
  } | null;
  readonly quota_status: {
    readonly total_quotas: number;
    /** The others only count: shadow mode, or switched off. */
    readonly enforced_quotas: number;
    /** Quotas that are exceeded now, those in shadow mode too. */
    readonly open_violations: number;
    /** Since ragwarden started. */
    readonly metrics: Omit<QuotaStatusBody['metrics'], 'queued'>;
  } | null;
  readonly system_health: { readonly timestamp: string; readonly overall_status: string };
};

export type MetricAgentBody = {
  readonly agent_id: string;
  /** Null when there are several, or none. */
  readonly workspace_id: string | null;
  readonly total_executions: number;
  readonly successful_executions: number;
  readonly failed_executions: number;
  /** 0 to 1; null before the first execution. */
  readonly success_rate: number | null;
  readonly error_rate: number | null;
  readonly average_execution_time_ms: number | null;
  readonly total_tokens_used: number;
  readonly total_cost_usd: number;
  readonly last_execution_time: string | null;
  readonly created_at: string;
  readonly updated_at: string;
};

/** One recorded value with what was said about it. */
export type MetricValueBody = {
  readonly timestamp: string;
  readonly name: string;
  readonly metric_type: MetricType;
  readonly category: MetricCategory;
  readonly agent_id: string | null;
  readonly workspace_id: string | null;
  readonly labels: MetricLabels;
  readonly value: number;
  readonly unit: string;
  readonly metadata: Readonly<Record<string, unknown>>;
};

export type MetricHistoryBody = {
  readonly items: MetricValueBody[];
  readonly next_cursor: string | null;
  readonly pagination: { readonly limit: number; readonly offset: number; readonly total: number };
};

export type MetricPerformanceBody = {
  readonly time_window_minutes: number;
  readonly total_metrics: number;
  /** Share of executions that succeeded, 0 to 1; null without any. */
  readonly summary: { readonly success_rate: number | null };
  readonly performance: {
    readonly average_execution_time_ms: number | null;
    readonly total_llm_cost_usd: number;
    readonly average_tool_time_ms: number | null;
    readonly total_executions: number;
    readonly total_tool_executions: number;
  };
  readonly timestamp_range: { readonly start: string; readonly end: string };
  /** Only when nothing was recorded in the window. */
  readonly message?: string | undefined;
};

export type MetricResetBody = { readonly message: string; readonly series: number };
