import type { Bounded } from '../platform/bounded.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { countDeliveries, type DeliveryTables, deleteOldestDeliveries } from './delivery-store.ts';
import { countSilences, deleteOldestSilences, type SilenceTables } from './silence-store.ts';

/** The outbox; the oldest that are over go, what still waits never. */
export const boundedDeliveries = (db: Database): Bounded => ({
  measure: () => countDeliveries(db.reader<DeliveryTables>()),
  async trim(cap, batch) {
    const excess = (await countDeliveries(db.reader<DeliveryTables>())) - cap;
    return excess > 0 ? db.unit((tx) => deleteOldestDeliveries(tx, Math.min(excess, batch))) : 0;
  },
});

/** Silences; the oldest that are over go, live ones never. */
export const boundedSilences = ({ db, clock }: { db: Database; clock: Clock }): Bounded => ({
  measure: () => countSilences(db.reader<SilenceTables>()),
  async trim(cap, batch) {
    const excess = (await countSilences(db.reader<SilenceTables>())) - cap;
    return excess > 0 ? db.unit((tx) => deleteOldestSilences(tx, Math.min(excess, batch), clock.now())) : 0;
  },
});
