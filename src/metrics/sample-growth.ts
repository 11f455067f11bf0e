import type { Bounded } from '../platform/bounded.ts';
import type { Database } from '../platform/database/index.ts';
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
