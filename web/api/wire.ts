/** The answers of the HTTP API that the page reads, as its description (`/openapi.json`) has them. Null is "not known". */

export type HealthWord = 'healthy' | 'degraded' | 'unhealthy' | 'critical' | 'unknown';

export type HealthCheck = {
  name: string;
  about: 'watched' | 'own';
  status: string;
  message: string;
  time: string | null;
  observedValue?: number | string;
  observedUnit?: string;
};

/** `checks` is there for admins only. */
export type Health = { status: HealthWord; timestamp: string; checks?: HealthCheck[] };

export type Who = {
  subject: string;
  role: 'user' | 'service' | 'scrape' | 'admin';
  expires_at: string | null;
  csrf_token: string | null;
};

export type TargetWord = 'HEALTHY' | 'DEGRADED' | 'OFFLINE' | 'UNKNOWN';

/** One line that only some kinds of target have. */
export type TargetFact = { name: string; value: string | number | boolean | null; unit: string | null };

export type Target = {
  id: string;
  sample: boolean;
  status: TargetWord;
  reasons: { code: string; message: string }[];
  kind: string | null;
  configured_kind: 'lightrag' | 'graphrag' | 'custom';
  kind_from: 'settings' | 'detected' | 'default';
  facts: TargetFact[];
  not_applicable: { what: string; reason: string }[];
  core_version: string | null;
  api_version: string | null;
  endpoints: { url: string; workspace: string }[];
  stores: { name: string; kind: string; path: string; separation: string }[];
  observed_at: string | null;
  latency_ms: number | null;
  documents: Record<string, number> | null;
  pipeline: {
    busy: boolean;
    job_name: string;
    latest_message: string;
    unflushed: boolean | null;
    recovery_required: boolean;
  } | null;
  sizes: { store: string; bytes: number; files: number; counted_at: string }[];
  lifecycle: { automatic: boolean; stop: string; start: string };
};

export type Disk = { total: number; used: number; free: number; percent: number };

export type ProcessUse = {
  pid: number;
  /** 100 is one core. */
  cpu_percent: number | null;
  memory_percent: number;
  memory_info: { rss: number; vms: number | null };
  threads: number | null;
  open_files: number | null;
  connections: number | null;
};

type Stalls = { some: Stall; full: Stall | null } | null;
type Stall = { avg10: number; avg60: number; avg300: number };
export type Pressure = { cpu: Stalls; memory: Stalls; io: Stalls };

export type Container = {
  path: string;
  memory: { limit: number | null; used: number; percent: number | null; oom_kills: number | null } | null;
  cpu: {
    limit_cores: number | null;
    used_cores: number | null;
    percent: number | null;
    throttled_seconds: number | null;
  } | null;
  processes: { count: number | null; limit: number | null } | null;
};

export type System = {
  timestamp: string;
  uptime_seconds: number;
  cpu: {
    percent: number;
    count: number;
    physical_count: number | null;
    load_avg: number[];
    per_cpu: (number | null)[];
  };
  memory: {
    total: number;
    available: number;
    used: number;
    percent: number;
    swap_total: number;
    swap_used: number;
    swap_percent: number;
  };
  disk: (Disk & { data_dir?: Disk & { path: string }; mounts: (Disk & { path: string })[] }) | null;
  network: {
    bytes_sent: number;
    bytes_recv: number;
    errin: number;
    errout: number;
    dropin: number;
    dropout: number;
  } | null;
  process: ProcessUse;
  target_process: ProcessUse | null;
  pressure: Pressure | null;
  container: Container | null;
  target_container: Container | null;
};

export type HostCheck = { status: 'healthy' | 'warning' | 'unknown'; percent?: number | null };

export type HostHealth = {
  status: 'healthy' | 'degraded' | 'critical' | 'unknown';
  timestamp: string;
  checks: { cpu: HostCheck; memory: HostCheck; disk: HostCheck };
  reasons?: string[];
  metrics?: System | null;
};

export type BackupStatus = {
  status: 'idle' | 'scheduled' | 'running' | 'error';
  enabled: boolean;
  /** Whether points are taken by themselves. */
  schedule_on: boolean;
  available: boolean;
  unavailable_reason: string | null;
  /** Epoch seconds. */
  next_backup: number | null;
  last_backup_time: string | null;
  last_verified_backup: string | null;
  frequency: number;
  retention_days: number;
  daily_retention_days: number;
  backup_count: number;
  location: string;
  target_id: string;
  rpo: { objective_seconds: number; measured_seconds: number | null; met: boolean };
  warnings: string[];
  error?: string;
};

export type Point = {
  backup_id: string;
  timestamp: string;
  start_time: string;
  end_time: string | null;
  duration: number | null;
  status: 'running' | 'success' | 'partial' | 'error' | 'lost' | 'skipped';
  error?: string;
  /** Of all components, in units of 1024 × 1024 bytes; null when the point does not exist. */
  total_size_mb: number | null;
  target_id: string;
  /** Of a point of one workspace alone; the unnamed one is ''. */
  workspace: string | null;
  cause: 'manual' | 'scheduled' | 'safety' | 'upgrade';
  grade: 'consistent' | 'crash-consistent' | 'fuzzy' | null;
  reasons: string[];
  missing: { name: string; reason: string }[];
  verified_at: string | null;
  stored_bytes: number | null;
  documents: Record<string, number> | null;
  core_version: string | null;
  pinned: boolean;
  operation_id: string | null;
  allowed_actions: string[];
};

export type Operation = {
  id: string;
  kind: string;
  target_id: string | null;
  state: 'running' | 'succeeded' | 'partial' | 'failed' | 'cancelled' | 'interrupted';
  phase: string;
  progress: {
    bytes_done: number;
    bytes_total: number | null;
    files_done: number;
    files_total: number | null;
    rate_bytes_per_second: number | null;
    remaining_seconds: number | null;
    percent: number | null;
  };
  result: unknown;
  error: { code: string; title: string; detail: string } | null;
  requested_by: string;
  created_at: string;
  finished_at: string | null;
  allowed_actions: string[];
};

export type Severity = 'info' | 'warning' | 'error' | 'critical';

export type WardenEvent = {
  seq: number;
  at: string;
  type: string;
  severity: Severity;
  target_id: string | null;
  operation_id: string | null;
  message: string;
  data: Record<string, unknown>;
};

export type Page<T> = { items: T[]; next_cursor: string | null };

/** What a restore would do; nothing has been touched when it is shown. */
export type RestorePlan = {
  plan_id: string;
  backup_id: string;
  target_id: string;
  taken_at: string;
  grade: string | null;
  components: {
    name: string;
    folder: string;
    items: {
      name: string;
      action: 'replace' | 'add' | 'remove' | 'keep';
      reason: string;
      old_bytes: number | null;
      new_bytes: number | null;
      old_rows?: number | null;
      new_rows?: number | null;
    }[];
    bytes_in: number;
    bytes_out: number | null;
    free_needed_bytes: number | null;
    free_available_bytes: number | null;
    lost: {
      files: number;
      bytes: number;
      rows?: number | null;
      examples: { path: string; bytes: number; modified_at: string }[];
      row_examples?: string[];
    };
    kind: string;
    method: string;
    warnings: string[];
    blockers: string[];
  }[];
  scope: { workspace: string | null; as_workspace: string | null; aside: boolean };
  left_alone: { name: string; reason: string }[];
  backend: { automatic: boolean; stopped: boolean; stop: string; start: string };
  versions: { point: string | null; now: string | null };
  steps: string[];
  warnings: string[];
  blockers: string[];
};
