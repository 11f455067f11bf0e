/** Long work: what it does now, and how it ended. */
export type OperationBody = {
  readonly id: string;
  readonly kind: string;
  readonly target_id: string | null;
  readonly state: 'running' | 'succeeded' | 'partial' | 'failed' | 'cancelled' | 'interrupted';
  readonly phase: string;
  readonly progress: {
    readonly bytes_done: number;
    readonly bytes_total: number | null;
    readonly files_done: number;
    readonly files_total: number | null;
    readonly rate_bytes_per_second: number | null;
    readonly remaining_seconds: number | null;
    readonly percent: number | null;
  };
  /** What the kind of operation tells at its end; null before. */
  readonly result: unknown;
  readonly error: {
    readonly code: string;
    readonly title: string;
    readonly status: number;
    readonly detail: string;
    readonly retryable: boolean;
  } | null;
  readonly requested_by: string;
  readonly created_at: string;
  readonly finished_at: string | null;
  readonly allowed_actions: readonly 'cancel'[];
};
