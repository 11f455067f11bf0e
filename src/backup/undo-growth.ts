import type { Bounded } from '../platform/bounded.ts';
import { discardUndo, listUndo } from './restore/index.ts';

/**
 * Former states of a target that restores set aside, in bytes; of all its folders. Oldest first, and never one that a restore which
 * is not settled still needs.
 */
export const boundedUndo = (roots: () => readonly string[], idle: () => Promise<boolean>): Bounded => ({
  measure: async () => (await listUndo(roots())).reduce((sum, one) => sum + one.bytes, 0),
  async trim() {
    if (!(await idle())) return 0;
    const oldest = (await listUndo(roots())).find((one) => one.canBeDiscarded);
    return oldest ? discardUndo(roots(), oldest.operationId) : 0;
  },
});
