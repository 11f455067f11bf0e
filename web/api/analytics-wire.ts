/** The answers about analytics, as the API's description has them. Null is "has no meaning here". */
export type UsageProfile = {
  readonly resource_type: string;
  readonly unit: string;
  readonly kind: 'level' | 'stock' | 'flow' | 'latency';
  readonly average_usage: number;
  readonly peak_usage: number;
  readonly growth_rate: number;
  readonly efficiency_score: number | null;
  readonly waste_percentage: number | null;
  readonly provided_basis: 'capacity' | 'peak' | null;
  readonly patterns: readonly { readonly pattern_type: string; readonly confidence: number }[];
};
export type UsageProfiles = {
  readonly time_window_hours: number;
  readonly profiles: Readonly<Record<string, UsageProfile>>;
  readonly unprofiled: readonly { readonly resource: string; readonly reason: string }[];
};
export type UsagePattern = {
  readonly pattern_id: string;
  readonly pattern_type: string;
  readonly resource: string;
  readonly description: string;
  readonly confidence: number;
  readonly first_seen: string;
};
export type Recommendation = {
  readonly recommendation_id: string;
  readonly title: string;
  readonly description: string;
  readonly optimization_type: string;
  readonly priority: 'low' | 'medium' | 'high' | 'critical';
  readonly estimated_savings: { readonly amount: number | null; readonly unit: string; readonly basis: string };
  readonly implementation_effort: string;
  readonly steps: readonly string[];
};
export type UsageForecast = {
  readonly resource: string;
  readonly unit: string;
  readonly state: 'fills' | 'grows' | 'falls' | 'no_trend' | 'too_little_data' | 'not_in_this_window';
  readonly now: number | null;
  readonly limit: number | null;
  readonly reached_at: string | null;
  readonly earliest: string | null;
  readonly latest: string | null;
  readonly message: string;
};
