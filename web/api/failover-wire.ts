/** The answers about failover and checkpoints, as the API's description has them. Null is "not known". */

export type PlaceName = 'home' | 'standby';

export type Failover = {
  failover_id: string;
  kind: 'failover' | 'reseed';
  target_id: string;
  from: PlaceName;
  to: PlaceName;
  state: 'running' | 'succeeded' | 'partial' | 'failed';
  phase: string;
  outcome: string | null;
  backup_id: string | null;
  checkpoint_id: string | null;
  source: string | null;
  taken_at: string | null;
  lost_seconds: number | null;
  size_bytes: number | null;
  canary: { verdict: string; message: string | null } | null;
  documents: { expected: number | null; found: number | null } | null;
  phases: { name: string; started_at: string; seconds: number | null }[];
  answered_after_seconds: number | null;
  lives: number;
  notes: string[];
  forced: boolean;
  operation_id: string | null;
  requested_by: string;
  created_at: string;
  finished_at: string | null;
};

export type Place = {
  place: PlaceName;
  url: string | null;
  zone: string | null;
  active: boolean;
  folders: { component: string; path: string }[];
  shared: string[];
  start: string;
  automatic: boolean;
};

export type FailoverStatus = {
  target_id: string;
  active: PlaceName;
  possible: boolean;
  reason: string | null;
  places: Place[];
  running: Failover | null;
  last: Failover | null;
  seeded: { place: PlaceName; backup_id: string; at: string } | null;
  allowed: ('failover' | 'reseed')[];
};

export type FailoverPlan = {
  plan_id: string;
  target_id: string;
  from: { place: PlaceName; url: string | null; answers: string | null };
  to: { place: PlaceName; url: string | null; zone: string | null };
  backup_id: string | null;
  taken_at: string | null;
  size_bytes: number | null;
  documents: { in_point: number | null; now: number | null };
  sources: { id: string; title: string }[];
  parts: { component: string; folder: string; size_bytes: number }[];
  left_alone: { component: string; reason: string }[];
  steps: string[];
  warnings: string[];
  blockers: string[];
};

export type Checkpoint = {
  checkpoint_id: string;
  cause: 'manual' | 'scheduled';
  graphs: string[];
  description: string;
  created_at: string;
  created_by: string;
  validated: boolean;
  validation_timestamp: string | null;
  points: { graph_id: string; target_id: string; backup_id: string; taken_at: string }[];
  drills: { backup_id: string; drill_id: string | null; verdict: string; reasons: string[] }[];
  metadata: Record<string, unknown>;
};

export type RecoveryStatus = {
  automatic: {
    target_id: string;
    interval_seconds: number;
    keep: number;
    last_at: string | null;
    next_at: string | null;
    reason: string | null;
  }[];
};
