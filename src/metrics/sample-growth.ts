import type { Bounded } from '../platform/bounded.ts';
import type { Database } from '../platform/database/index.ts';
import { countAllAgents, deleteQuietestAgents } from './agent-store.ts';
import { createBlockStore } from './block-store.ts';

/** Stored samples, in bytes as compressed. The oldest blocks go first. */
export function boundedSamples(db: Database): Bounded {
  const blocks = createBlockStore(db);
  return {
    measure: () => blocks.bytes(),
    async trim(cap, batch) {
      const excess = (await blocks.bytes()) - cap;
      if (excess <= 0) return 0;
      const gone = await blocks.deleteOldest(excess, batch);
      await db.shrink?.();
      return gone;
    },
  };
}

/** Totals of agents. Whoever gives each run a name of its own makes a row with each; the quietest go first. */
export function boundedAgents(db: Database): Bounded {
  return {
    measure: () => countAllAgents(db),
    async trim(cap, batch) {
      const excess = (await countAllAgents(db)) - cap;
      return excess <= 0 ? 0 : db.unit((tx) => deleteQuietestAgents(tx, Math.min(excess, batch)));
    },
  };
}
