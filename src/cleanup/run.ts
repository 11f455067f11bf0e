import type { Facts } from './plan.ts';

export const runCauses = ['manual', 'scheduled', 'threshold_based', 'event_driven', 'health_check', 'alert'] as const;
export type RunCause = (typeof runCauses)[number];

/**
 * `success`: all that was to go is gone, or there was nothing. `partial`: something of it could not go. `error`: it failed as a whole.
 */
export type RunOutcome = 'success' | 'partial' | 'error' | 'cancelled';

/** One cleanup that was carried out, or is; its id is that of its operation. */
export type CleanupRun = {
  readonly id: string;
  readonly taskId: string | null;
  readonly strategy: string;
  readonly planId: string | null;
  readonly cause: RunCause;
  readonly startedBy: string;
  readonly startedMs: number;
  readonly finishedMs: number | null;
  /** Null while it runs. */
  readonly outcome: RunOutcome | null;
  readonly message: string;
  readonly cleaned: number;
  /** Changed since the plan, or in use: they stay. */
  readonly skipped: number;
  readonly failed: number;
  /** Handed back, because the budget was spent or the run was stopped. */
  readonly leftOver: number;
  readonly bytesFreed: number;
  /** From 1. */
  readonly attempt: number;
  readonly error: string | null;
};

/** What a caller may say of a run beside what is to be cleaned. */
export type CleanupRequest = {
  readonly strategy: string;
  readonly params: Facts;
};
