/** One background job, and whether it keeps its time. */
export type JobBody = {
  readonly name: string;
  readonly interval_seconds: number;
  readonly runs: number;
  readonly failures: number;
  readonly running: boolean;
  readonly last_started_at: string | null;
  readonly last_finished_at: string | null;
  /** Of the last run; null when it went well. */
  readonly last_error: string | null;
  /** Why it counts as stuck or overdue; null while it keeps its time. */
  readonly late: string | null;
};

/** One kind of what ragwarden itself keeps, and what bounds it. */
export type GrowthBody = {
  readonly kind: string;
  readonly what: string;
  readonly unit: 'entries' | 'bytes';
  /** Null before the first look. */
  readonly used: number | null;
  /** Null: none. */
  readonly cap: number | null;
  readonly percent: number | null;
  /** What sets the cap. */
  readonly setting: string;
  readonly measured_at: string | null;
  readonly last_trimmed_at: string | null;
  /** How much went then. */
  readonly last_trimmed: number | null;
  readonly error: string | null;
};

type PlannedLog = {
  readonly file: string;
  readonly bytes: number;
  readonly written_at: string;
  readonly action: 'rotate' | 'compress' | 'delete' | 'leave';
  readonly reason: string;
};

/** A folder with logs, and what would be done with each. */
export type LogFolderBody = {
  readonly folder: string;
  readonly pattern: string;
  readonly how: 'rename' | 'copy-truncate' | 'reopen';
  readonly unreadable: string | null;
  readonly rotation: readonly PlannedLog[];
  readonly cleanup: readonly PlannedLog[];
};

type FailedLog = { readonly file: string; readonly reason: string };

/** What a rotation did. */
export type LogRotation = {
  readonly timestamp: string;
  readonly rotated_files: readonly {
    readonly original: string;
    readonly rotated: string;
    readonly size_mb: number;
    readonly compressed: boolean;
    /** Nothing a process wrote meanwhile can have been lost. */
    readonly lossless: boolean;
    readonly note: string | null;
  }[];
  readonly total_size_mb: number;
  /** Set aside earlier. */
  readonly compressed_files: readonly string[];
  readonly failed_files: readonly FailedLog[];
};

export type LogCleanup = {
  readonly timestamp: string;
  readonly days_to_keep: number;
  readonly deleted_files: readonly { readonly file: string; readonly size_mb: number; readonly age_days: number }[];
  readonly freed_space_mb: number;
  readonly failed_files: readonly FailedLog[];
};

export type RestartedJobBody = {
  readonly name: string;
  /** `waiting`: its run has not ended; it begins anew as soon as it does. */
  readonly outcome: 'restarted' | 'aborted' | 'waiting' | 'inactive';
};

export type CacheBody = {
  readonly id: string;
  readonly about: string;
  readonly consequence: string;
  readonly confirm_needed: boolean;
  readonly size_bytes: number | null;
  readonly entries: number | null;
  readonly last_cleared: string | null;
};

export type CacheStatsBody = {
  readonly total_size_bytes: number;
  readonly total_files: number;
  readonly cache_hit_rate: null;
  readonly last_cleared: string | null;
  readonly cache_types: readonly string[];
  readonly namespaces: Readonly<Record<string, CacheBody>>;
};

export type ClearedCachesBody = {
  readonly success: boolean;
  readonly message: string;
  readonly files_cleared: number;
  readonly bytes_freed: number;
  readonly namespace: null;
  readonly cache_types_cleared: readonly string[];
  readonly results: readonly {
    readonly id: string;
    readonly bytes_freed: number | null;
    readonly entries_cleared: number | null;
    readonly error: string | null;
  }[];
};

/** The settings of both sides as they are written. */
export type ConfigValidationBody = {
  readonly valid: boolean;
  readonly config_type: 'all' | 'ragwarden' | 'provider' | 'graphrag' | 'workspace';
  readonly strict_mode: boolean;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  readonly suggestions: readonly string[];
  /** Of the backend; secrets as ***. */
  readonly validated_config: Readonly<Record<string, string>> | null;
  readonly validation_details: {
    readonly findings: readonly {
      readonly severity: 'error' | 'warning' | 'suggestion';
      readonly of: 'ragwarden' | 'provider' | 'graphrag' | 'workspace';
      readonly place: string;
      readonly message: string;
      readonly mend: string;
    }[];
    readonly files: readonly { readonly file: string; readonly read: boolean }[];
  };
};
