import type { Bounded } from '../platform/bounded.ts';
import type { Database } from '../platform/database/index.ts';
import { createAlertStore } from './alert-store.ts';

/** Alerts that are over; the oldest go, those that fire never. */
export function boundedAlertHistory(db: Database): Bounded {
  const store = createAlertStore(db);
  return {
    measure: () => store.countEnded(),
    async trim(cap, batch) {
      const excess = (await store.countEnded()) - cap;
      return excess > 0 ? db.unit((tx) => store.deleteOldest(tx, Math.min(excess, batch))) : 0;
    },
  };
}
