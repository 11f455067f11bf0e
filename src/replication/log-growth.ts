import type { Bounded } from '../platform/bounded.ts';
import type { Database } from '../platform/database/index.ts';
import { createReplicationStore } from './replication-store.ts';

/** The oldest entries of transfers that ended go first. */
export function boundedReplicationLog(db: Database): Bounded {
  const store = createReplicationStore(db);
  return {
    measure: () => store.countLog(),
    async trim(cap, batch) {
      const excess = (await store.countLog()) - cap;
      return excess > 0 ? db.unit((tx) => store.deleteOldestLog(tx, Math.min(excess, batch))) : 0;
    },
  };
}
