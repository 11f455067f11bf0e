type Fact = string | number | boolean | null;

export type CleanupStrategyBody = {
  readonly name: string;
  readonly about: string;
  readonly undo: 'quarantine' | 'none';
  readonly no_undo_reason: string | null;
  readonly available: boolean;
  readonly missing: string | null;
  readonly added: boolean;
};

export type CleanupPlanSummaryBody = {
  readonly plan_id: string;
  readonly strategy: string;
  readonly params: Readonly<Record<string, Fact>>;
  readonly created_at: string;
  readonly requested_by: string;
  readonly item_count: number;
  readonly size_bytes: number;
  readonly complete: boolean;
  readonly undo: 'quarantine' | 'none';
  /** The operation that carried it out. */
  readonly run_id: string | null;
};

export type CleanupPlanBody = CleanupPlanSummaryBody & {
  /** The first thousand. */
  readonly items: readonly {
    readonly what: string;
    readonly why: string;
    readonly size_bytes: number | null;
    readonly risk: 'low' | 'medium' | 'high';
    /** Whether the newest verified recovery point holds it. */
    readonly contained: {
      readonly state: 'contained' | 'missing' | 'unknown' | 'not-data';
      readonly reason: string;
    };
  }[];
  /** What was looked at and stays; the first hundred. */
  readonly kept: readonly { readonly what: string; readonly why: string }[];
};

export type CleanupTriggerTypeName = 'scheduled' | 'threshold_based' | 'manual' | 'event_driven' | 'health_check';
export type CleanupPriorityName = 'low' | 'medium' | 'high' | 'critical';

export type CleanupRunBody = {
  readonly run_id: string;
  readonly task_id: string | null;
  readonly strategy: string;
  readonly plan_id: string | null;
  readonly trigger_type: CleanupTriggerTypeName | 'alert';
  readonly started_by: string;
  readonly started_at: string;
  readonly completed_at: string | null;
  readonly outcome: 'running' | 'success' | 'partial' | 'error' | 'cancelled';
  readonly success: boolean | null;
  readonly message: string;
  readonly resources_cleaned: number;
  readonly skipped: number;
  readonly failed: number;
  readonly left_over: number;
  readonly bytes_freed: number;
  readonly error: string | null;
  readonly execution_time_seconds: number | null;
  /** 0 is the first try. */
  readonly retry_attempt: number;
};

/** What the operation of a cleanup that ended tells in `result`. */
export type CleanupResult = {
  readonly run_id: string;
  readonly plan_id: string | null;
  readonly strategy: string;
  readonly outcome: string;
  readonly message: string;
  readonly cleaned: number;
  readonly skipped: number;
  readonly failed: number;
  readonly left_over: number;
  readonly bytes_freed: number;
  readonly attempt: number;
  readonly notes: readonly { readonly what: string; readonly why: string }[];
};

export type CleanupTotalsBody = {
  readonly total_tasks_run: number;
  readonly total_successful_runs: number;
  readonly total_failed_runs: number;
  readonly average_execution_time: number | null;
  readonly total_resources_cleaned: number;
  readonly total_bytes_freed: number;
  readonly total_tasks: number;
  readonly enabled_tasks: number;
  readonly running_tasks: number;
  readonly queued_tasks: number;
  /** 0 to 1; null until there was a run. */
  readonly success_rate: number | null;
};

export type QuarantineEntryBody = {
  readonly entry_id: string;
  readonly run_id: string;
  readonly strategy: string;
  readonly what: string;
  readonly size_bytes: number | null;
  readonly held_at: string;
  readonly expires_at: string;
  readonly state: 'held' | 'undone' | 'expired';
  readonly ended_at: string | null;
  readonly note: string | null;
  readonly allowed_actions: readonly 'undo'[];
};

export type CleanupTaskBody = {
  readonly task_id: string;
  readonly name: string;
  readonly description: string;
  readonly trigger_type: CleanupTriggerTypeName;
  readonly priority: CleanupPriorityName;
  readonly enabled: boolean;
  readonly origin: 'file' | 'api' | 'default';
  readonly schedule_expression: string | null;
  readonly time_zone: string | null;
  readonly missed: 'skip' | 'once' | null;
  readonly threshold_condition: string | null;
  readonly threshold: {
    readonly metric: string;
    readonly match: Readonly<Record<string, string>>;
    readonly aggregation: string;
    readonly window_seconds: number;
    readonly direction: string;
    readonly value: number;
    readonly clear: number;
  } | null;
  readonly event_types: readonly string[] | null;
  readonly health: { readonly check: string | null; readonly becomes: readonly string[] } | null;
  readonly cleanup_type: string;
  readonly params: Readonly<Record<string, Fact>>;
  readonly only_contained: boolean;
  readonly timeout_seconds: number;
  readonly retry_count: number;
  readonly retry_delay_seconds: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly last_run: string | null;
  readonly next_run: string | null;
  readonly run_count: number;
  readonly success_count: number;
  readonly failure_count: number;
  readonly average_duration_seconds: number | null;
  /** 0 to 1; null until there was a run. */
  readonly success_rate: number | null;
  readonly is_running: boolean;
  readonly allowed_actions: readonly ('run' | 'enable' | 'disable' | 'change' | 'remove')[];
};

export type WorkspaceCleanupBody = {
  readonly success: boolean;
  readonly message: string;
  readonly workspace_id: string | null;
  readonly operation_id: string;
};

export type WorkspaceCleanupStatsBody = {
  readonly total_cleanups: number;
  readonly expired_cleaned: number;
  readonly idle_cleaned: number;
  readonly size_cleaned: number;
  readonly forced_cleaned: number;
  readonly errors: number;
  readonly last_cleanup: string | null;
  readonly running: boolean;
  readonly settings: {
    readonly cleanup_enabled: boolean;
    readonly cleanup_interval_minutes: number;
    readonly ttl_hours: number;
    readonly max_idle_hours: number;
    readonly max_size_mb: number;
    readonly grace_period_minutes: number;
  };
};
