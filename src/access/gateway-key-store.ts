import type { Kysely } from 'kysely';
import type { Tx } from '../platform/database/index.ts';
import type { StoredGatewayKey } from './gateway-keys.ts';

type KeyRow = {
  id: string;
  digest: string;
  subject: string;
  target_id: string;
  workspace: string | null;
  label: string;
  created_ms: number | string;
  expires_ms: number | string | null;
  revoked_ms: number | string | null;
  last_used_ms: number | string | null;
};
export type GatewayKeyTables = { gateway_key: KeyRow };
type Reader = Kysely<GatewayKeyTables>;

const numberOrNull = (value: number | string | null): number | null => (value === null ? null : Number(value));

const keyOf = (row: KeyRow): StoredGatewayKey => ({
  id: row.id,
  digest: row.digest,
  subject: row.subject,
  targetId: row.target_id,
  workspace: row.workspace,
  label: row.label,
  createdMs: Number(row.created_ms),
  expiresMs: numberOrNull(row.expires_ms),
  revokedMs: numberOrNull(row.revoked_ms),
  lastUsedMs: numberOrNull(row.last_used_ms),
});

export async function insertKey(tx: Tx, key: StoredGatewayKey): Promise<void> {
  await tx
    .as<GatewayKeyTables>()
    .insertInto('gateway_key')
    .values({
      id: key.id,
      digest: key.digest,
      subject: key.subject,
      target_id: key.targetId,
      workspace: key.workspace,
      label: key.label,
      created_ms: key.createdMs,
      expires_ms: key.expiresMs,
      revoked_ms: null,
      last_used_ms: null,
    })
    .execute();
}

export async function findKey(db: Reader, id: string): Promise<StoredGatewayKey | undefined> {
  const row = await db.selectFrom('gateway_key').selectAll().where('id', '=', id).executeTakeFirst();
  return row && keyOf(row);
}

/** Newest first; ids sort by time. */
export async function selectKeys(db: Reader, limit: number, beforeId: string | undefined): Promise<StoredGatewayKey[]> {
  let query = db.selectFrom('gateway_key').selectAll().orderBy('id', 'desc').limit(limit);
  if (beforeId !== undefined) query = query.where('id', '<', beforeId);
  return (await query.execute()).map(keyOf);
}

/** Those that open something now, oldest first. */
export async function selectUsableKeys(db: Reader, nowMs: number): Promise<StoredGatewayKey[]> {
  const rows = await db
    .selectFrom('gateway_key')
    .selectAll()
    .where('revoked_ms', 'is', null)
    .where((eb) => eb.or([eb('expires_ms', 'is', null), eb('expires_ms', '>', nowMs)]))
    .orderBy('id')
    .execute();
  return rows.map(keyOf);
}

/** False: it was revoked before, or is not there. */
export async function markKeyRevoked(tx: Tx, id: string, nowMs: number): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .as<GatewayKeyTables>()
    .updateTable('gateway_key')
    .set({ revoked_ms: nowMs })
    .where('id', '=', id)
    .where('revoked_ms', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Never moves back: another instance may have seen it later. */
export async function markKeyUsed(tx: Tx, id: string, atMs: number): Promise<void> {
  await tx
    .as<GatewayKeyTables>()
    .updateTable('gateway_key')
    .set({ last_used_ms: atMs })
    .where('id', '=', id)
    .where((eb) => eb.or([eb('last_used_ms', 'is', null), eb('last_used_ms', '<', atMs)]))
    .execute();
}
