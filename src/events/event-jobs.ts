import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import { deleteEventsBefore, type EventTables, firstKeptSeq } from './event-store.ts';

const dayMs = 86_400_000;

/**
 * Deletes events older than `retentionDays`, in bounded units so that other writes pass in between. The newest event always
 * stays, because numbering goes on from it; the audit trail is not touched.
 */
export function createEventRetention(options: {
  db: Database;
  clock: Clock;
  log: Logger;
  /** Read at each run. */
  retentionDays: number;
  intervalMs?: number;
  batch?: number;
}): Reconciler {
  const { db, clock, log, batch = 1_000 } = options;
  return createReconciler({
    name: 'events.retention',
    intervalMs: options.intervalMs ?? 3_600_000,
    clock,
    log,
    async run(signal) {
      const { retentionDays } = options;
      const firstKept = await firstKeptSeq(db.reader<EventTables>(), clock.now() - retentionDays * dayMs);
      if (firstKept === undefined) return;
      let deleted = 0;
      for (let last = batch; last === batch && !signal.aborted; deleted += last)
        last = await db.unit((tx) => deleteEventsBefore(tx, firstKept, batch));
      if (deleted > 0) log.info({ deleted, retentionDays }, 'expired events were deleted');
    },
  });
}
