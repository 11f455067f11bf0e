import type { Bounded } from '../platform/bounded.ts';
import type { Database } from '../platform/database/index.ts';
import { createCleanupStore } from './cleanup-store.ts';
import type { Quarantine } from './quarantine.ts';

/** Plans, ended runs and what is out of the quarantine, one by one; the oldest go. */
export function boundedCleanupHistory(db: Database): Bounded {
  const store = createCleanupStore(db);
  return {
    measure: () => store.countHistory(),
    async trim(cap, batch) {
      const excess = (await store.countHistory()) - cap;
      return excess <= 0 ? 0 : db.unit((tx) => store.deleteHistory(tx, Math.min(excess, batch)));
    },
  };
}

/** What lies in the quarantine, in bytes; above the cap what was taken away first goes before its window is over. */
export function boundedQuarantine(db: Database, quarantine: Quarantine): Bounded {
  const store = createCleanupStore(db);
  return {
    measure: async () => (await store.heldTotals()).bytes,
    async trim(cap, batch) {
      let gone = 0;
      for (const entry of await store.oldestHeld(batch)) {
        if ((await store.heldTotals()).bytes <= cap) break;
        await quarantine.purge(entry);
        gone += 1;
      }
      return gone;
    },
  };
}
