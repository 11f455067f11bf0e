import type { Bounded } from '../platform/bounded.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { countLogins, deleteOldestLogins } from './access-store.ts';

/** Sessions and login links. Only what is over goes. */
export const boundedLogins = ({ db, clock }: { db: Database; clock: Clock }): Bounded => ({
  measure: () => countLogins(db),
  async trim(cap, batch) {
    const excess = (await countLogins(db)) - cap;
    return excess > 0 ? db.unit((tx) => deleteOldestLogins(tx, clock.now(), Math.min(excess, batch))) : 0;
  },
});
