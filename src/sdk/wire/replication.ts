export type ReplicaKind = 'folder' | 's3' | 'azure' | 'gs' | 'rest' | 'sftp' | 'rclone' | 'ragwarden';
export type ReplicaStatusWord = 'healthy' | 'degraded' | 'unreachable' | 'unknown';

export type ReplicaBody = {
  readonly target_id: string;
  readonly name: string;
  readonly kind: ReplicaKind;
  readonly base_url: string | null;
  readonly location: string | null;
  readonly zone: string | null;
  readonly offline: boolean;
  readonly enabled: boolean;
  /** Why nothing is copied there, whatever the place is like; null: it is. */
  readonly idle_reason: string | null;
  readonly limit_kib_per_second: number | null;
  readonly max_concurrent: number | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly origin: 'file' | 'api';
  readonly created_at: string | null;
  readonly status: ReplicaStatusWord;
  readonly error: string | null;
  readonly last_health_check: string | null;
  readonly last_reached: string | null;
  readonly last_synced: string | null;
  readonly last_verified: string | null;
  readonly verified_percent: number | null;
  readonly last_pruned: string | null;
  /** How often in a row freeing what nothing needs failed there. */
  readonly prune_failures: number;
  /** Damage that was found there and not healed. */
  readonly findings: readonly string[];
  readonly conflict: string | null;
  /** Points that cannot be copied there for a reason of their own; the others are. Each is tried again. */
  readonly stuck: readonly {
    readonly backup_id: string;
    readonly reason: string;
    /** In a row. */
    readonly attempts: number;
    readonly last_attempt: string;
  }[];
  readonly stored_bytes: number | null;
  /** What other installations keep there under the same key. */
  readonly other_bytes: number | null;
  readonly lag: readonly {
    readonly target: string;
    readonly copies: number;
    /** 0: the newest verified point is there. Null: there is no point. */
    readonly lag_seconds: number | null;
    readonly missing_points: number;
    readonly missing_bytes: number;
    readonly newest_backup_id: string | null;
    readonly newest_taken_at: string | null;
  }[];
  readonly allowed_actions: readonly ('replicate' | 'verify' | 'heal' | 'prune' | 'change' | 'remove')[];
};

export type ReplicaHealth = {
  readonly target_id: string;
  readonly status: ReplicaStatusWord;
  readonly error: string | null;
  readonly last_health_check: string | null;
};

export type PlacementBody = {
  readonly target: string;
  readonly met: boolean;
  readonly copies: number;
  readonly zones: number;
  readonly offline: boolean;
  readonly missing: readonly string[];
};

/** Everything about replicas. */
export type ReplicationStatus = {
  readonly configured: boolean;
  readonly enabled: boolean;
  readonly status: 'not configured' | 'healthy' | 'degraded' | 'unhealthy' | 'unknown';
  readonly message: string;
  /** Why nothing is copied, whatever the targets are like. */
  readonly paused: string | null;
  readonly refused: readonly { readonly backup_id: string; readonly reason: string }[];
  readonly targets: readonly ReplicaBody[];
  readonly placement: readonly PlacementBody[];
};

export type GraphReplicationBody = {
  readonly graph_id: string;
  readonly total_targets: number;
  readonly enabled_targets: number;
  readonly newest_backup_id: string | null;
  readonly newest_taken_at: string | null;
  readonly recent_operations: number;
  readonly successful_operations: number;
  readonly failed_operations: number;
  readonly last_replication: string | null;
  readonly placement: PlacementBody | null;
  readonly targets: readonly ReplicaBody[];
};

export type ReplicationLogType = 'sync' | 'validate' | 'health_check' | 'heal' | 'receive' | 'forget' | 'prune';
export type ReplicationLogStatus = 'pending' | 'in_progress' | 'completed' | 'failed' | 'validated';
export type ReplicationLogBody = {
  readonly log_id: string;
  readonly operation_id: string | null;
  readonly target_id: string;
  readonly graph_id: string | null;
  readonly backup_id: string | null;
  readonly operation_type: ReplicationLogType;
  readonly status: ReplicationLogStatus;
  readonly started_at: string;
  readonly completed_at: string | null;
  readonly duration_seconds: number | null;
  readonly bytes_transferred: number | null;
  readonly data_hash: string | null;
  readonly error_message: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
};

export type BegunReplication = {
  readonly graph_id: string;
  readonly operation_ids: readonly string[];
  /** Targets at which somebody works already. */
  readonly busy: readonly string[];
};

/** A point that another ragwarden sent. */
export type ReceivedBody = {
  readonly sender: string;
  readonly graph_id: string;
  readonly backup_id: string;
  readonly data_hash: string;
  readonly tree_id: string | null;
  readonly taken_at: string | null;
  readonly size_bytes: number;
  readonly received_at: string;
};
