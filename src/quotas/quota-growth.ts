import type { Bounded } from '../platform/bounded.ts';
import type { Database } from '../platform/database/index.ts';
import { countSlots, endOfNewest, type LedgerTables, pruneOldest } from './ledger-store.ts';
import { countEnded, pruneOldestReservations, type ReservationTables } from './reservation-store.ts';
import { countViolations, pruneViolations } from './violation-store.ts';

/** Rows of the ledger: those of windows that ended go, the oldest first. What counts now stays. */
export const boundedQuotaUsage = ({ db, now }: { db: Database; now: () => number }): Bounded => ({
  measure: () => countSlots(db.reader<LedgerTables>()),
  async trim(cap, batch) {
    const endedMs = await endOfNewest(db.reader<LedgerTables>(), cap);
    if (endedMs === undefined) return 0;
    return db.unit((tx) => pruneOldest(tx, Math.min(endedMs, now()), batch));
  },
});

/** Reservations that have ended. */
export const boundedReservations = ({ db }: { db: Database }): Bounded => ({
  measure: () => countEnded(db.reader<ReservationTables>()),
  async trim(cap, batch) {
    const excess = (await countEnded(db.reader<ReservationTables>())) - cap;
    return excess > 0 ? db.unit((tx) => pruneOldestReservations(tx, Math.min(excess, batch))) : 0;
  },
});

/** Violations that are over. */
export const boundedViolations = ({ db }: { db: Database }): Bounded => ({
  measure: () => countViolations(db.reader(), {}),
  trim: (cap, batch) => db.unit((tx) => pruneViolations(tx, { beforeMs: 0, newest: cap, limit: batch })),
});
