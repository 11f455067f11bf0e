import type { Database } from '../platform/database/index.ts';
import { type AuditSegment, findAuditHash, selectSegments } from './audit-segment-store.ts';
import { type AuditAnchor, type AuditVerdict, auditGenesis, auditHash, dataText } from './event.ts';
import { type EventTables, selectAuditRows } from './event-store.ts';

const pageSize = 1_000;

/**
 * What tells one trail from another: the hash of its first entry. Undefined before there is one, and where the first entry was
 * removed before its hash was kept.
 */
export async function findTrailId(database: Database): Promise<string | undefined> {
  const db = database.reader<EventTables>();
  const first = await findAuditHash(db, 1);
  if (first !== undefined) return first;
  const segments = await selectSegments(db);
  return segments.find((one) => one.firstSeq === 1)?.openingHash ?? undefined;
}

/** Sorts anchors by what they can show here, before anything is read. */
function sortAnchors(anchors: readonly AuditAnchor[], trail: string | undefined) {
  const bySeq = new Map<number, AuditAnchor[]>();
  let foreign = 0;
  for (const anchor of anchors) {
    if (anchor.trail !== undefined && trail !== undefined && anchor.trail !== trail) foreign += 1;
    else bySeq.set(anchor.seq, [...(bySeq.get(anchor.seq) ?? []), anchor]);
  }
  return { bySeq, foreign };
}

/**
 * Reads the whole trail, a page at a time, and compares it with heads that were noted elsewhere: only those show that its end was
 * cut off, or that all of it was written anew.
 */
export async function verifyTrail(database: Database, anchors: readonly AuditAnchor[]): Promise<AuditVerdict> {
  const db = database.reader<EventTables>();
  const segments = await selectSegments(db);
  const { bySeq, foreign } = sortAnchors(anchors, await findTrailId(database));
  const removed = segments.at(-1);
  let head = removed ? { seq: removed.lastSeq, hash: removed.closingHash } : { seq: 0, hash: auditGenesis };
  /** Removals that the trail itself still tells of. */
  const told = new Map<number, string>();
  let entries = 0;
  let matched = 0;
  const broken = (brokenAtSeq: number, reason: string): AuditVerdict => ({
    intact: false,
    entries,
    brokenAtSeq,
    reason,
  });
  /** @returns the anchor that tells otherwise */
  const compare = (seq: number, hash: string): AuditAnchor | undefined => {
    const here = bySeq.get(seq);
    if (!here) return undefined;
    const differing = here.find((one) => one.hash !== hash);
    if (differing) return differing;
    matched += here.length;
    bySeq.delete(seq);
    return undefined;
  };
  // A trail that has no entry yet has nothing to compare.
  for (const segment of [...segments.map((one) => ({ seq: one.lastSeq, hash: one.closingHash })), head]) {
    const differing = compare(segment.seq, segment.hash);
    if (differing) return broken(segment.seq, `the chain differs from what ${differing.where} notes`);
  }
  for (;;) {
    const rows = await selectAuditRows(db, head.seq, pageSize);
    for (const row of rows) {
      const seq = Number(row.seq);
      if (seq !== head.seq + 1) return broken(head.seq + 1, 'an entry is missing');
      if (row.prev_hash !== head.hash) return broken(seq, 'the entry does not follow its predecessor');
      const content = {
        ...row,
        seq,
        atMs: Number(row.at_ms),
        dataText: row.data,
        correlationId: row.correlation_id,
      };
      if (auditHash(head.hash, content) !== row.hash) return broken(seq, 'the entry was changed');
      const differing = compare(seq, row.hash);
      if (differing) return broken(seq, `the chain differs from what ${differing.where} notes`);
      if (row.action === 'audit.remove-segment') told.set(seq, row.data);
      head = { seq, hash: row.hash };
      entries += 1;
    }
    if (rows.length < pageSize) break;
  }
  const untold = findUntold(segments, told);
  if (untold) return broken(untold.firstSeq, 'entries were removed, and the trail does not say so');
  const left = [...bySeq.values()].flat();
  const beyond = left.find((one) => one.seq > head.seq);
  if (beyond)
    return broken(head.seq + 1, `entries are missing at the end: ${beyond.where} notes that there were ${beyond.seq}`);
  return { intact: true, entries, head, anchors: { matched, removed: left.length, foreign } };
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
