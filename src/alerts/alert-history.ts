import type { Severity } from '../events/index.ts';
import type { PagePlace } from '../platform/paging.ts';
import type { ActionOutcome } from './action.ts';
import type { Condition } from './alert-rule.ts';
import type { Labels } from './reading.ts';

export type Acknowledgement = { readonly by: string; readonly atMs: number; readonly note: string | null };

/** One that fired: what the rule said then, and what became of it. */
export type FiredAlert = {
  readonly id: string;
  readonly rule: string;
  readonly fingerprint: string;
  readonly labels: Labels;
  readonly metricName: string;
  readonly condition: Condition;
  /** Null where the condition has none. */
  readonly threshold: number | null;
  readonly severity: Severity;
  readonly tags: Labels;
  readonly sinceMs: number;
  readonly firedAtMs: number;
  /** Null while it fires. */
  readonly resolvedAtMs: number | null;
  /** Why it fired. */
  readonly message: string;
  readonly resolvedReason: string | null;
  /** Last measured. */
  readonly value: number | null;
  readonly worst: number | null;
  readonly flapping: boolean;
  readonly acknowledged: Acknowledgement | null;
  readonly action: ActionOutcome | null;
};

export type HistoryFilter = {
  readonly rule?: string | undefined;
  readonly severity?: Severity | undefined;
  /** Fired at or after. */
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
  readonly open?: boolean | undefined;
  readonly before?: PagePlace | undefined;
  readonly offset?: number | undefined;
  readonly limit: number;
};
