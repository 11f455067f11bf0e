import type { Kysely } from 'kysely';
import { z } from 'zod';
import type { Tx } from '../platform/database/index.ts';
import { type Amounts, countedKinds, type Place } from './quota.ts';

type Count = number | string;
export type ReservationTables = {
  quota_reservation: {
    id: string;
    subject: string;
    idempotency_key: string | null;
    digest: string;
    place: string;
    amounts: string;
    parts: string;
    state: string;
    on_expiry: string;
    created_ms: Count;
    expires_ms: Count;
    ended_ms: Count | null;
  };
};
type Reader = Kysely<ReservationTables>;

/** What of a reservation stands in the ledger, and where. */
export type ReservedPart = {
  readonly quotaId: string;
  readonly bucket: string;
  readonly slotMs: number;
  readonly counts: (typeof countedKinds)[number];
  readonly amount: number;
  readonly comesBack: boolean;
};

/** held → settled (used), released (given back) or expired (nobody settled it in time). */
export type ReservationState = 'held' | 'settled' | 'released' | 'expired';
export type Reservation = {
  readonly id: string;
  /** Who made it. */
  readonly subject: string;
  readonly idempotencyKey: string | null;
  readonly digest: string;
  readonly place: Place;
  readonly amounts: Amounts;
  readonly parts: readonly ReservedPart[];
  readonly state: ReservationState;
  readonly onExpiry: 'release' | 'charge';
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly endedMs: number | null;
};

const partsSchema = z.array(
  z.object({
    quotaId: z.string(),
    bucket: z.string(),
    slotMs: z.number(),
    counts: z.enum(countedKinds),
    amount: z.number(),
    comesBack: z.boolean(),
  }),
);

const reservationOf = (row: ReservationTables['quota_reservation']): Reservation => ({
  id: row.id,
  subject: row.subject,
  idempotencyKey: row.idempotency_key,
  digest: row.digest,
  // Written from these types, and by nobody else.
  place: JSON.parse(row.place) as Place,
  amounts: JSON.parse(row.amounts) as Amounts,
  parts: partsSchema.parse(JSON.parse(row.parts)),
  state: row.state as ReservationState,
  onExpiry: row.on_expiry === 'charge' ? 'charge' : 'release',
  createdMs: Number(row.created_ms),
  expiresMs: Number(row.expires_ms),
  endedMs: row.ended_ms === null ? null : Number(row.ended_ms),
});

export async function insertReservation(tx: Tx, one: Reservation): Promise<void> {
  await tx
    .as<ReservationTables>()
    .insertInto('quota_reservation')
    .values({
      id: one.id,
      subject: one.subject,
      idempotency_key: one.idempotencyKey,
      digest: one.digest,
      place: JSON.stringify(one.place),
      amounts: JSON.stringify(one.amounts),
      parts: JSON.stringify(one.parts),
      state: one.state,
      on_expiry: one.onExpiry,
      created_ms: one.createdMs,
      expires_ms: one.expiresMs,
      ended_ms: one.endedMs,
    })
    .execute();
}

export async function findReservation(reader: Reader, id: string): Promise<Reservation | undefined> {
  const row = await reader.selectFrom('quota_reservation').selectAll().where('id', '=', id).executeTakeFirst();
  return row && reservationOf(row);
}

export async function findReservationByKey(
  reader: Reader,
  subject: string,
  idempotencyKey: string,
): Promise<Reservation | undefined> {
  const row = await reader
    .selectFrom('quota_reservation')
    .selectAll()
    .where('subject', '=', subject)
    .where('idempotency_key', '=', idempotencyKey)
    .executeTakeFirst();
  return row && reservationOf(row);
}

/** False: it had ended already. */
export async function endReservation(
  tx: Tx,
  id: string,
  state: Exclude<ReservationState, 'held'>,
  endedMs: number,
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .as<ReservationTables>()
    .updateTable('quota_reservation')
    .set({ state, ended_ms: endedMs })
    .where('id', '=', id)
    .where('state', '=', 'held')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** False: it had ended already. */
export async function renewReservation(tx: Tx, id: string, expiresMs: number): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .as<ReservationTables>()
    .updateTable('quota_reservation')
    .set({ expires_ms: expiresMs })
    .where('id', '=', id)
    .where('state', '=', 'held')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

export const listExpired = async (reader: Reader, nowMs: number, limit: number): Promise<readonly Reservation[]> =>
  (
    await reader
      .selectFrom('quota_reservation')
      .selectAll()
      .where('state', '=', 'held')
      .where('expires_ms', '<=', nowMs)
      .limit(limit)
      .execute()
  ).map(reservationOf);

export type ReservationFilter = {
  readonly state?: ReservationState | undefined;
  readonly subject?: string | undefined;
  readonly beforeId?: string | undefined;
  readonly limit: number;
};

/** The newest first. */
export async function listReservations(reader: Reader, filter: ReservationFilter): Promise<readonly Reservation[]> {
  let query = reader.selectFrom('quota_reservation').selectAll();
  if (filter.state !== undefined) query = query.where('state', '=', filter.state);
  if (filter.subject !== undefined) query = query.where('subject', '=', filter.subject);
  if (filter.beforeId !== undefined) query = query.where('id', '<', filter.beforeId);
  return (await query.orderBy('id', 'desc').limit(filter.limit).execute()).map(reservationOf);
}

export const countHeld = async (reader: Reader): Promise<number> =>
  Number(
    (
      await reader
        .selectFrom('quota_reservation')
        .select(({ fn }) => fn.countAll().as('n'))
        .where('state', '=', 'held')
        .executeTakeFirst()
    )?.n ?? 0,
  );

/** Those that ended before this, at most so many: until then the same key gets the same answer. */
export async function pruneReservations(tx: Tx, endedMs: number, limit: number): Promise<number> {
  const db = tx.as<ReservationTables>();
  const { numDeletedRows } = await db
    .deleteFrom('quota_reservation')
    .where(
      'id',
      'in',
      db
        .selectFrom('quota_reservation')
        .select('id')
        .where('state', '!=', 'held')
        .where('ended_ms', '<', endedMs)
        .limit(limit),
    )
    .executeTakeFirst();
  return Number(numDeletedRows);
}

export const countEnded = async (reader: Reader): Promise<number> =>
  Number(
    (
      await reader
        .selectFrom('quota_reservation')
        .select(({ fn }) => fn.countAll().as('n'))
        .where('state', '!=', 'held')
        .executeTakeFirst()
    )?.n ?? 0,
  );

/** Those that ended longest ago. */
export async function pruneOldestReservations(tx: Tx, limit: number): Promise<number> {
  const db = tx.as<ReservationTables>();
  const { numDeletedRows } = await db
    .deleteFrom('quota_reservation')
    .where(
      'id',
      'in',
      db.selectFrom('quota_reservation').select('id').where('state', '!=', 'held').orderBy('ended_ms').limit(limit),
    )
    .executeTakeFirst();
  return Number(numDeletedRows);
}
