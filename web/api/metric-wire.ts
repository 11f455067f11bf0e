/** The answers about recorded metrics, as the API's description has them. */

export type MetricDefinition = {
  name: string;
  category: string;
  type: 'counter' | 'gauge' | 'histogram' | 'timer' | 'rate';
  unit: string;
  description: string;
  /** Those that make sense to begin with. */
  aggregations: string[];
  enabled: boolean;
  /** `use`: nobody defined it, it was recorded. */
  defined_by: 'definition' | 'use';
};

export type Labels = Record<string, string>;

/** Which stretch of the range came from which tier. */
export type MetricSource = {
  tier: 'raw' | '5m' | '1h' | 'store';
  resolution_seconds: number;
  from: string;
  to: string;
};

export type MetricAnswer = {
  step_seconds: number;
  /** Where each window begins. */
  times: string[];
  sources: MetricSource[];
  /** Percentiles within 0.8 %. */
  approximate: boolean;
  /** Null is a gap. */
  series: { labels: Labels; values: (number | null)[] }[];
  total_series: number;
  /** Why what the other store has of the range is missing here. */
  store_error: string | null;
};

export type MetricRanking = { items: { labels: Labels; value: number }[]; total_series: number };
