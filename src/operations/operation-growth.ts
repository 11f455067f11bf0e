import type { Bounded } from '../platform/bounded.ts';
import type { Database } from '../platform/database/index.ts';
import { countOperations, deleteOldestFinished, deleteOldestKeys } from './operation-store.ts';

/** Ended operations; those that ended first go, running ones never. */
export const boundedOperations = (db: Database): Bounded => ({
  measure: async () => (await countOperations(db)).ended,
  async trim(cap, batch) {
    const excess = (await countOperations(db)).ended - cap;
    return excess > 0 ? db.unit((tx) => deleteOldestFinished(tx, Math.min(excess, batch))) : 0;
  },
});

/** Keys of repeated requests; with one gone, a repeat of that old request starts its work again. */
export const boundedIdempotencyKeys = (db: Database): Bounded => ({
  measure: async () => (await countOperations(db)).keys,
  async trim(cap, batch) {
    const excess = (await countOperations(db)).keys - cap;
    return excess > 0 ? db.unit((tx) => deleteOldestKeys(tx, Math.min(excess, batch))) : 0;
  },
});
