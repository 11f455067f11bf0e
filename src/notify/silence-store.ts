import type { Kysely } from 'kysely';
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
export async function selectLiveSilences(db: Kysely<SilenceTables>, nowMs: number): Promise<Silence[]> {
  const rows = await db.selectFrom('notify_silence').selectAll().where('until_ms', '>', nowMs).orderBy('id').execute();
  return rows.map(silenceOf);
}
