/** More answers of the HTTP API, about what proves that a point comes back. Null is "not known". */

export type TimelineRun = {
  backup_id: string;
  timestamp: string;
  status: 'running' | 'success' | 'partial' | 'error' | 'lost';
  grade: 'consistent' | 'crash-consistent' | 'fuzzy' | null;
  cause: string;
  workspace: string | null;
  pinned: boolean;
  verified_at: string | null;
  forgotten_at: string | null;
};

/** Oldest first. */
export type Timeline = { target_id: string; from: string; to: string; items: TimelineRun[]; left_out: boolean };

export type Audit = {
  verdict: 'clean' | 'leftovers' | 'incomplete' | 'damaged';
  dangling: Record<string, { count: number; examples: string[] }>;
  unchecked: string[];
};

export type ContentsComponent = {
  name: string;
  kind: string;
  partial: boolean;
  grade: string;
  reasons: string[];
  file_count: number;
  size_bytes: number;
  unfolded_files: number;
  streams: { name: string; size_bytes: number }[];
  counts: Record<string, number> | null;
  place: string | null;
  by_hand: string | null;
  skipped: { path: string; reason: string; loss: boolean }[];
  damaged: { path: string; reason: string }[];
  notes: string[];
};

export type PointContents = {
  backup_id: string;
  workspaces: string[];
  components: ContentsComponent[];
  barrier: { held: boolean; held_seconds: number | null; reason: string | null } | null;
  counts: Record<string, number> | null;
  audit: Audit | null;
  faults: { code: string; severity: string; message: string }[];
};

export type Verdict = 'passed' | 'failed' | 'error';

export type Drill = {
  drill_id: string;
  target_id: string;
  backup_id: string;
  kind: 'restore' | 'chaos';
  started_at: string;
  finished_at: string | null;
  /** Null while it runs. */
  verdict: Verdict | null;
  reasons: string[];
  phases: { name: string; component: string | null; seconds: number; times_in_restore: number }[];
  rto_seconds: number | null;
  size_bytes: number | null;
  evidence_sha256: string | null;
};

export type Rpo = {
  objective_seconds: number;
  measured_seconds: number | null;
  backup_id: string | null;
  /** Share of the loss budget that is used; 1 is the objective. */
  used: number | null;
  missed_at: string | null;
  met: boolean;
};

export type Objectives = {
  target_id: string;
  rpo: Rpo;
  workspaces: { workspace: string; rpo: Rpo }[];
  rto: {
    objective_seconds: number;
    measured_seconds: number | null;
    measured_at: string | null;
    drill_id: string | null;
    forecast_seconds: number | null;
    met: boolean | null;
    trend: { drill_id: string; at: string; rto_seconds: number; size_bytes: number | null }[];
  };
  drill: {
    /** 0: drills are not scheduled. */
    frequency_seconds: number;
    last_verdict: Verdict | null;
    last_drill_id: string | null;
    last_passed_at: string | null;
    failures_in_row: number;
    next_at: string | null;
    overdue_since: string | null;
  };
};

export type UpkeepKind = 'forget' | 'prune' | 'check';

export type Repository = {
  location: string;
  kind: string;
  state: 'ok' | 'missing' | 'wrong-password' | 'unavailable';
  reason: string | null;
  tool: string | null;
  locks: { id: string; host: string; pid: number; created_at: string; exclusive: boolean; holder: string }[];
  upkeep: {
    operation: UpkeepKind;
    last_success_at: string | null;
    last_failure_at: string | null;
    last_error: string | null;
    next_at: string | null;
    allowed_age_seconds: number | null;
    late: boolean;
  }[];
};

/** What the operation of a restore results in. */
export type RestoreResult = {
  backup_id: string;
  status: 'success' | 'partial';
  /** Seconds. */
  duration: number;
  user_data: { status: string; total_size_bytes: number; file_count: number };
  database: { status: string; size_bytes: number; components: string[] };
  safety_backup_id: string | null;
  undo: { folder: string; bytes: number | null }[];
  notes: string[];
};

/** What a point taken now would hold, and what it would lack. */
export type Sources = {
  items: {
    name: string;
    kind: string;
    online: boolean;
    consistent: 'always' | 'when-still';
    restorable_elsewhere: boolean;
    restored_by: 'swap' | 'restorer' | 'by-hand';
    notes: string[];
  }[];
  missing: { name: string; reason: string }[];
};
