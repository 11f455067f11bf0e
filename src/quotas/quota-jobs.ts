import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { describeError } from '../platform/errors.ts';
import type { Part } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import { adjustDynamic, keptMsOf } from './dynamic.ts';
import { pruneSlots } from './ledger-store.ts';
import type { Quotas } from './quotas.ts';

const flushMs = 1_000;
const pruneEveryMs = 600_000;
const mostPruned = 2_000;

/**
 * The watch: takes back what the dead held, ends reservations whose time is over, resolves violations, adjusts dynamic quotas
 * and lets old slots go. With nothing defined it looks at tables that are empty.
 */
export function createQuotaWatch(options: {
  quotas: Quotas;
  db: Database;
  clock: Clock;
  log: Logger;
  intervalMs: number;
}): Reconciler {
  const { quotas, db, clock, log } = options;
  let prunedMs = clock.now();
  return createReconciler({
    name: 'quotas',
    intervalMs: options.intervalMs,
    runAtStart: false,
    clock,
    log,
    async run() {
      const nowMs = clock.now();
      try {
        await quotas.definitions.refresh();
        const reaped = await quotas.ledger.reap();
        if (reaped.length > 0) log.info({ count: reaped.length }, 'what dead processes held of quotas was taken back');
        await quotas.bookings.expire();
        await quotas.flush();
        await quotas.violations.resolve((id) => quotas.definitions.find(id));
        await adjustDynamic(db, quotas.definitions, nowMs);
        await quotas.definitions.sweep();
        quotas.lost.answered();
      } catch (err) {
        quotas.lost.failed(err);
        throw err;
      }
      if (nowMs - prunedMs < pruneEveryMs) return;
      prunedMs = nowMs;
      await quotas.bookings.prune();
      await quotas.violations.prune();
      await pruneAll(db, quotas, nowMs);
    },
  });
}

async function pruneAll(db: Database, quotas: Quotas, nowMs: number): Promise<void> {
  for (const quota of quotas.definitions.all()) {
    const endedMs = nowMs - keptMsOf(quota);
    if (Number.isFinite(endedMs) && endedMs > 0) await db.unit((tx) => pruneSlots(tx, quota.id, endedMs, mostPruned));
  }
}

/** Writes down once a second what was used, and learns what others began anew; asleep while neither matters. */
export function createQuotaWriter(options: { quotas: Quotas; clock: Clock; log: Logger }): Part {
  const { quotas, clock, log } = options;
  const stopping = new AbortController();
  let loop: Promise<void> | undefined;
  let started = false;
  const write = async (): Promise<void> => {
    const isDone = (): boolean => quotas.ledger.isIdle() && !quotas.violations.pending() && !quotas.ledger.remembers();
    while (!stopping.signal.aborted && !isDone()) {
      await clock.sleep(flushMs, stopping.signal).catch(() => undefined);
      if (!stopping.signal.aborted) await quotas.flush();
    }
  };
  return {
    name: 'quota ledger',
    start() {
      started = true;
      quotas.onUse(() => {
        if (loop !== undefined || stopping.signal.aborted) return;
        loop = write().finally(() => {
          loop = undefined;
        });
      });
    },
    async stop() {
      stopping.abort();
      quotas.waitingRoom.stop();
      await loop;
      if (!started) return;
      try {
        await quotas.ledger.flush({ everything: true });
        await quotas.violations.flush();
      } catch (err) {
        log.warn({ why: describeError(err) }, 'what was used of quotas at the end could not be written down');
      }
    },
  };
}
