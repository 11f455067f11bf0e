import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { Logger } from '../platform/logging.ts';
import type { Metrics } from './metrics.ts';
import type { ReadBack } from './read-back/read-back.ts';

export type ResourceNumbers = {
  readonly tracked: number;
  readonly byType: Readonly<Record<string, number>>;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly leaks: number;
};

/** What is counted was since ragwarden started. */
export type QuotaNumbers = {
  readonly quotas: number;
  /** Of them those that deny or hold up, and not only count. */
  readonly enforced: number;
  /** Exceeded now. */
  readonly open: number;
  readonly checks: number;
  readonly violations: number;
  readonly warnings: number;
  readonly blocks: number;
  readonly throttles: number;
  readonly resets: number;
};

export type MetricRouteDeps = {
  readonly metrics: Metrics;
  /** Left out: no other store is read. */
  readonly readBack?: ReadBack | undefined;
  /** State, where the audit trail is. */
  readonly db: Database;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  /** @throws AppError `feature/disabled` */
  requireEnabled(): Promise<void>;
  /** The overall word of the health checks. */
  health(): { readonly atMs: number; readonly status: string };
  /** What is registered; left out where nobody can register anything. */
  resources?(): ResourceNumbers;
  /** What may be used; left out where nothing is limited. */
  quotas?(): Promise<QuotaNumbers>;
  /** Rules and alerts in numbers; left out where there are none. */
  alerts?(): Promise<AlertNumbers | undefined>;
  readonly startedMs: number;
};

export type AlertNumbers = {
  readonly firing: number;
  readonly rules: number;
  /** That fired, as far as the history goes back. */
  readonly triggered: number;
  /** Of the last evaluation; null before it. */
  readonly evaluationMs: number | null;
};
