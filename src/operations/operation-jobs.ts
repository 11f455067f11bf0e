import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import { deleteFinishedBefore, deleteIdempotencyKeysBefore } from './operation-store.ts';
import { idempotencyMs } from './operations.ts';

const dayMs = 86_400_000;

/** Deletes operations that ended more than `retentionDays` ago, in bounded units, and idempotency keys that no longer count. */
export function createOperationRetention(options: {
  db: Database;
  clock: Clock;
  log: Logger;
  /** Read at each run. */
  retentionDays: number;
  intervalMs?: number;
  batch?: number;
}): Reconciler {
  const { db, clock, log, batch = 500 } = options;
  return createReconciler({
    name: 'operations.retention',
    intervalMs: options.intervalMs ?? 3_600_000,
    clock,
    log,
    async run(signal) {
      const { retentionDays } = options;
      const nowMs = clock.now();
      await db.unit((tx) => deleteIdempotencyKeysBefore(tx, nowMs - idempotencyMs));
      let deleted = 0;
      for (let last = batch; last === batch && !signal.aborted; deleted += last)
        last = await db.unit((tx) => deleteFinishedBefore(tx, nowMs - retentionDays * dayMs, batch));
      if (deleted > 0) log.info({ deleted, retentionDays }, 'ended operations of long ago were deleted');
    },
  });
}
