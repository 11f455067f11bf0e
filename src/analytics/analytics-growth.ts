import type { Bounded } from '../platform/bounded.ts';
import type { Database } from '../platform/database/index.ts';
import { createAnalyticsStore } from './analytics-store.ts';

/** Patterns that have ended and recommendations that resolved themselves; what is open or dismissed never goes. */
export function boundedAnalytics(db: Database): Bounded {
  const store = createAnalyticsStore(db);
  return {
    measure: () => store.countEnded(),
    async trim(cap, batch) {
      const excess = (await store.countEnded()) - cap;
      return excess > 0 ? db.unit((tx) => store.pruneEnded(tx, Math.min(excess, batch))) : 0;
    },
  };
}
