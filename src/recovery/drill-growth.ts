import type { Bounded } from '../platform/bounded.ts';
import type { Database } from '../platform/database/index.ts';
import type { DrillStore } from './drill-store.ts';
import type { FailoverStore } from './failover/failover-store.ts';

/**
 * Ended drills with their evidence; the oldest go, the last of each target that passed never. Failovers that are over, of which
 * there are few, count with them and go after them.
 */
export const boundedDrills = ({
  db,
  drills,
  failovers,
}: {
  db: Database;
  drills: DrillStore;
  failovers: Pick<FailoverStore, 'count' | 'deleteOldest'>;
}): Bounded => {
  const measure = async (): Promise<number> => (await drills.countFinished()) + (await failovers.count());
  return {
    measure,
    async trim(cap, batch) {
      const excess = Math.min((await measure()) - cap, batch);
      if (excess <= 0) return 0;
      const gone = await db.unit((tx) => drills.deleteOldest(tx, excess));
      return gone > 0 ? gone : db.unit((tx) => failovers.deleteOldest(tx, excess));
    },
  };
};
