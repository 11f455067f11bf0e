import type { Kysely } from 'kysely';
import type { Tx } from '../platform/database/index.ts';
import type { Silence } from './silence.ts';

type SilenceRow = {
  id: string;
  matchers: string;
  from_ms: number | string;
  until_ms: number | string;
  created_by: string;
  comment: string;
  created_ms: number | string;
};
export type SilenceTables = { notify_silence: SilenceRow };
type Reader = Kysely<SilenceTables>;

const silenceOf = (row: SilenceRow): Silence => ({
  id: row.id,
  // JSON that only this file writes.
  matchers: JSON.parse(row.matchers),
  fromMs: Number(row.from_ms),
  untilMs: Number(row.until_ms),
  by: row.created_by,
  comment: row.comment,
  createdMs: Number(row.created_ms),
});

/** Those that hold something back now or later, oldest first. */
export async function selectLiveSilences(db: Reader, nowMs: number): Promise<Silence[]> {
  const rows = await db.selectFrom('notify_silence').selectAll().where('until_ms', '>', nowMs).orderBy('id').execute();
  return rows.map(silenceOf);
}

/** Newest first; ids sort by time. */
export async function selectSilences(
  db: Reader,
  { liveAtMs, beforeId, limit }: { liveAtMs?: number | undefined; beforeId?: string | undefined; limit: number },
): Promise<Silence[]> {
  let query = db.selectFrom('notify_silence').selectAll().orderBy('id', 'desc').limit(limit);
  if (liveAtMs !== undefined) query = query.where('until_ms', '>', liveAtMs);
  if (beforeId !== undefined) query = query.where('id', '<', beforeId);
  return (await query.execute()).map(silenceOf);
}

export async function findSilence(db: Reader, id: string): Promise<Silence | undefined> {
  const row = await db.selectFrom('notify_silence').selectAll().where('id', '=', id).executeTakeFirst();
  return row && silenceOf(row);
}

export async function writeSilence(tx: Tx, silence: Silence): Promise<void> {
  const changing = {
    matchers: JSON.stringify(silence.matchers),
    from_ms: silence.fromMs,
    until_ms: silence.untilMs,
    comment: silence.comment,
  };
  await tx
    .as<SilenceTables>()
    .insertInto('notify_silence')
    .values({ id: silence.id, created_by: silence.by, created_ms: silence.createdMs, ...changing })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(changing))
    .execute();
}

export async function countSilences(db: Reader): Promise<number> {
  const row = await db
    .selectFrom('notify_silence')
    .select((eb) => eb.fn.countAll().as('count'))
    .executeTakeFirst();
  return Number(row?.count ?? 0);
}

/** The oldest of those that are over. */
export async function deleteOldestSilences(tx: Tx, count: number, nowMs: number): Promise<number> {
  const db = tx.as<SilenceTables>();
  const oldest = await db
    .selectFrom('notify_silence')
    .select('id')
    .where('until_ms', '<=', nowMs)
    .orderBy('id')
    .limit(count)
    .execute();
  const ids = oldest.map(({ id }) => id);
  for (let at = 0; at < ids.length; at += 500)
    await db
      .deleteFrom('notify_silence')
      .where('id', 'in', ids.slice(at, at + 500))
      .execute();
  return ids.length;
}
