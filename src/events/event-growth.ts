import type { Bounded } from '../platform/bounded.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { auditRange, findAuditHash, removeSegment } from './audit-segment-store.ts';
import type { EventRecorder } from './event-log.ts';
import { deleteEventsBefore, type EventTables, eventRange } from './event-store.ts';

/** The event log, in entries. The oldest go; the newest always stays, because numbering goes on from it. */
export function boundedEvents(db: Database): Bounded {
  return {
    async measure() {
      const range = await eventRange(db.reader<EventTables>());
      return range ? range.lastSeq - range.firstSeq + 1 : 0;
    },
    async trim(cap, batch) {
      const range = await eventRange(db.reader<EventTables>());
      if (!range) return 0;
      const firstKept = Math.min(range.lastSeq, range.lastSeq - cap + 1);
      return firstKept > range.firstSeq ? db.unit((tx) => deleteEventsBefore(tx, firstKept, batch)) : 0;
    },
  };
}

/** What is removed at once. The newest ones of the trail are never removed. */
export const auditSegmentEntries = 1_000;

/**
 * The audit trail, in entries. It goes by whole segments: the closing hash stays, so what follows can still be verified, and an
 * entry of the trail itself says what was removed.
 */
export function boundedAudit(options: { db: Database; events: EventRecorder; clock: Clock }): Bounded {
  const { db, events, clock } = options;
  return {
    async measure() {
      const range = await auditRange(db.reader<EventTables>());
      return range ? range.lastSeq - range.firstSeq + 1 : 0;
    },
    trim: (cap) =>
      db.unit(async (tx) => {
        const range = await auditRange(tx.as<EventTables>());
        if (!range || range.lastSeq - range.firstSeq + 1 <= Math.max(cap, auditSegmentEntries)) return 0;
        const { firstSeq } = range;
        const lastSeq = firstSeq + auditSegmentEntries - 1;
        const closingHash = await findAuditHash(tx.as<EventTables>(), lastSeq);
        // A trail with a hole was tampered with: it is left for whoever looks into that.
        if (closingHash === undefined) return 0;
        const openingHash = (await findAuditHash(tx.as<EventTables>(), firstSeq)) ?? null;
        const notedSeq = await events.audit(tx, {
          actor: 'ragwarden',
          action: 'audit.remove-segment',
          object: `${firstSeq}-${lastSeq}`,
          outcome: 'done',
          data: { closing_hash: closingHash },
        });
        return removeSegment(tx, { firstSeq, lastSeq, closingHash, openingHash, notedSeq }, clock.now());
      }),
  };
}
