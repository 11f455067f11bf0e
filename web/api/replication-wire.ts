/** The answers about replication, as the API's description has them. */

export type Replica = {
  target_id: string;
  name: string;
  kind: string;
  base_url: string | null;
  location: string | null;
  zone: string | null;
  offline: boolean;
  enabled: boolean;
  idle_reason: string | null;
  limit_kib_per_second: number | null;
  /** It is begun while fewer places than this are worked on; null: as the setting says. */
  max_concurrent: number | null;
  metadata: Record<string, unknown>;
  origin: 'file' | 'api';
  status: 'healthy' | 'degraded' | 'unreachable' | 'unknown';
  error: string | null;
  last_health_check: string | null;
  last_reached: string | null;
  last_synced: string | null;
  last_verified: string | null;
  verified_percent: number | null;
  last_pruned: string | null;
  /** In a row. */
  prune_failures: number;
  findings: string[];
  conflict: string | null;
  stuck: { backup_id: string; reason: string; attempts: number; last_attempt: string }[];
  stored_bytes: number | null;
  /** Of other installations that keep theirs there under the same key. */
  other_bytes: number | null;
  lag: {
    target: string;
    copies: number;
    lag_seconds: number | null;
    missing_points: number;
    missing_bytes: number;
    newest_taken_at: string | null;
  }[];
  allowed_actions: ('replicate' | 'verify' | 'heal' | 'prune' | 'change' | 'remove')[];
};

export type ReplicationStatus = {
  configured: boolean;
  enabled: boolean;
  status: string;
  message: string;
  paused: string | null;
  refused: { backup_id: string; reason: string }[];
  targets: Replica[];
  placement: { target: string; met: boolean; copies: number; zones: number; offline: boolean; missing: string[] }[];
};

export type ReplicationLogEntry = {
  log_id: string;
  operation_id: string | null;
  target_id: string;
  graph_id: string | null;
  backup_id: string | null;
  operation_type: string;
  status: string;
  started_at: string;
  duration_seconds: number | null;
  bytes_transferred: number | null;
  data_hash: string | null;
  error_message: string | null;
  metadata: Record<string, unknown>;
};

export type ReceivedPoint = {
  sender: string;
  graph_id: string;
  backup_id: string;
  data_hash: string;
  taken_at: string | null;
  size_bytes: number;
  received_at: string;
};

/** What adopting a received point came to. */
export type Adopted = {
  backup_id: string;
  graph_id: string;
  sender: string;
  already_there: boolean;
  restorable: boolean;
  next: string;
};
