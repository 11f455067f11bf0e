/** The answers about cleanup, as the API's description has them. */

export type CleanupTask = {
  task_id: string;
  name: string;
  description: string;
  trigger_type: 'scheduled' | 'threshold_based' | 'event_driven' | 'health_check' | 'manual';
  priority: string;
  enabled: boolean;
  origin: 'file' | 'api' | 'default';
  schedule_expression: string | null;
  time_zone: string | null;
  threshold_condition: string | null;
  event_types: string[] | null;
  health: { check: string | null; becomes: string[] } | null;
  cleanup_type: string;
  last_run: string | null;
  next_run: string | null;
  run_count: number;
  success_rate: number | null;
  is_running: boolean;
  allowed_actions: string[];
};

export type CleanupStrategy = {
  name: string;
  about: string;
  undo: 'quarantine' | 'none';
  no_undo_reason: string | null;
  available: boolean;
  missing: string | null;
};

export type CleanupParams = Record<string, string | number | boolean | null>;

export type CleanupPlanSummary = {
  plan_id: string;
  strategy: string;
  params: CleanupParams;
  created_at: string;
  requested_by: string;
  item_count: number;
  size_bytes: number;
  complete: boolean;
  undo: 'quarantine' | 'none';
  run_id: string | null;
};

export type PlannedItem = {
  what: string;
  why: string;
  size_bytes: number | null;
  risk: 'low' | 'medium' | 'high';
  contained: { state: 'contained' | 'missing' | 'unknown' | 'not-data'; reason: string };
};

export type CleanupPlan = CleanupPlanSummary & { items: PlannedItem[]; kept: { what: string; why: string }[] };

export type CleanupRun = {
  run_id: string;
  task_id: string | null;
  strategy: string;
  started_by: string;
  started_at: string;
  outcome: 'running' | 'success' | 'partial' | 'error' | 'cancelled';
  message: string;
  resources_cleaned: number;
  skipped: number;
  failed: number;
  left_over: number;
  bytes_freed: number;
  error: string | null;
  execution_time_seconds: number | null;
  retry_attempt: number;
};

export type CleanupHistory = {
  items: CleanupRun[];
  total: number;
  totals: {
    total_successful_runs: number;
    total_failed_runs: number;
    total_resources_cleaned: number;
    total_bytes_freed: number;
    running_tasks: number;
    queued_tasks: number;
    success_rate: number | null;
  };
};

export type QuarantineEntry = {
  entry_id: string;
  run_id: string;
  strategy: string;
  what: string;
  size_bytes: number | null;
  held_at: string;
  expires_at: string;
  state: 'held' | 'undone' | 'expired';
  ended_at: string | null;
  note: string | null;
  allowed_actions: string[];
};

export type Quarantine = {
  items: QuarantineEntry[];
  next_cursor: string | null;
  held_count: number;
  held_bytes: number;
};
