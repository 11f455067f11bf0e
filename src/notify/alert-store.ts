import type { Kysely } from 'kysely';
import type { Tx } from '../platform/database/index.ts';
import type { NotificationSeverity, ToldAlert } from './notification.ts';

type AlertRow = {
  key: string;
  status: string;
  severity: string;
  title: string;
  summary: string;
  labels: string;
  annotations: string;
  starts_ms: number | string;
  ends_ms: number | string | null;
  runbook_url: string | null;
  receivers: string | null;
  told_ms: number | string;
  acked_by: string | null;
  acked_ms: number | string | null;
  ack_note: string | null;
};
export type AlertTables = { notify_alert: AlertRow };

// JSON that only this file writes.
const alertOf = (row: AlertRow): ToldAlert => ({
  key: row.key,
  status: row.status === 'firing' ? 'firing' : 'resolved',
  severity: row.severity as NotificationSeverity,
  title: row.title,
  summary: row.summary,
  labels: JSON.parse(row.labels),
  annotations: JSON.parse(row.annotations),
  startsAtMs: Number(row.starts_ms),
  endsAtMs: row.ends_ms === null ? null : Number(row.ends_ms),
  runbookUrl: row.runbook_url,
  receivers: row.receivers === null ? null : JSON.parse(row.receivers),
  toldMs: Number(row.told_ms),
  acknowledged: row.acked_by === null ? null : { by: row.acked_by, atMs: Number(row.acked_ms), note: row.ack_note },
});

const rowOf = (alert: ToldAlert): AlertRow => ({
  key: alert.key,
  status: alert.status,
  severity: alert.severity,
  title: alert.title,
  summary: alert.summary,
  labels: JSON.stringify(alert.labels),
  annotations: JSON.stringify(alert.annotations),
  starts_ms: alert.startsAtMs,
  ends_ms: alert.endsAtMs,
  runbook_url: alert.runbookUrl,
  receivers: alert.receivers === null ? null : JSON.stringify(alert.receivers),
  told_ms: alert.toldMs,
  acked_by: alert.acknowledged?.by ?? null,
  acked_ms: alert.acknowledged?.atMs ?? null,
  ack_note: alert.acknowledged?.note ?? null,
});

export async function findAlert(tx: Tx, key: string): Promise<ToldAlert | undefined> {
  const row = await tx
    .as<AlertTables>()
    .selectFrom('notify_alert')
    .selectAll()
    .where('key', '=', key)
    .executeTakeFirst();
  return row && alertOf(row);
}

export async function writeAlert(tx: Tx, alert: ToldAlert): Promise<void> {
  const { key, ...rest } = rowOf(alert);
  await tx
    .as<AlertTables>()
    .insertInto('notify_alert')
    .values({ key, ...rest })
    .onConflict((conflict) => conflict.column('key').doUpdateSet(rest))
    .execute();
}

export const hasAlerts = async (db: Kysely<AlertTables>): Promise<boolean> =>
  (await db.selectFrom('notify_alert').select('key').limit(1).executeTakeFirst()) !== undefined;

/** By key, so that a plan does not depend on the order in which rows lie. */
export async function selectAlerts(db: Kysely<AlertTables>): Promise<ToldAlert[]> {
  return (await db.selectFrom('notify_alert').selectAll().orderBy('key').execute()).map(alertOf);
}

export async function deleteAlerts(tx: Tx, keys: readonly string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += 500)
    await tx
      .as<AlertTables>()
      .deleteFrom('notify_alert')
      .where('key', 'in', keys.slice(at, at + 500))
      .execute();
}
