import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database/index.ts';
import { type AuditSegment, selectSegments } from './audit-segment-store.ts';
import {
  type AuditEntry,
  type AuditVerdict,
  auditGenesis,
  auditHash,
  dataText,
  type Event,
  isEventType,
  type NewAuditEntry,
  type NewEvent,
  storableText,
} from './event.ts';
import {
  auditHead,
  type EventFilter,
  type EventTables,
  insertAudit,
  insertEvent,
  lastSeq,
  selectAudit,
  selectAuditRows,
  selectEvents,
} from './event-store.ts';

export type AuditFilter = {
  readonly actor?: string;
  readonly action?: string;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly beforeSeq?: number;
};

/** The writing half, which is all that most slices need. Both write in the transaction of the change they speak of. */
export type EventRecorder = {
  /** @returns the event's `seq`; followers are woken after the commit */
  record(tx: Tx, event: NewEvent): Promise<number>;
  audit(tx: Tx, entry: NewAuditEntry): Promise<number>;
};

export type EventLog = EventRecorder & {
  list(filter: EventFilter & { limit: number; order?: 'newest-first' | 'oldest-first' }): Promise<Event[]>;
  /** The newest `seq`, 0 when nothing has happened yet. */
  lastSeq(): Promise<number>;
  /**
   * Every event after `afterSeq`, then live, until the signal aborts (it then ends without an error). Pages are read as
   * the consumer asks for them, so a slow one holds nothing in memory and misses nothing.
   */
  follow(options: { afterSeq: number; signal: AbortSignal; filter?: EventFilter }): AsyncGenerator<Event, void>;
  listAudit(filter: AuditFilter & { limit: number }): Promise<AuditEntry[]>;
  auditHead(): Promise<{ seq: number; hash: string }>;
  /** @param expectedHead a head noted elsewhere (a manifest): shows whether entries were cut off at the end */
  verifyAudit(expectedHead?: { seq: number; hash: string }): Promise<AuditVerdict>;
};

const pageSize = 256;

export function createEventLog(options: { db: Database; clock: Clock; instance: string }): EventLog {
  const { db, clock, instance } = options;
  const waiting = new Set<() => void>();
  let commits = 0;
  const announce = (): void => {
    commits += 1;
    const woken = [...waiting];
    waiting.clear();
    for (const wake of woken) wake();
  };

  /** Resolves when something was committed after `seen`, or at once when it already was, or when the signal aborts. */
  const nextCommit = (seen: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (commits !== seen || signal.aborted) {
        resolve();
        return;
      }
      const wake = (): void => {
        waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });

  return {
    async record(tx, event) {
      if (!isEventType(event.type)) throw new TypeError(`not an event type: ${event.type}`);
      const seq = await insertEvent(tx, {
        at_ms: clock.now(),
        type: event.type,
        severity: event.severity,
        target_id: event.targetId ?? null,
        workspace: event.workspace === undefined ? null : storableText(event.workspace, 1_000),
        operation_id: event.operationId ?? null,
        instance,
        message: storableText(event.message, 2_000),
        data: dataText(event.data),
      });
      tx.afterCommit(announce);
      return seq;
    },
    async audit(tx, entry) {
      const { seq } = await insertAudit(tx, {
        at_ms: clock.now(),
        actor: storableText(entry.actor, 1_000),
        action: storableText(entry.action, 200),
        object: storableText(entry.object, 1_000),
        outcome: entry.outcome,
        data: dataText(entry.data),
      });
      return seq;
    },
    list: ({ limit, order, ...filter }) =>
      selectEvents(db.reader<EventTables>(), filter, order ?? 'newest-first', limit),
    lastSeq: () => lastSeq(db.reader<EventTables>()),
    async *follow({ afterSeq, signal, filter }) {
      let position = afterSeq;
      while (!signal.aborted) {
        const seen = commits;
        const page = await selectEvents(
          db.reader<EventTables>(),
          { ...filter, afterSeq: position },
          'oldest-first',
          pageSize,
        );
        for (const event of page) {
          if (signal.aborted) return;
          position = event.seq;
          yield event;
        }
        if (page.length < pageSize) await nextCommit(seen, signal);
      }
    },
    listAudit: (filter) => selectAudit(db.reader<EventTables>(), filter),
    auditHead: () => auditHead(db.reader<EventTables>()),
    async verifyAudit(expectedHead) {
      const segments = await selectSegments(db.reader<EventTables>());
      const removed = segments.at(-1);
      let head = removed ? { seq: removed.lastSeq, hash: removed.closingHash } : { seq: 0, hash: auditGenesis };
      /** Removals that the trail itself still tells of. */
      const told = new Map<number, string>();
      let entries = 0;
      const broken = (brokenAtSeq: number, reason: string): AuditVerdict => ({
        intact: false,
        entries,
        brokenAtSeq,
        reason,
      });
      for (;;) {
        const rows = await selectAuditRows(db.reader<EventTables>(), head.seq, 1_000);
        for (const row of rows) {
          const seq = Number(row.seq);
          if (seq !== head.seq + 1) return broken(head.seq + 1, 'an entry is missing');
          if (row.prev_hash !== head.hash) return broken(seq, 'the entry does not follow its predecessor');
          const content = { ...row, seq, atMs: Number(row.at_ms), dataText: row.data };
          if (auditHash(head.hash, content) !== row.hash) return broken(seq, 'the entry was changed');
          if (expectedHead?.seq === seq && expectedHead.hash !== row.hash)
            return broken(seq, 'the chain differs from the noted one');
          if (row.action === 'audit.remove-segment') told.set(seq, row.data);
          head = { seq, hash: row.hash };
          entries += 1;
        }
        if (rows.length < 1_000) break;
      }
      const untold = findUntold(segments, told);
      if (untold) return broken(untold.firstSeq, 'entries were removed, and the trail does not say so');
      if (expectedHead && expectedHead.seq > head.seq) return broken(head.seq + 1, 'entries are missing at the end');
      return { intact: true, entries, head };
    },
  };
}

/** A removed segment that does not follow the one before it, or of which the trail, where it still stands, tells otherwise. */
function findUntold(segments: readonly AuditSegment[], told: ReadonlyMap<number, string>): AuditSegment | undefined {
  const removedThrough = segments.at(-1)?.lastSeq ?? 0;
  return segments.find((segment, at) => {
    if (segment.firstSeq !== (segments[at - 1]?.lastSeq ?? 0) + 1) return true;
    return (
      segment.notedSeq > removedThrough &&
      told.get(segment.notedSeq) !== dataText({ closing_hash: segment.closingHash })
    );
  });
}
