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
