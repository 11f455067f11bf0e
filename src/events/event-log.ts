import type { Clock } from '../platform/clock.ts';
import { currentCorrelation } from '../platform/correlation.ts';
import type { Database, Tx } from '../platform/database/index.ts';
import { findTrailId, verifyTrail } from './audit-chain.ts';
import {
  type AuditAnchor,
  type AuditEntry,
  type AuditVerdict,
  dataText,
  type Event,
  isEventType,
  type NewAuditEntry,
  type NewEvent,
  storableText,
} from './event.ts';
import type { EventCount } from './event-analytics.ts';
import {
  type AuditFilter,
  auditHead,
  countEvents,
  type EventFilter,
  type EventTables,
  insertAudit,
  insertEvent,
  lastSeq,
  selectAudit,
  selectEvents,
} from './event-store.ts';

/** The writing half, which is all that most slices need. Both write in the transaction of the change they speak of. */
export type EventRecorder = {
  /** @returns the event's `seq`; followers are woken after the commit */
  record(tx: Tx, event: NewEvent): Promise<number>;
  audit(tx: Tx, entry: NewAuditEntry): Promise<number>;
};

export type EventLog = EventRecorder & {
  list(filter: EventFilter & { limit: number; order?: 'newest-first' | 'oldest-first' }): Promise<Event[]>;
  /** How many, by stretches of `bucketMs`, type and severity. */
  count(filter: EventFilter, bucketMs: number): Promise<readonly EventCount[]>;
  /** The newest `seq`, 0 when nothing has happened yet. */
  lastSeq(): Promise<number>;
  /**
   * Every event after `afterSeq`, then live, until the signal aborts (it then ends without an error). Pages are read as
   * the consumer asks for them, so a slow one holds nothing in memory and misses nothing.
   */
  follow(options: { afterSeq: number; signal: AbortSignal; filter?: EventFilter }): AsyncGenerator<Event, void>;
  listAudit(filter: AuditFilter & { limit: number }): Promise<AuditEntry[]>;
  auditHead(): Promise<{ seq: number; hash: string }>;
  /** Undefined before the first entry. */
  trailId(): Promise<string | undefined>;
  /** @param anchors heads noted elsewhere (manifests): show whether entries were cut off at the end */
  verifyAudit(anchors?: readonly AuditAnchor[]): Promise<AuditVerdict>;
};

const pageSize = 256;

const bounded = (text: string | undefined): string | null => (text === undefined ? null : storableText(text, 1_000));

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
      const belongsTo = currentCorrelation();
      const seq = await insertEvent(tx, {
        at_ms: clock.now(),
        type: event.type,
        severity: event.severity,
        target_id: event.targetId ?? null,
        workspace: event.workspace === undefined ? null : storableText(event.workspace, 1_000),
        operation_id: event.operationId ?? null,
        correlation_id: bounded(event.correlationId ?? belongsTo?.id),
        actor: bounded(event.actor ?? belongsTo?.actor),
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
        correlation_id: bounded(currentCorrelation()?.id),
      });
      return seq;
    },
    list: ({ limit, order, ...filter }) =>
      selectEvents(db.reader<EventTables>(), filter, order ?? 'newest-first', limit),
    count: (filter, bucketMs) => countEvents(db.reader<EventTables>(), filter, bucketMs),
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
    verifyAudit: (anchors = []) => verifyTrail(db, anchors),
    trailId: () => findTrailId(db),
  };
}
