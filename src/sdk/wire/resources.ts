export type ResourceTypeName =
  | 'memory'
  | 'file_handle'
  | 'network_connection'
  | 'database_connection'
  | 'async_task'
  | 'thread'
  | 'process'
  | 'cache'
  | 'lock'
  | 'temporary_file';
export type ResourceStatus = 'active' | 'idle' | 'leaked' | 'cleaned_up' | 'error';
export type LeakSeverity = 'low' | 'medium' | 'high' | 'critical';

export type ResourceBody = {
  readonly resource_id: string;
  readonly resource_type: ResourceTypeName;
  readonly status: ResourceStatus;
  readonly owner: string | null;
  readonly workspace_id: string | null;
  readonly parent_id: string | null;
  readonly size_bytes: number | null;
  readonly ttl_seconds: number | null;
  readonly lease_seconds: number | null;
  readonly metadata: Readonly<Record<string, string | number | boolean | null>>;
  readonly registered_by: string;
  readonly created_at: string;
  /** Used; registering counts as the first use. */
  readonly last_accessed: string;
  /** Used, or a sign of life. */
  readonly last_seen: string;
  readonly access_count: number;
  readonly error: string | null;
};

export type ResourceLeakBody = {
  readonly resource_id: string;
  readonly resource_type: ResourceTypeName;
  readonly leak_detected_at: string;
  /** Since it went past its limit. */
  readonly leak_duration_seconds: number;
  readonly severity: LeakSeverity;
  readonly description: string;
  readonly suggested_action: string;
  readonly rule: 'age' | 'ttl' | 'lease';
  readonly resource_info: ResourceBody;
};

export type ResourceLeaksBody = {
  readonly items: readonly ResourceLeakBody[];
  readonly next_cursor: string | null;
  /** Before the limit. */
  readonly total: number;
  /** When all were last looked at; null before the first time. */
  readonly checked_at: string | null;
  /** Of processes and servers seen from outside; all of them, confirmed ones first. */
  readonly observed: readonly ObservedLeakBody[];
};

export type MeasureName =
  | 'memory'
  | 'descriptors'
  | 'sockets'
  | 'sockets_close_wait'
  | 'threads'
  | 'children'
  | 'temporary_files'
  | 'database_sessions'
  | 'idle_in_transaction'
  | 'redis_clients';

/** Growth of a process or a server, seen from outside. */
export type ObservedLeakBody = {
  readonly subject: string;
  readonly measure: MeasureName;
  readonly resource_type: ResourceTypeName;
  /** Confirmed: no harmless story explains it as well, and it went on for longer than these take. */
  readonly level: 'suspected' | 'confirmed';
  readonly severity: LeakSeverity;
  /** 0 to 1. */
  readonly confidence: number;
  readonly suspected_at: string;
  readonly confirmed_at: string | null;
  readonly last_seen: string;
  readonly value: number | null;
  readonly unit: 'bytes' | 'count';
  readonly growth_per_hour: number;
  readonly growth_percent: number;
  readonly hours: number;
  /** Over how many runs of the service. */
  readonly runs: number;
  readonly found_by: 'stories' | 'runaway' | 'restarts' | null;
  readonly story: string | null;
  /** The best of those that were rejected. */
  readonly closest_harmless_story: string | null;
  readonly description: string;
  readonly suggested_action: string;
};

export type ObservedSeriesBody = {
  readonly subject: string;
  readonly measure: MeasureName;
  readonly unit: 'bytes' | 'count';
  readonly value: number | null;
  readonly last_seen: string;
  /** Quarters of an hour that are kept of it, at most three days. */
  readonly floors: number;
  readonly level: 'none' | 'suspected' | 'confirmed';
};

export type LeakEvidenceBody = ObservedSeriesBody & {
  readonly leak: ObservedLeakBody | null;
  /** In the order of time; where `up_seconds` falls, the service was restarted. */
  readonly points: readonly { readonly at: string; readonly value: number; readonly up_seconds: number }[];
};

export type ResourceSummaryBody = {
  /** Registered, and neither released nor unregistered. */
  readonly total_resources: number;
  readonly max_tracked: number;
  readonly resources_by_type: Readonly<Record<ResourceTypeName, number>>;
  /** `cleaned_up` are the last thousand that were released; they are not part of `total_resources`. */
  readonly resources_by_status: Readonly<Record<ResourceStatus, number>>;
  readonly total_leaks: number;
  readonly leaks_by_type: Readonly<Record<ResourceTypeName, number>>;
  /** Of processes and servers, seen from outside; null while nothing is looked at. */
  readonly observed_leaks: { readonly suspected: number; readonly confirmed: number } | null;
  /** Exceeded now, those in shadow mode too. */
  readonly quota_violations: number;
  readonly checked_at: string | null;
  readonly metrics: {
    readonly total_resources_created: number;
    readonly total_resources_cleaned: number;
    readonly total_leaks_detected: number;
    readonly total_quota_violations: number;
    readonly cleanup_success_rate: number | null;
    readonly leak_detection_rate: number | null;
    readonly memory_current_bytes: number;
    readonly memory_peak_bytes: number;
    readonly memory_growth_bytes: number;
    readonly system_memory_percent: number | null;
    readonly system_cpu_percent: number | null;
    readonly system_open_files: number | null;
    readonly system_threads: number | null;
  };
};
