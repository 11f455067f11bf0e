import type { Kysely } from 'kysely';
import type { Tx } from '../platform/database/index.ts';
import type { Group } from './plan.ts';

type GroupRow = {
  id: string;
  receiver_id: string;
  labels: string;
  notified: string;
  waiting_since_ms: number | string | null;
  last_sent_ms: number | string | null;
};
export type GroupTables = { notify_group: GroupRow };

const numberOrNull = (value: number | string | null): number | null => (value === null ? null : Number(value));

export async function selectGroups(db: Kysely<GroupTables>): Promise<Group[]> {
  const rows = await db.selectFrom('notify_group').selectAll().orderBy('id').execute();
  return rows.map((row) => ({
    id: row.id,
    receiverId: row.receiver_id,
    // JSON that only this file writes.
    labels: JSON.parse(row.labels),
    notified: JSON.parse(row.notified),
    waitingSinceMs: numberOrNull(row.waiting_since_ms),
    lastSentMs: numberOrNull(row.last_sent_ms),
  }));
}

export const hasGroups = async (db: Kysely<GroupTables>): Promise<boolean> =>
  (await db.selectFrom('notify_group').select('id').limit(1).executeTakeFirst()) !== undefined;

export async function writeGroup(tx: Tx, group: Group): Promise<void> {
  const rest = {
    receiver_id: group.receiverId,
    labels: JSON.stringify(group.labels),
    notified: JSON.stringify(group.notified),
    waiting_since_ms: group.waitingSinceMs,
    last_sent_ms: group.lastSentMs,
  };
  await tx
    .as<GroupTables>()
    .insertInto('notify_group')
    .values({ id: group.id, ...rest })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(rest))
    .execute();
}

export async function deleteGroups(tx: Tx, ids: readonly string[]): Promise<void> {
  for (let at = 0; at < ids.length; at += 500)
    await tx
      .as<GroupTables>()
      .deleteFrom('notify_group')
      .where('id', 'in', ids.slice(at, at + 500))
      .execute();
}
