import type { Database } from '../platform/database/index.ts';
import { countEventsBefore, deleteEventsBefore, type EventTables, firstKeptSeq } from './event-store.ts';

/** Events before an instant; the newest always stays, because numbering goes on from it. The audit trail is not touched. */
export function createOldEvents(db: Database): {
  measureBefore(beforeMs: number): Promise<{ readonly count: number; readonly bytes: null }>;
  /** @returns how many went */
  deleteBefore(beforeMs: number, limit: number): Promise<number>;
} {
  return {
    async measureBefore(beforeMs) {
      const firstKept = await firstKeptSeq(db.reader<EventTables>(), beforeMs);
      return {
        count: firstKept === undefined ? 0 : await countEventsBefore(db.reader<EventTables>(), firstKept),
        bytes: null,
      };
    },
    async deleteBefore(beforeMs, limit) {
      const firstKept = await firstKeptSeq(db.reader<EventTables>(), beforeMs);
      return firstKept === undefined ? 0 : db.unit((tx) => deleteEventsBefore(tx, firstKept, limit));
    },
  };
}
