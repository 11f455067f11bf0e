import type { ResourceTypeName } from './resources.ts';

/** What can be counted: money in millionths of a US dollar, bytes whole. */
export type CountedKind =
  | 'requests'
  | 'llm_calls'
  | 'tokens'
  | 'cost_micros'
  | 'documents'
  | 'chunks'
  | 'stored_bytes'
  | 'backup_bytes'
  | 'concurrent_inserts'
  | ResourceTypeName;
export type QuotaTypeName = 'hard' | 'soft' | 'burst' | 'dynamic';
export type QuotaPeriodName = 'second' | 'minute' | 'hour' | 'day' | 'week' | 'month' | 'forever';
export type QuotaActionName = 'block' | 'warn' | 'throttle' | 'queue' | 'escalate';
export type QuotaDimensionName = 'target' | 'workspace' | 'user' | 'key';
export type QuotaWhenLost = 'closed' | 'open' | 'local_share';

export type QuotaBody = {
  readonly quota_id: string;
  readonly name: string;
  readonly description: string;
  readonly resource_type: CountedKind;
  readonly quota_type: QuotaTypeName;
  readonly period: QuotaPeriodName;
  readonly window: 'calendar' | 'sliding';
  readonly limit: number;
  /** Before a dynamic quota was adjusted. */
  readonly defined_limit: number;
  readonly burst_limit: number | null;
  readonly max_limit: number | null;
  readonly action: QuotaActionName;
  /** Only what belongs there; null: any. */
  readonly target_id: string | null;
  readonly workspace_id: string | null;
  readonly user_id: string | null;
  readonly key_id: string | null;
  /** Each of these has the limit for itself. */
  readonly per: readonly QuotaDimensionName[];
  readonly enabled: boolean;
  /** Counted and reported, never denied. */
  readonly shadow: boolean;
  readonly when_lost: QuotaWhenLost;
  readonly rate_per_minute: number | null;
  readonly wait_seconds: number;
  readonly ends_at: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly origin: 'file' | 'api' | 'default';
  readonly created_at: string | null;
  readonly updated_at: string | null;
};

type Whose = {
  /** Who shares the limit; empty: all. */
  readonly bucket: string;
  readonly target_id: string | null;
  readonly workspace_id: string | null;
  readonly user_id: string | null;
  readonly key_id: string | null;
};

export type QuotaBucketBody = Whose & {
  /** Used, held, forfeited and carried over: what counts against the limit. */
  readonly current_usage: number;
  readonly used: number;
  readonly held: number;
  readonly forfeited: number;
  readonly carried: number;
  readonly limit: number;
  readonly remaining: number;
  readonly used_percent: number | null;
  readonly period_start: string;
  readonly reset_at: string | null;
  readonly forecast: { readonly usage_at_end: number; readonly exhausted_at: string | null } | null;
};

export type QuotaUsageBody = {
  readonly quota_id: string;
  /** Of whoever used most. */
  readonly current_usage: number;
  readonly burst_usage: number;
  readonly limit: number;
  readonly remaining: number;
  readonly period_start: string | null;
  readonly reset_at: string | null;
  /** Of the last 24 hours. */
  readonly violations: number;
  /** Since the start. */
  readonly warnings: number;
  readonly bucket_count: number;
  readonly buckets: readonly QuotaBucketBody[];
};

export type QuotaViolationBody = Whose & {
  readonly violation_id: string;
  readonly quota_id: string;
  readonly resource_type: CountedKind;
  readonly violation_time: string;
  readonly last_time: string;
  /** How often it was tried while it lasted. */
  readonly times: number;
  readonly current_usage: number;
  readonly limit: number;
  readonly exceeded_by: number;
  /** `none` in shadow mode. */
  readonly action_taken: string;
  readonly shadow: boolean;
  readonly resolved: boolean;
  readonly resolved_at: string | null;
};

export type QuotaStatusBody = {
  readonly quotas: Readonly<Record<string, QuotaBody>>;
  readonly usage: Readonly<Record<string, QuotaUsageBody>>;
  readonly violations: readonly QuotaViolationBody[];
  readonly metrics: {
    readonly total_checks: number;
    readonly total_violations: number;
    readonly total_warnings: number;
    readonly blocks_enforced: number;
    readonly throttles_enforced: number;
    readonly queued: number;
    readonly quota_resets: number;
  };
  readonly ledger: {
    readonly state: 'answers' | 'lost';
    readonly lost_since: string | null;
    readonly unguarded: number;
    readonly refused_blind: number;
    readonly held_reservations: number;
    readonly waiting: number;
  };
};

export type OneQuotaBody = {
  readonly quota: QuotaBody;
  readonly usage: QuotaUsageBody;
  /** The newest first. */
  readonly history: readonly { readonly period_start: string; readonly used: number; readonly greatest: number }[];
};

export type OwnQuotaBody = {
  readonly quota_id: string;
  readonly name: string;
  readonly resource_type: string;
  readonly period: string;
  readonly shadow: boolean;
  readonly usage: QuotaBucketBody;
};

export type QuotaCheckResultBody = {
  readonly allowed: boolean;
  readonly quota_id: string;
  readonly bucket: string;
  /** Before this use. */
  readonly current_usage: number;
  readonly limit: number;
  readonly remaining: number;
  readonly action: QuotaActionName;
  readonly message: string;
  readonly is_warning: boolean;
  readonly is_violation: boolean;
  readonly exceeded_by: number;
  readonly shadow: boolean;
};

export type QuotaCheckBody = {
  readonly allowed: boolean;
  /** One for each quota that applies; empty: none does. */
  readonly results: readonly QuotaCheckResultBody[];
  readonly retry_after_seconds: number | null;
  readonly detail: string | null;
};

export type QuotaReservationBody = {
  readonly reservation_id: string;
  readonly subject: string;
  readonly state: 'held' | 'settled' | 'released' | 'expired';
  readonly amounts: Readonly<Record<string, number>>;
  readonly target_id: string | null;
  readonly workspace_id: string | null;
  readonly user_id: string | null;
  readonly key_id: string | null;
  /** Those in which it is held. */
  readonly quotas: readonly string[];
  readonly on_expiry: 'release' | 'charge';
  readonly created_at: string;
  readonly expires_at: string;
  readonly ended_at: string | null;
};

export type QuotaReplayBody = {
  readonly from: string | null;
  readonly to: string | null;
  readonly uses: number;
  readonly warned: number;
  readonly over: number;
  readonly greatest: number;
  readonly buckets: readonly {
    readonly bucket: string;
    readonly uses: number;
    readonly over: number;
    readonly greatest: number;
  }[];
  readonly examples: readonly { readonly at: string; readonly bucket: string; readonly exceeded_by: number }[];
};
