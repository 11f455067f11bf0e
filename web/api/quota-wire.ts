/** The answers about quotas, as the API's description has them. */

export type Whose = {
  target_id: string | null;
  workspace_id: string | null;
  user_id: string | null;
  key_id: string | null;
};

export type Quota = Whose & {
  quota_id: string;
  name: string;
  description: string;
  resource_type: string;
  quota_type: 'hard' | 'soft' | 'burst' | 'dynamic';
  period: string;
  window: 'calendar' | 'sliding';
  limit: number;
  defined_limit: number;
  burst_limit: number | null;
  action: 'block' | 'warn' | 'throttle' | 'queue' | 'escalate';
  per: string[];
  enabled: boolean;
  shadow: boolean;
  when_lost: 'closed' | 'open' | 'local_share';
  ends_at: string | null;
  origin: 'file' | 'api' | 'default';
};

export type QuotaBucket = Whose & {
  bucket: string;
  current_usage: number;
  held: number;
  forfeited: number;
  carried: number;
  limit: number;
  remaining: number;
  used_percent: number | null;
  reset_at: string | null;
  forecast: { usage_at_end: number; exhausted_at: string | null } | null;
};

export type QuotaUsage = { violations: number; bucket_count: number; buckets: QuotaBucket[] };

export type QuotaLedger = {
  state: 'answers' | 'lost';
  lost_since: string | null;
  unguarded: number;
  refused_blind: number;
  held_reservations: number;
  waiting: number;
};

export type QuotaCounters = {
  total_checks: number;
  total_violations: number;
  total_warnings: number;
  blocks_enforced: number;
  throttles_enforced: number;
  queued: number;
  quota_resets: number;
};

export type QuotaOverview = {
  quotas: Record<string, Quota>;
  usage: Record<string, QuotaUsage>;
  metrics: QuotaCounters;
  ledger: QuotaLedger;
};

export type QuotaViolation = Whose & {
  violation_id: string;
  quota_id: string;
  resource_type: string;
  violation_time: string;
  last_time: string;
  times: number;
  current_usage: number;
  limit: number;
  exceeded_by: number;
  action_taken: string;
  shadow: boolean;
  resolved: boolean;
  resolved_at: string | null;
};

export type QuotaReservation = Whose & {
  reservation_id: string;
  subject: string;
  state: 'held' | 'settled' | 'released' | 'expired';
  amounts: Record<string, number>;
  quotas: string[];
  on_expiry: 'release' | 'charge';
  created_at: string;
  expires_at: string;
  ended_at: string | null;
};
