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
