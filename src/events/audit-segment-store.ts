import type { Kysely } from 'kysely';
import type { Tx } from '../platform/database/index.ts';
import type { EventTables } from './event-store.ts';

type SegmentRow = {
  last_seq: number;
  first_seq: number;
  closing_hash: string;
  noted_seq: number;
  removed_ms: number;
  opening_hash: string | null;
};
type SegmentTables = EventTables & { audit_segment: SegmentRow };

export type AuditSegment = {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly closingHash: string;
  /** The hash of its first entry; null: it was removed before that was kept. */
  readonly openingHash: string | null;
  /** The entry of the trail that says that it was removed. */
  readonly notedSeq: number;
};

/** Removed parts of the trail, oldest first. */
export async function selectSegments(db: Kysely<EventTables>): Promise<AuditSegment[]> {
  const rows = await (db as unknown as Kysely<SegmentTables>)
    .selectFrom('audit_segment')
    .selectAll()
    .orderBy('last_seq')
    .execute();
  return rows.map((row) => ({
    firstSeq: Number(row.first_seq),
    lastSeq: Number(row.last_seq),
    closingHash: row.closing_hash,
    openingHash: row.opening_hash,
    notedSeq: Number(row.noted_seq),
  }));
}

export async function auditRange(db: Kysely<EventTables>): Promise<{ firstSeq: number; lastSeq: number } | undefined> {
  const row = await db
    .selectFrom('audit_entry')
    .select((eb) => [eb.fn.min('seq').as('first'), eb.fn.max('seq').as('last')])
    .executeTakeFirst();
  return row?.first === null || row?.first === undefined
    ? undefined
    : { firstSeq: Number(row.first), lastSeq: Number(row.last) };
}

export async function findAuditHash(db: Kysely<EventTables>, seq: number): Promise<string | undefined> {
  const row = await db.selectFrom('audit_entry').select('hash').where('seq', '=', seq).executeTakeFirst();
  return row?.hash;
}

/** The rows go and what is left of them comes, together. */
export async function removeSegment(tx: Tx, segment: AuditSegment, nowMs: number): Promise<number> {
  const db = tx.as<SegmentTables>();
  await db
    .insertInto('audit_segment')
    .values({
      last_seq: segment.lastSeq,
      first_seq: segment.firstSeq,
      closing_hash: segment.closingHash,
      opening_hash: segment.openingHash,
      noted_seq: segment.notedSeq,
      removed_ms: nowMs,
    })
    .execute();
  const { numDeletedRows } = await db.deleteFrom('audit_entry').where('seq', '<=', segment.lastSeq).executeTakeFirst();
  return Number(numDeletedRows);
}
