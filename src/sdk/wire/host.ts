export type DiskBody = {
  readonly total: number;
  readonly used: number;
  readonly free: number;
  readonly percent: number;
};

export type ProcessBody = {
  readonly pid: number;
  /** 100 is one core; null before it was measured twice. */
  readonly cpu_percent: number | null;
  readonly memory_percent: number;
  readonly memory_info: { readonly rss: number; readonly vms: number | null };
  readonly threads: number | null;
  readonly open_files: number | null;
  /** Open sockets of every kind. */
  readonly connections: number | null;
};

/** Percent of the last 10, 60 and 300 s. */
export type StallBody = {
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  /** Microseconds; only grows. */
  readonly total_us: number;
};

/** Time in which at least one task waited (`some`), or none got on (`full`). */
export type StallsBody = { readonly some: StallBody; readonly full: StallBody | null };

export type PressureBody = {
  readonly cpu: StallsBody | null;
  readonly memory: StallsBody | null;
  readonly io: StallsBody | null;
};

/** A control group with its limits. Percent is of the limit; null where there is none. */
export type ContainerBody = {
  readonly path: string;
  /** Of control groups. */
  readonly version: 1 | 2;
  readonly memory: {
    readonly limit: number | null;
    /** Without the file cache that can be dropped at once. */
    readonly used: number;
    readonly percent: number | null;
    readonly swap_limit: number | null;
    readonly swap_used: number | null;
    /** Processes ended for want of memory. */
    readonly oom_kills: number | null;
  } | null;
  readonly cpu: {
    readonly limit_cores: number | null;
    readonly used_cores: number | null;
    readonly percent: number | null;
    readonly usage_seconds: number;
    readonly periods: number | null;
    readonly throttled_periods: number | null;
    readonly throttled_seconds: number | null;
  } | null;
  readonly processes: { readonly count: number | null; readonly limit: number | null } | null;
  readonly pressure: PressureBody | null;
};

export type SystemBody = {
  readonly timestamp: string;
  /** Of the machine. */
  readonly uptime_seconds: number;
  readonly cpu: {
    readonly percent: number;
    readonly count: number;
    readonly physical_count: number | null;
    /** Over 1, 5 and 15 minutes. */
    readonly load_avg: readonly number[];
    readonly per_cpu: readonly (number | null)[];
  };
  readonly memory: {
    readonly total: number;
    readonly available: number;
    readonly used: number;
    readonly percent: number;
    readonly swap_total: number;
    readonly swap_used: number;
    readonly swap_percent: number;
  };
  /** Of the file system of `/`; null when it did not answer. */
  readonly disk:
    | (DiskBody & {
        readonly data_dir?: DiskBody & {
          readonly path: string;
          readonly user_directories?: Readonly<Record<string, number>>;
          readonly user_directories_measured_at?: string;
        };
        readonly mounts: readonly (DiskBody & { readonly path: string })[];
      })
    | null;
  /** Null when it could not be read. */
  readonly network: {
    readonly bytes_sent: number;
    readonly bytes_recv: number;
    readonly packets_sent: number | null;
    readonly packets_recv: number | null;
    readonly errin: number;
    readonly errout: number;
    readonly dropin: number;
    readonly dropout: number;
  } | null;
  /** ragwarden itself. */
  readonly process: ProcessBody;
  /** The backend's process; null where it is not known or not on this machine. */
  readonly target_process: ProcessBody | null;
  /** Null where the kernel keeps no account of waiting. */
  readonly pressure: PressureBody | null;
  /** The container (pod, unit) ragwarden runs in; null on the bare machine. What stands above stays the machine's. */
  readonly container: ContainerBody | null;
  /** That of the backend, where it is another one and can be seen. */
  readonly target_container: ContainerBody | null;
};

export type HostCheckBody = { readonly status: 'healthy' | 'warning' | 'unknown'; readonly percent?: number | null };

/** A stranger gets the words; percentages, reasons and metrics are for admins. */
export type HostHealthBody = {
  readonly status: 'healthy' | 'degraded' | 'critical' | 'unknown';
  readonly timestamp: string;
  readonly checks: { readonly cpu: HostCheckBody; readonly memory: HostCheckBody; readonly disk: HostCheckBody };
  readonly reasons?: readonly string[];
  readonly metrics?: SystemBody | null;
};

export type UserMetricsBody = {
  readonly user_id: string;
  readonly metrics: {
    /** `size_mb` is mebibytes; null when there is no such directory. */
    readonly storage: { readonly size_bytes: number; readonly size_mb: number } | null;
    /** Since ragwarden started; null when nothing passed. */
    readonly usage: {
      readonly requests: number;
      readonly errors: number;
      readonly llm_calls: number;
      readonly prompt_tokens: number;
      readonly completion_tokens: number;
      readonly cost_usd: number;
      readonly first_seen: string;
      readonly last_seen: string;
    } | null;
  };
};
