import type { Kysely } from 'kysely';
import type { Tx } from '../platform/database/index.ts';
import type { ReceiverState } from './receiver.ts';

type ReceiverRow = {
  id: string;
  kind: string;
  settings: string;
  secrets: string;
  created_by: string;
  created_ms: number | string;
  changed_ms: number | string;
};
type StateRow = {
  receiver_id: string;
  disabled_ms: number | string | null;
  disabled_reason: string | null;
  failures: number | string;
  last_success_ms: number | string | null;
  last_error_ms: number | string | null;
  last_error: string | null;
};
export type ReceiverTables = { notify_receiver: ReceiverRow; notify_receiver_state: StateRow };
type Reader = Kysely<ReceiverTables>;

/** One that was made over the API: what may be shown, and what is sealed. */
export type StoredReceiver = {
  readonly id: string;
  readonly settings: unknown;
  /** Sealed, by name. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly createdBy: string;
  readonly createdMs: number;
  readonly changedMs: number;
};

const numberOrNull = (value: number | string | null): number | null => (value === null ? null : Number(value));

export async function selectReceivers(db: Reader): Promise<StoredReceiver[]> {
  const rows = await db.selectFrom('notify_receiver').selectAll().orderBy('id').execute();
  return rows.map((row) => ({
    id: row.id,
    settings: JSON.parse(row.settings),
    // JSON that only this file writes.
    secrets: JSON.parse(row.secrets),
    createdBy: row.created_by,
    createdMs: Number(row.created_ms),
    changedMs: Number(row.changed_ms),
  }));
}

export async function writeReceiver(tx: Tx, receiver: StoredReceiver & { readonly kind: string }): Promise<void> {
  const { id, kind, createdBy, createdMs, changedMs } = receiver;
  const changing = {
    kind,
    settings: JSON.stringify(receiver.settings),
    secrets: JSON.stringify(receiver.secrets),
    changed_ms: changedMs,
  };
  await tx
    .as<ReceiverTables>()
    .insertInto('notify_receiver')
    .values({ id, created_by: createdBy, created_ms: createdMs, ...changing })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(changing))
    .execute();
}

/** False: there was none. */
export async function deleteReceiver(tx: Tx, id: string): Promise<boolean> {
  const db = tx.as<ReceiverTables>();
  const { numDeletedRows } = await db.deleteFrom('notify_receiver').where('id', '=', id).executeTakeFirst();
  await db.deleteFrom('notify_receiver_state').where('receiver_id', '=', id).execute();
  return numDeletedRows === 1n;
}

export async function selectStates(db: Reader): Promise<ReceiverState[]> {
  const rows = await db.selectFrom('notify_receiver_state').selectAll().execute();
  return rows.map((row) => ({
    receiverId: row.receiver_id,
    disabledMs: numberOrNull(row.disabled_ms),
    disabledReason: row.disabled_reason,
    failures: Number(row.failures),
    lastSuccessMs: numberOrNull(row.last_success_ms),
    lastErrorMs: numberOrNull(row.last_error_ms),
    lastError: row.last_error,
  }));
}

export async function writeState(tx: Tx, state: ReceiverState): Promise<void> {
  const rest = {
    disabled_ms: state.disabledMs,
    disabled_reason: state.disabledReason,
    failures: state.failures,
    last_success_ms: state.lastSuccessMs,
    last_error_ms: state.lastErrorMs,
    last_error: state.lastError,
  };
  await tx
    .as<ReceiverTables>()
    .insertInto('notify_receiver_state')
    .values({ receiver_id: state.receiverId, ...rest })
    .onConflict((conflict) => conflict.column('receiver_id').doUpdateSet(rest))
    .execute();
}
