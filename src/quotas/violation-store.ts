import { type Kysely, sql } from 'kysely';
import type { Tx } from '../platform/database/index.ts';
import type { Counted } from './quota.ts';

type Count = number | string;
type ViolationTables = {
  quota_violation: {
    id: string;
    quota_id: string;
    bucket: string;
    counts: string;
    first_ms: Count;
    last_ms: Count;
    times: Count;
    usage: Count;
    quota_limit: Count;
    exceeded_by: Count;
    action: string;
    shadow: Count;
    resolved_ms: Count | null;
  };
};
type Reader = Kysely<ViolationTables>;

/** A limit that was passed, or would have been: one while it lasts, however often it is tried. */
export type Violation = {
  readonly id: string;
  readonly quotaId: string;
  readonly bucket: string;
  readonly counts: Counted;
  readonly firstMs: number;
  readonly lastMs: number;
  /** How often it was tried, or found. */
  readonly times: number;
  /** In the window, when it was exceeded most. */
  readonly usage: number;
  readonly limit: number;
  /** Above the limit, with what was asked for; always more than 0. */
  readonly exceededBy: number;
  readonly action: string;
  /** Nothing was denied: the quota only counts. */
  readonly shadow: boolean;
  readonly resolvedMs: number | null;
};

const violationOf = (row: ViolationTables['quota_violation']): Violation => ({
  id: row.id,
  quotaId: row.quota_id,
  bucket: row.bucket,
  counts: row.counts as Counted, // written from one
  firstMs: Number(row.first_ms),
  lastMs: Number(row.last_ms),
  times: Number(row.times),
  usage: Number(row.usage),
  limit: Number(row.quota_limit),
  exceededBy: Number(row.exceeded_by),
  action: row.action,
  shadow: Number(row.shadow) === 1,
  resolvedMs: row.resolved_ms === null ? null : Number(row.resolved_ms),
});

const rowOf = (one: Violation): ViolationTables['quota_violation'] => ({
  id: one.id,
  quota_id: one.quotaId,
  bucket: one.bucket,
  counts: one.counts,
  first_ms: one.firstMs,
  last_ms: one.lastMs,
  times: one.times,
  usage: one.usage,
  quota_limit: one.limit,
  exceeded_by: one.exceededBy,
  action: one.action,
  shadow: one.shadow ? 1 : 0,
  resolved_ms: one.resolvedMs,
});

export async function findOpenViolation(tx: Tx, quotaId: string, bucket: string): Promise<Violation | undefined> {
  const row = await tx
    .as<ViolationTables>()
    .selectFrom('quota_violation')
    .selectAll()
    .where('quota_id', '=', quotaId)
    .where('bucket', '=', bucket)
    .where('resolved_ms', 'is', null)
    .executeTakeFirst();
  return row && violationOf(row);
}

export async function writeViolation(tx: Tx, violation: Violation): Promise<void> {
  const { id, ...row } = rowOf(violation);
  await tx
    .as<ViolationTables>()
    .insertInto('quota_violation')
    .values({ id, ...row })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
    .execute();
}

export type ViolationFilter = {
  readonly quotaId?: string | undefined;
  readonly kinds?: readonly Counted[] | undefined;
  readonly resolved?: boolean | undefined;
  readonly sinceMs?: number | undefined;
  /** Of one user or workspace: what the bucket says. */
  readonly bucketHas?: string | undefined;
  readonly beforeId?: string | undefined;
  readonly limit: number;
};

/** The newest first. */
export async function listViolations(reader: Reader, filter: ViolationFilter): Promise<readonly Violation[]> {
  let query = filtered(reader, filter).selectAll();
  if (filter.beforeId !== undefined) query = query.where('id', '<', filter.beforeId);
  return (await query.orderBy('id', 'desc').limit(filter.limit).execute()).map(violationOf);
}

export async function countViolations(reader: Reader, filter: Omit<ViolationFilter, 'limit'>): Promise<number> {
  const row = await filtered(reader, filter)
    .select(({ fn }) => fn.countAll().as('n'))
    .executeTakeFirst();
  return Number(row?.n ?? 0);
}

function filtered(reader: Reader, { quotaId, kinds, resolved, sinceMs, bucketHas }: Omit<ViolationFilter, 'limit'>) {
  let query = reader.selectFrom('quota_violation');
  if (quotaId !== undefined) query = query.where('quota_id', '=', quotaId);
  if (kinds !== undefined) query = query.where('counts', 'in', [...kinds]);
  if (resolved !== undefined) query = query.where('resolved_ms', resolved ? 'is not' : 'is', null);
  if (sinceMs !== undefined) query = query.where('last_ms', '>=', sinceMs);
  if (bucketHas !== undefined) {
    const literal = bucketHas.replaceAll(/[\\%_]/g, (sign) => `\\${sign}`);
    query = query.where((eb) =>
      eb.or([
        eb('bucket', '=', bucketHas),
        // The parts of a bucket are joined by &.
        ...[`${literal}&%`, `%&${literal}`, `%&${literal}&%`].map((like) => sqlLike(eb.ref('bucket'), like)),
      ]),
    );
  }
  return query;
}

const sqlLike = (column: unknown, like: string) => sql<boolean>`${column} like ${like} escape '\\'`;

export const listOpenViolations = async (reader: Reader, limit: number): Promise<readonly Violation[]> =>
  (
    await reader
      .selectFrom('quota_violation')
      .selectAll()
      .where('resolved_ms', 'is', null)
      .orderBy('id')
      .limit(limit)
      .execute()
  ).map(violationOf);

/** Resolved ones beyond the newest so many, and those older than this. */
export async function pruneViolations(
  tx: Tx,
  { beforeMs, newest, limit }: { beforeMs: number; newest: number; limit: number },
): Promise<number> {
  const db = tx.as<ViolationTables>();
  const edge = await db
    .selectFrom('quota_violation')
    .select('id')
    .orderBy('id', 'desc')
    .offset(newest)
    .limit(1)
    .executeTakeFirst();
  const { numDeletedRows } = await db
    .deleteFrom('quota_violation')
    .where(
      'id',
      'in',
      db
        .selectFrom('quota_violation')
        .select('id')
        .where('resolved_ms', 'is not', null)
        .where((eb) => eb.or([eb('last_ms', '<', beforeMs), ...(edge ? [eb('id', '<=', edge.id)] : [])]))
        .limit(limit),
    )
    .executeTakeFirst();
  return Number(numDeletedRows);
}

export async function dropViolations(tx: Tx, quotaId: string): Promise<void> {
  await tx.as<ViolationTables>().deleteFrom('quota_violation').where('quota_id', '=', quotaId).execute();
}
