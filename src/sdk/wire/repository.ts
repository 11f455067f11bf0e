/** A lock of the repository tool. Only those of dead holders on the warden's machine can be removed over the API. */
export type RepositoryLockBody = {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly username: string;
  readonly created_at: string;
  readonly exclusive: boolean;
  readonly holder: 'ours-dead' | 'dead' | 'alive' | 'elsewhere';
};

/** Where the recovery points lie, and when what keeps it in order last succeeded. */
export type RepositoryBody = {
  readonly location: string;
  readonly kind: string;
  readonly state: 'ok' | 'missing' | 'wrong-password' | 'unavailable';
  readonly reason: string | null;
  readonly id: string | null;
  readonly format_version: number | null;
  readonly tool: string | null;
  readonly locks: readonly RepositoryLockBody[];
  readonly upkeep: readonly {
    readonly operation: 'forget' | 'prune' | 'check';
    readonly last_success_at: string | null;
    readonly last_failure_at: string | null;
    readonly last_error: string | null;
    /** Null: it does not run by itself. */
    readonly next_at: string | null;
    readonly allowed_age_seconds: number | null;
    readonly late: boolean;
  }[];
  readonly warnings: readonly string[];
};
