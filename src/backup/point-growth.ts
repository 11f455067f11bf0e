import type { Bounded } from '../platform/bounded.ts';
import type { Database } from '../platform/database/index.ts';
import type { PointStore } from './point-store.ts';

/** Rows of failed runs and forgotten points. A point that exists, or is lost and may come back, is never one of them. */
export const boundedPointHistory = ({ db, points }: { db: Database; points: PointStore }): Bounded => ({
  measure: () => points.countHistory(),
  async trim(cap, batch) {
    const excess = (await points.countHistory()) - cap;
    return excess > 0 ? db.unit((tx) => points.deleteOldestHistory(tx, Math.min(excess, batch))) : 0;
  },
});
