import { type CompiledQuery, type Kysely, type SelectQueryBuilder, sql } from 'kysely';
import type { Tx } from '../platform/database/index.ts';
import { type AuditEntry, auditGenesis, auditHash, type Event, type Severity } from './event.ts';
import { type EventKind, typesOfKind } from './event-kind.ts';

type EventRow = {
  seq: number;
  at_ms: number;
  type: string;
  severity: string;
  target_id: string | null;
  workspace: string | null;
  operation_id: string | null;
  correlation_id: string | null;
  actor: string | null;
  instance: string;
  message: string;
  data: string;
};
type AuditRow = {
  seq: number;
  at_ms: number;
  actor: string;
  action: string;
  object: string;
  outcome: string;
  data: string;
  correlation_id: string | null;
  prev_hash: string;
  hash: string;
};
export type EventTables = { event: EventRow; audit_entry: AuditRow };

export type EventFilter = {
  /** Exact types, or every type below a prefix: `backup.*`. */
  readonly types?: readonly string[] | undefined;
  /** Besides the types: what is of one of these kinds. */
  readonly kinds?: readonly EventKind[] | undefined;
  readonly severities?: readonly Severity[] | undefined;
  readonly targetId?: string | undefined;
  readonly workspace?: string | undefined;
  readonly operationId?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly actor?: string | undefined;
  /** Inclusive. */
  readonly sinceMs?: number | undefined;
  /** Exclusive. */
  readonly untilMs?: number | undefined;
  readonly afterSeq?: number | undefined;
  readonly beforeSeq?: number | undefined;
};

export type AuditFilter = {
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
  readonly beforeSeq?: number | undefined;
  readonly afterSeq?: number | undefined;
  readonly order?: 'newest-first' | 'oldest-first' | undefined;
};

/** Built once per database and run with other values: building a statement costs more than running it. */
const appends = new WeakMap<Kysely<EventTables>, CompiledQuery<{ seq: number }>>();

/** In the order of the placeholders. */
const appended = [
  'at_ms',
  'type',
  'severity',
  'target_id',
  'workspace',
  'operation_id',
  'correlation_id',
  'actor',
  'instance',
  'message',
  'data',
] as const satisfies readonly (keyof EventRow)[];

function appendStatement(db: Kysely<EventTables>): CompiledQuery<{ seq: number }> {
  const known = appends.get(db);
  if (known) return known;
  const built = sql<{ seq: number }>`insert into event (seq, ${sql.join(appended.map((name) => sql.ref(name)))})
    values ((select coalesce(max(seq), 0) + 1 from event), ${sql.join(appended.map(() => ''))}) returning seq`.compile(
    db,
  );
  appends.set(db, built);
  return built;
}

/** The next number is read and used in one statement; units run one after the other, so none is missing or used twice. */
export async function insertEvent(tx: Tx, row: Omit<EventRow, 'seq'>): Promise<number> {
  const db = tx.as<EventTables>();
  const { rows } = await db.executeQuery<{ seq: number }>({
    ...appendStatement(db),
    parameters: appended.map((name) => row[name]),
  });
  return Number(rows[0]?.seq);
}

export async function selectEvents(
  db: Kysely<EventTables>,
  filter: EventFilter,
  order: 'newest-first' | 'oldest-first',
  limit: number,
): Promise<Event[]> {
  const rows = await filtered(db.selectFrom('event'), filter)
    .selectAll()
    .orderBy('seq', order === 'newest-first' ? 'desc' : 'asc')
    .limit(limit)
    .execute();
  return rows.map(toEvent);
}

/** How many, by stretch of time, type and severity. The width is whole milliseconds. */
export async function countEvents(
  db: Kysely<EventTables>,
  filter: EventFilter,
  bucketMs: number,
): Promise<{ bucketMs: number; type: string; severity: Severity; count: number }[]> {
  // Written into the statement: as a parameter it would be a real number to SQLite, which then divides with a rest.
  const bucket = sql<number>`at_ms / ${sql.lit(Math.trunc(bucketMs))}`;
  const rows = await filtered(db.selectFrom('event'), filter)
    .select((eb) => [bucket.as('bucket'), 'type', 'severity', eb.fn.countAll<number>().as('events')])
    .groupBy([bucket, 'type', 'severity'])
    .execute();
  return rows.map((row) => ({
    bucketMs: Number(row.bucket) * bucketMs,
    type: row.type,
    severity: row.severity as Severity, // as in toEvent
    count: Number(row.events),
  }));
}

function filtered<O>(query: SelectQueryBuilder<EventTables, 'event', O>, filter: EventFilter) {
  let narrowed = query;
  const { types, severities, targetId, workspace, operationId, sinceMs, untilMs, afterSeq, beforeSeq } = filter;
  const { correlationId, actor, kinds } = filter;
  for (const some of [types ?? [], (kinds ?? []).flatMap(typesOfKind)])
    if (some.length > 0)
      narrowed = narrowed.where((eb) =>
        eb.or(
          some.map((type) =>
            // Compared as a range, which the index serves and in which no character is special.
            type.endsWith('.*')
              ? eb.and([eb('type', '>=', type.slice(0, -1)), eb('type', '<', `${type.slice(0, -2)}/`)])
              : eb('type', '=', type),
          ),
        ),
      );
  if (severities && severities.length > 0) narrowed = narrowed.where('severity', 'in', [...severities]);
  if (targetId !== undefined) narrowed = narrowed.where('target_id', '=', targetId);
  if (workspace !== undefined) narrowed = narrowed.where('workspace', '=', workspace);
  if (operationId !== undefined) narrowed = narrowed.where('operation_id', '=', operationId);
  if (correlationId !== undefined) narrowed = narrowed.where('correlation_id', '=', correlationId);
  if (actor !== undefined) narrowed = narrowed.where('actor', '=', actor);
  if (sinceMs !== undefined) narrowed = narrowed.where('at_ms', '>=', sinceMs);
  if (untilMs !== undefined) narrowed = narrowed.where('at_ms', '<', untilMs);
  if (afterSeq !== undefined) narrowed = narrowed.where('seq', '>', afterSeq);
  if (beforeSeq !== undefined) narrowed = narrowed.where('seq', '<', beforeSeq);
  return narrowed;
}

export async function lastSeq(db: Kysely<EventTables>): Promise<number> {
  const row = await db
    .selectFrom('event')
    .select((eb) => eb.fn.max('seq').as('last'))
    .executeTakeFirst();
  return Number(row?.last ?? 0);
}

/** Numbers have no gaps, so their range also says how many there are. */
export async function eventRange(db: Kysely<EventTables>): Promise<{ firstSeq: number; lastSeq: number } | undefined> {
  const row = await db
    .selectFrom('event')
    .select((eb) => [eb.fn.min('seq').as('first'), eb.fn.max('seq').as('last')])
    .executeTakeFirst();
  return row?.first === null || row?.first === undefined
    ? undefined
    : { firstSeq: Number(row.first), lastSeq: Number(row.last) };
}

/**
 * The first event that has to stay: the oldest one not yet expired, or the newest of all, so that numbering goes on.
 * Undefined: there are no events.
 */
export async function firstKeptSeq(db: Kysely<EventTables>, expiredBeforeMs: number): Promise<number | undefined> {
  const fresh = await db
    .selectFrom('event')
    .select('seq')
    .where('at_ms', '>=', expiredBeforeMs)
    .orderBy('seq')
    .limit(1)
    .executeTakeFirst();
  const seq = fresh?.seq ?? (await lastSeq(db));
  return seq === 0 ? undefined : Number(seq);
}

export async function countEventsBefore(db: Kysely<EventTables>, seq: number): Promise<number> {
  const row = await db
    .selectFrom('event')
    .select((eb) => eb.fn.countAll<number>().as('events'))
    .where('seq', '<', seq)
    .executeTakeFirstOrThrow();
  return Number(row.events);
}

/** @returns how many were deleted, `limit` at most */
export async function deleteEventsBefore(tx: Tx, seq: number, limit: number): Promise<number> {
  const { numDeletedRows } = await tx
    .as<EventTables>()
    .deleteFrom('event')
    .where('seq', 'in', (eb) => eb.selectFrom('event').select('seq').where('seq', '<', seq).orderBy('seq').limit(limit))
    .executeTakeFirst();
  return Number(numDeletedRows);
}

export async function insertAudit(
  tx: Tx,
  entry: Omit<AuditRow, 'seq' | 'prev_hash' | 'hash'>,
): Promise<{ seq: number; hash: string }> {
  const db = tx.as<EventTables>();
  const head = await auditHead(db);
  const seq = head.seq + 1;
  const hash = auditHash(head.hash, {
    seq,
    atMs: entry.at_ms,
    actor: entry.actor,
    action: entry.action,
    object: entry.object,
    outcome: entry.outcome,
    dataText: entry.data,
    correlationId: entry.correlation_id,
  });
  await db
    .insertInto('audit_entry')
    .values({ ...entry, seq, prev_hash: head.hash, hash })
    .execute();
  return { seq, hash };
}

export async function auditHead(db: Kysely<EventTables>): Promise<{ seq: number; hash: string }> {
  const row = await db
    .selectFrom('audit_entry')
    .select(['seq', 'hash'])
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row ? { seq: Number(row.seq), hash: row.hash } : { seq: 0, hash: auditGenesis };
}

/** Rows in their stored form, oldest first: what a verification reads. */
export async function selectAuditRows(db: Kysely<EventTables>, afterSeq: number, limit: number): Promise<AuditRow[]> {
  return db.selectFrom('audit_entry').selectAll().where('seq', '>', afterSeq).orderBy('seq').limit(limit).execute();
}

export async function selectAudit(
  db: Kysely<EventTables>,
  filter: AuditFilter & { limit: number },
): Promise<AuditEntry[]> {
  let query = db.selectFrom('audit_entry').selectAll();
  if (filter.actor !== undefined) query = query.where('actor', '=', filter.actor);
  if (filter.action !== undefined) query = query.where('action', '=', filter.action);
  if (filter.sinceMs !== undefined) query = query.where('at_ms', '>=', filter.sinceMs);
  if (filter.untilMs !== undefined) query = query.where('at_ms', '<', filter.untilMs);
  if (filter.beforeSeq !== undefined) query = query.where('seq', '<', filter.beforeSeq);
  if (filter.correlationId !== undefined) query = query.where('correlation_id', '=', filter.correlationId);
  if (filter.afterSeq !== undefined) query = query.where('seq', '>', filter.afterSeq);
  const direction = filter.order === 'oldest-first' ? 'asc' : 'desc';
  const rows = await query.orderBy('seq', direction).limit(filter.limit).execute();
  return rows.map((row) => ({
    seq: Number(row.seq),
    atMs: Number(row.at_ms),
    actor: row.actor,
    action: row.action,
    object: row.object,
    outcome: row.outcome,
    data: parsedData(row.data),
    correlationId: row.correlation_id,
    prevHash: row.prev_hash,
    hash: row.hash,
  }));
}

const toEvent = (row: EventRow): Event => ({
  seq: Number(row.seq),
  atMs: Number(row.at_ms),
  type: row.type,
  // Written by `record` alone, which takes nothing else.
  severity: row.severity as Severity,
  targetId: row.target_id,
  workspace: row.workspace,
  operationId: row.operation_id,
  correlationId: row.correlation_id,
  actor: row.actor,
  instance: row.instance,
  message: row.message,
  data: parsedData(row.data),
});

/** An entry somebody tampered with must still be shown, so unreadable facts are shown as the text they are. */
function parsedData(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // falls through to the text itself
  }
  return { unreadable: text };
}
