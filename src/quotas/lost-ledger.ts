import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError, describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';

/** Whether the ledger answers. Lost, it is asked now and then only: each use would wait for the same silence. */
export type LostLedger = {
  shouldAsk(nowMs: number): boolean;
  answered(): void;
  failed(err: unknown): void;
  /** Null: it answers. */
  sinceMs(): number | null;
};

const askAgainMs = 1_000;

export function createLostLedger(options: {
  db: Database;
  clock: Pick<Clock, 'now'>;
  events: Pick<EventRecorder, 'record'>;
  log: Logger;
}): LostLedger {
  const { db, clock, events, log } = options;
  let sinceMs: number | null = null;
  let askedMs = 0;
  return {
    shouldAsk(nowMs) {
      if (sinceMs === null) return true;
      if (nowMs - askedMs < askAgainMs) return false;
      askedMs = nowMs;
      return true;
    },
    answered() {
      if (sinceMs === null) return;
      const forMs = clock.now() - sinceMs;
      sinceMs = null;
      log.info({ forMs }, 'the ledger of the quotas answers again');
      const message = `The ledger of the quotas answers again after ${Math.round(forMs / 1_000)} s; what passed meanwhile is written down.`;
      db.unit((tx) =>
        events.record(tx, { type: 'quota.ledger-back', severity: 'info', message, data: { for_ms: forMs } }),
      ).catch((err: unknown) => log.warn({ err }, 'an event of the quotas could not be written down'));
    },
    failed(err) {
      if (err instanceof AppError && err.code === 'internal/stopping') return;
      askedMs = clock.now();
      if (sinceMs !== null) return;
      sinceMs = askedMs;
      log.error(
        { err, why: describeError(err) },
        'the ledger of the quotas does not answer; each quota does what it says for that',
      );
    },
    sinceMs: () => sinceMs,
  };
}
