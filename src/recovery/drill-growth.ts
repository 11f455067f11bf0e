import type { Bounded } from '../platform/bounded.ts';
import type { Database } from '../platform/database/index.ts';
import type { DrillStore } from './drill-store.ts';

/** Ended drills with their evidence; the oldest go, the last of each target that passed never. */
export const boundedDrills = ({ db, drills }: { db: Database; drills: DrillStore }): Bounded => ({
  measure: () => drills.countFinished(),
  async trim(cap, batch) {
    const excess = (await drills.countFinished()) - cap;
    return excess > 0 ? db.unit((tx) => drills.deleteOldest(tx, Math.min(excess, batch))) : 0;
  },
});
