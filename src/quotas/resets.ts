import type { EventLog, EventRecorder } from '../events/index.ts';
import type { Ledger } from './ledger.ts';

/** What processes tell each other of, through the audit trail: it is shared, always written, and its numbers have no gaps. */
export const resetAction = 'quota.reset';
const pageSize = 100;

export type TrailReader = EventRecorder & Pick<EventLog, 'auditHead' | 'listAudit'>;

export type Resets = {
  /** What was told before matters no more: nothing is remembered yet. */
  open(): Promise<void>;
  /** What this process did itself it knows already. */
  own(seq: number): void;
  /** What others began anew since the last look is forgotten here too. */
  learn(): Promise<void>;
};

/** One short read where nothing was audited meanwhile; whoever gives and counts asks for nothing here. */
export function createResets(trail: TrailReader, ledger: Pick<Ledger, 'forgetUsage'>): Resets {
  const own = new Set<number>();
  let seenSeq: number | undefined;
  return {
    async open() {
      seenSeq = (await trail.auditHead()).seq;
    },
    own(seq) {
      own.add(seq);
    },
    async learn() {
      if (seenSeq === undefined) return;
      const head = await trail.auditHead();
      // Another state lies there now.
      seenSeq = Math.min(seenSeq, head.seq);
      while (seenSeq < head.seq) {
        const page = await trail.listAudit({
          ...{ action: resetAction, afterSeq: seenSeq, order: 'oldest-first', limit: pageSize },
        });
        for (const { seq, object, data } of page) {
          seenSeq = seq;
          if (own.delete(seq)) continue;
          ledger.forgetUsage(object, typeof data.bucket === 'string' ? data.bucket : undefined);
        }
        if (page.length < pageSize) seenSeq = Math.max(seenSeq, head.seq);
      }
    },
  };
}
