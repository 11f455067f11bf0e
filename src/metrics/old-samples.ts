import type { Database } from '../platform/database/index.ts';
import { createBlockStore } from './block-store.ts';

/**
 * Values that are kept one by one, and samples as they were taken, in blocks that end before an instant; the coarser tiers stay.
 */
export function createOldSamples(db: Database): {
  measureBefore(beforeMs: number): Promise<{ readonly count: number; readonly bytes: number }>;
  /** @returns how many blocks went */
  deleteBefore(beforeMs: number, limit: number): Promise<number>;
} {
  const blocks = createBlockStore(db);
  const tiers = ['values', 'raw'] as const;
  return {
    async measureBefore(beforeMs) {
      const found = [];
      for (const tier of tiers) found.push(await blocks.countBefore(tier, beforeMs));
      return {
        count: found.reduce((sum, { count }) => sum + count, 0),
        bytes: found.reduce((sum, { bytes }) => sum + bytes, 0),
      };
    },
    async deleteBefore(beforeMs, limit) {
      for (const tier of tiers) {
        const gone = await blocks.deleteBefore(tier, beforeMs, limit);
        if (gone > 0) return gone;
      }
      await db.shrink?.();
      return 0;
    },
  };
}
