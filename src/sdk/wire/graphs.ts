/** One workspace's part of a recovery point. */
export type Snapshot = {
  /** Of the recovery point. */
  readonly backup_id: string;
  readonly graph_id: string;
  /** Snapshots never change: `archived` and `restored` are words of the document that do not occur. */
  readonly status: 'pending' | 'in_progress' | 'completed' | 'failed' | 'archived' | 'restored';
  readonly timestamp: string;
  /** Null where the point does not tell this graph from others. */
  readonly size_bytes: number | null;
  /** SHA-256 of the graph's tree of files. */
  readonly data_hash: string | null;
  /** Null: kept for ever, or not there yet. */
  readonly retention_until: string | null;
  readonly checkpoint_path: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly error_message: string | null;
  /** `target`: part of a point of the whole target. */
  readonly scope: 'target' | 'workspace';
  readonly workspace: string;
  readonly cause: 'manual' | 'scheduled' | 'safety' | 'upgrade';
  /** Something of the graph is not in it. */
  readonly partial: boolean;
  readonly grade: 'consistent' | 'crash-consistent' | 'fuzzy' | null;
  readonly verified_at: string | null;
  readonly pinned: boolean;
  readonly operation_id: string | null;
  readonly allowed_actions: readonly ('restore' | 'delete')[];
};

/** `in_progress` while it goes on. */
export type DoneBody = { readonly status: string; readonly message: string; readonly operation_id: string };

export type CleanupBody = {
  /** Null while it goes on. */
  readonly deleted_snapshots: number | null;
  readonly kept_snapshots: number | null;
  /** Also why nothing was deleted. */
  readonly message: string;
  readonly operation_ids: readonly string[];
};

export type GraphStats = {
  readonly graph_id: string;
  readonly total_snapshots: number;
  readonly total_size_bytes: number;
  /** In units of 1024 × 1024 bytes. */
  readonly total_size_mb: number;
  readonly last_snapshot_time: string | null;
  readonly oldest_snapshot: string | null;
  readonly newest_snapshot: string | null;
  /** Older than retention keeps every one; some stay as the last of their day. */
  readonly expired_snapshots: number;
};

export type GraphStatsBody = {
  readonly total_graphs: number;
  readonly total_snapshots: number;
  readonly total_size_bytes: number;
  readonly graphs: readonly GraphStats[];
};

export type GraphScheduleBody = {
  readonly graph_id: string;
  /** Whether it has a schedule of its own. */
  readonly enabled: boolean;
  readonly source: 'graph' | 'target';
  readonly frequency_seconds: number;
  readonly next_run: string | null;
  readonly last_backup_id: string | null;
  readonly last_snapshot_time: string | null;
  readonly error: string | null;
};

export type BackupsSummaryBody = {
  readonly total_backups: number;
  readonly total_size_bytes: number;
  /** Of the last seven days, as are the failed ones. */
  readonly recent_backups: number;
  readonly failed_backups: number;
  readonly average_size_bytes: number | null;
  readonly oldest_backup: string | null;
  readonly newest_backup: string | null;
  readonly targets: readonly {
    readonly target_id: string;
    readonly status: 'idle' | 'scheduled' | 'running' | 'error';
    readonly newest_backup_id: string | null;
    readonly newest_verified_at: string | null;
    readonly next_backup: string | null;
    readonly rpo_met: boolean;
  }[];
  readonly recent: readonly {
    readonly backup_id: string;
    readonly target_id: string;
    readonly workspace: string | null;
    readonly status: 'running' | 'success' | 'partial' | 'error' | 'lost';
    readonly grade: 'consistent' | 'crash-consistent' | 'fuzzy' | null;
    readonly timestamp: string;
    readonly size_bytes: number | null;
    readonly verified_at: string | null;
  }[];
};
