import type { Kysely } from 'kysely';
import type { Tx } from '../platform/database/index.ts';
import { type Delivery, type DeliveryState, longestWaitMs } from './delivery.ts';

type DeliveryRow = {
  id: string;
  receiver_id: string;
  group_id: string | null;
  reason: string;
  state: string;
  message: string;
  created_ms: number | string;
  since_ms: number | string;
  next_ms: number | string | null;
  failures: number | string;
  attempts: string;
  finished_ms: number | string | null;
  superseded_by: string | null;
};
export type DeliveryTables = { notify_delivery: DeliveryRow };
type Reader = Kysely<DeliveryTables>;

const numberOrNull = (value: number | string | null): number | null => (value === null ? null : Number(value));

// JSON and words that only this file writes.
const deliveryOf = (row: DeliveryRow): Delivery => ({
  id: row.id,
  receiverId: row.receiver_id,
  groupId: row.group_id,
  state: row.state as DeliveryState,
  message: JSON.parse(row.message),
  createdMs: Number(row.created_ms),
  sinceMs: Number(row.since_ms),
  nextMs: numberOrNull(row.next_ms),
  failures: Number(row.failures),
  attempts: JSON.parse(row.attempts),
  finishedMs: numberOrNull(row.finished_ms),
  supersededBy: row.superseded_by,
});

export async function insertDelivery(tx: Tx, delivery: Delivery): Promise<void> {
  await tx
    .as<DeliveryTables>()
    .insertInto('notify_delivery')
    .values({
      id: delivery.id,
      receiver_id: delivery.receiverId,
      group_id: delivery.groupId,
      reason: delivery.message.reason,
      state: delivery.state,
      message: JSON.stringify(delivery.message),
      created_ms: delivery.createdMs,
      since_ms: delivery.sinceMs,
      next_ms: delivery.nextMs,
      failures: delivery.failures,
      attempts: JSON.stringify(delivery.attempts),
      finished_ms: delivery.finishedMs,
      superseded_by: delivery.supersededBy,
    })
    .execute();
}

/**
 * What an attempt made of it. A later delivery may have taken its place meanwhile: then only a success counts.
 * @param from states that it may be in for anything else to count
 */
export async function updateDelivery(
  tx: Tx,
  delivery: Delivery,
  from: readonly DeliveryState[] = ['pending'],
): Promise<void> {
  const { state, nextMs, sinceMs, failures, attempts, finishedMs } = delivery;
  let query = tx
    .as<DeliveryTables>()
    .updateTable('notify_delivery')
    .set({
      ...{ state, failures },
      next_ms: nextMs,
      since_ms: sinceMs,
      attempts: JSON.stringify(attempts),
      finished_ms: finishedMs,
    })
    .where('id', '=', delivery.id);
  if (state !== 'sent') query = query.where('state', 'in', from);
  await query.execute();
}

/** Those of one group that were not sent yet, oldest first. */
export async function selectUndelivered(tx: Tx, receiverId: string, groupId: string): Promise<Delivery[]> {
  const rows = await tx
    .as<DeliveryTables>()
    .selectFrom('notify_delivery')
    .selectAll()
    .where('state', '=', 'pending')
    .where('receiver_id', '=', receiverId)
    .where('group_id', '=', groupId)
    .orderBy('id')
    .execute();
  return rows.map(deliveryOf);
}

export async function supersede(tx: Tx, ids: readonly string[], byId: string, nowMs: number): Promise<void> {
  await tx
    .as<DeliveryTables>()
    .updateTable('notify_delivery')
    .set({ state: 'superseded', superseded_by: byId, next_ms: null, finished_ms: nowMs })
    .where('id', 'in', ids)
    .execute();
}

/** Of receivers that are gone: nobody can get it. */
export async function killPending(tx: Tx, receiverId: string, nowMs: number): Promise<number> {
  const { numUpdatedRows } = await tx
    .as<DeliveryTables>()
    .updateTable('notify_delivery')
    .set({ state: 'dead', next_ms: null, finished_ms: nowMs })
    .where('receiver_id', '=', receiverId)
    .where('state', '=', 'pending')
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

/** A time further ahead than any waiting was written before the clock was set back. */
export async function selectDue(db: Reader, nowMs: number, limit: number): Promise<Delivery[]> {
  const rows = await db
    .selectFrom('notify_delivery')
    .selectAll()
    .where('state', '=', 'pending')
    .where((eb) => eb.or([eb('next_ms', '<=', nowMs), eb('next_ms', '>', nowMs + longestWaitMs)]))
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(deliveryOf);
}

/** When the next one is due; undefined while nothing waits. */
export async function nextDueMs(db: Reader): Promise<number | undefined> {
  const row = await db
    .selectFrom('notify_delivery')
    .select((eb) => eb.fn.min('next_ms').as('next'))
    .where('state', '=', 'pending')
    .executeTakeFirst();
  return row?.next === null || row?.next === undefined ? undefined : Number(row.next);
}

export async function findDelivery(db: Reader, id: string): Promise<Delivery | undefined> {
  const row = await db.selectFrom('notify_delivery').selectAll().where('id', '=', id).executeTakeFirst();
  return row && deliveryOf(row);
}

export type DeliveryFilter = {
  readonly state?: DeliveryState | undefined;
  readonly receiverId?: string | undefined;
  readonly beforeId?: string | undefined;
};

/** Newest first; ids sort by time. */
export async function selectDeliveries(db: Reader, filter: DeliveryFilter, limit: number): Promise<Delivery[]> {
  let query = db.selectFrom('notify_delivery').selectAll().orderBy('id', 'desc').limit(limit);
  if (filter.state !== undefined) query = query.where('state', '=', filter.state);
  if (filter.receiverId !== undefined) query = query.where('receiver_id', '=', filter.receiverId);
  if (filter.beforeId !== undefined) query = query.where('id', '<', filter.beforeId);
  return (await query.execute()).map(deliveryOf);
}

export async function countPending(db: Reader): Promise<{ pending: number; oldestMs: number | null }> {
  const row = await db
    .selectFrom('notify_delivery')
    .select((eb) => [eb.fn.countAll().as('pending'), eb.fn.min('since_ms').as('oldest')])
    .where('state', '=', 'pending')
    .executeTakeFirst();
  return { pending: Number(row?.pending ?? 0), oldestMs: numberOrNull(row?.oldest ?? null) };
}

export async function countDeliveries(db: Reader): Promise<number> {
  const row = await db
    .selectFrom('notify_delivery')
    .select((eb) => eb.fn.countAll().as('count'))
    .executeTakeFirst();
  return Number(row?.count ?? 0);
}

/** Of those that are over, the oldest; what is still to be sent never goes. */
export async function deleteOldestDeliveries(tx: Tx, count: number): Promise<number> {
  const db = tx.as<DeliveryTables>();
  const oldest = await db
    .selectFrom('notify_delivery')
    .select('id')
    .where('state', '!=', 'pending')
    .orderBy('id')
    .limit(count)
    .execute();
  const ids = oldest.map(({ id }) => id);
  for (let at = 0; at < ids.length; at += 500)
    await db
      .deleteFrom('notify_delivery')
      .where('id', 'in', ids.slice(at, at + 500))
      .execute();
  return ids.length;
}
