import { type Kysely, sql } from 'kysely';
import type { Tx } from '../platform/database/index.ts';
import type { Slot } from './window.ts';

type Count = number | string;
export type LedgerTables = {
  quota_usage: {
    quota_id: string;
    bucket: string;
    slot_ms: Count;
    until_ms: Count;
    used: Count;
    held: Count;
    forfeited: Count;
    carried: Count;
  };
  quota_lease: {
    holder: string;
    quota_id: string;
    bucket: string;
    slot_ms: Count;
    amount: Count;
    comes_back: Count;
    expires_ms: Count;
  };
};
type Reader = Kysely<LedgerTables>;

/** One bucket of one quota, and the slot that is meant. */
export type Spot = { readonly quotaId: string; readonly bucket: string; readonly slot: Slot };

export type Standing = {
  /** Settled. */
  readonly used: number;
  /** In slabs and reservations; used up or given back before long. */
  readonly held: number;
  /** What died with a process that held it: counted as used, since nobody can tell. */
  readonly forfeited: number;
  /** Above the limit of the window before. */
  readonly carried: number;
};
export const totalOf = ({ used, held, forfeited, carried }: Standing): number => used + held + forfeited + carried;

/** What stands in the window that this slot ends. */
export async function readStanding(reader: Reader, { quotaId, bucket, slot }: Spot): Promise<Standing> {
  const row = await reader
    .selectFrom('quota_usage')
    .where('quota_id', '=', quotaId)
    .where('bucket', '=', bucket)
    .where('slot_ms', '>=', slot.fromMs)
    .where('slot_ms', '<=', slot.slotMs)
    .select(({ fn }) => [
      fn.sum('used').as('used'),
      fn.sum('held').as('held'),
      fn.sum('forfeited').as('forfeited'),
      fn.sum('carried').as('carried'),
    ])
    .executeTakeFirst();
  return {
    used: Number(row?.used ?? 0),
    held: Number(row?.held ?? 0),
    forfeited: Number(row?.forfeited ?? 0),
    carried: Number(row?.carried ?? 0),
  };
}

/** The same slot by slot, the oldest first; of the slots from `sinceMs` on. */
export async function readSlots(
  reader: Reader,
  { quotaId, bucket, slot }: Spot,
  sinceMs: number,
): Promise<readonly { readonly slotMs: number; readonly amount: number }[]> {
  const rows = await reader
    .selectFrom('quota_usage')
    .where('quota_id', '=', quotaId)
    .where('bucket', '=', bucket)
    .where('slot_ms', '>=', Math.max(slot.fromMs, sinceMs))
    .where('slot_ms', '<=', slot.slotMs)
    .select(['slot_ms', sql<Count>`used + held + forfeited + carried`.as('amount')])
    .orderBy('slot_ms')
    .execute();
  return rows.map((row) => ({ slotMs: Number(row.slot_ms), amount: Number(row.amount) }));
}

/** Counts what nothing covers; the row is made where there is none. */
export async function addUsed(tx: Tx, { quotaId, bucket, slot }: Spot, used: number): Promise<void> {
  await tx
    .as<LedgerTables>()
    .insertInto('quota_usage')
    .values({
      ...{ quota_id: quotaId, bucket, slot_ms: slot.slotMs, until_ms: slot.untilMs },
      ...{ used, held: 0, forfeited: 0, carried: 0 },
    })
    .onConflict((conflict) =>
      conflict
        .columns(['quota_id', 'bucket', 'slot_ms'])
        .doUpdateSet((eb) => ({ used: eb('quota_usage.used', '+', eb.ref('excluded.used')) })),
    )
    .execute();
}

/** Makes the row of a slot that nobody used yet. `carryAbove`: what the slot before has above it is taken over. */
export async function openSlot(tx: Tx, { quotaId, bucket, slot }: Spot, carryAbove: number | null): Promise<void> {
  const db = tx.as<LedgerTables>();
  let carried = 0;
  if (carryAbove !== null) {
    const before = await db
      .selectFrom('quota_usage')
      .where('quota_id', '=', quotaId)
      .where('bucket', '=', bucket)
      .where('slot_ms', '=', slot.beforeMs)
      .selectAll()
      .executeTakeFirst();
    if (before)
      carried = Math.max(
        0,
        Number(before.used) + Number(before.forfeited) + Number(before.carried) + Number(before.held) - carryAbove,
      );
  }
  await db
    .insertInto('quota_usage')
    .values({
      quota_id: quotaId,
      bucket,
      slot_ms: slot.slotMs,
      until_ms: slot.untilMs,
      used: 0,
      held: 0,
      forfeited: 0,
      carried,
    })
    .onConflict((conflict) => conflict.columns(['quota_id', 'bucket', 'slot_ms']).doNothing())
    .execute();
}

/**
 * The statement that spends: takes the amount only when the whole window stays within the ceiling; null is none.
 * False: not enough left.
 */
export async function debit(
  tx: Tx,
  { quotaId, bucket, slot }: Spot,
  take: { readonly used: number; readonly held: number },
  ceiling: number | null,
): Promise<boolean> {
  const amount = take.used + take.held;
  let update = tx
    .as<LedgerTables>()
    .updateTable('quota_usage')
    .set((eb) => ({ used: eb('used', '+', take.used), held: eb('held', '+', take.held) }))
    .where('quota_id', '=', quotaId)
    .where('bucket', '=', bucket)
    .where('slot_ms', '=', slot.slotMs);
  if (ceiling !== null)
    update = update.where(
      sql<boolean>`(select coalesce(sum(w.used + w.held + w.forfeited + w.carried), 0) from quota_usage as w
        where w.quota_id = ${quotaId} and w.bucket = ${bucket}
          and w.slot_ms >= ${slot.fromMs} and w.slot_ms <= ${slot.slotMs}) + ${amount} <= ${ceiling}`,
    );
  const { numUpdatedRows } = await update.executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** What a process holds of a slot grows; until `expiresMs` nobody else may take it. */
export async function addLease(
  tx: Tx,
  holder: string,
  spot: Spot,
  lease: { readonly amount: number; readonly comesBack: boolean; readonly expiresMs: number },
): Promise<void> {
  await tx
    .as<LedgerTables>()
    .insertInto('quota_lease')
    .values({
      holder,
      quota_id: spot.quotaId,
      bucket: spot.bucket,
      slot_ms: spot.slot.slotMs,
      amount: lease.amount,
      comes_back: lease.comesBack ? 1 : 0,
      expires_ms: lease.expiresMs,
    })
    .onConflict((conflict) =>
      conflict.columns(['holder', 'quota_id', 'bucket', 'slot_ms']).doUpdateSet((eb) => ({
        amount: eb('quota_lease.amount', '+', eb.ref('excluded.amount')),
        expires_ms: eb.ref('excluded.expires_ms'),
      })),
    )
    .execute();
}

/** Renews a lease. False: it is gone, and what it covered was counted as used. */
export async function renewLease(tx: Tx, holder: string, spot: Spot, expiresMs: number): Promise<boolean> {
  const { numUpdatedRows } = await ofLease(tx, holder, spot).set({ expires_ms: expiresMs }).executeTakeFirst();
  return numUpdatedRows === 1n;
}

const ofLease = (tx: Tx, holder: string, { quotaId, bucket, slot }: Spot) =>
  tx
    .as<LedgerTables>()
    .updateTable('quota_lease')
    .where('holder', '=', holder)
    .where('quota_id', '=', quotaId)
    .where('bucket', '=', bucket)
    .where('slot_ms', '=', slot.slotMs);

/**
 * Writes down what became of something held: `used` was used, and `covered` is held no more. Where the lease was taken away
 * meanwhile, what it covered stands among the forfeited, and is taken from there.
 */
export async function settleLease(
  tx: Tx,
  holder: string,
  spot: Spot,
  { used, covered }: { readonly used: number; readonly covered: number },
): Promise<void> {
  const db = tx.as<LedgerTables>();
  const row = await db
    .selectFrom('quota_usage')
    .where('quota_id', '=', spot.quotaId)
    .where('bucket', '=', spot.bucket)
    .where('slot_ms', '=', spot.slot.slotMs)
    .selectAll()
    .executeTakeFirst();
  // Reset or forgotten meanwhile: there is nothing to correct.
  if (row === undefined) return;
  let fromLease = 0;
  if (covered > 0) {
    const lease = await db
      .selectFrom('quota_lease')
      .where('holder', '=', holder)
      .where('quota_id', '=', spot.quotaId)
      .where('bucket', '=', spot.bucket)
      .where('slot_ms', '=', spot.slot.slotMs)
      .select('amount')
      .executeTakeFirst();
    fromLease = Math.min(covered, Number(lease?.amount ?? 0));
    if (fromLease > 0 && fromLease === Number(lease?.amount))
      await db
        .deleteFrom('quota_lease')
        .where('holder', '=', holder)
        .where('quota_id', '=', spot.quotaId)
        .where('bucket', '=', spot.bucket)
        .where('slot_ms', '=', spot.slot.slotMs)
        .execute();
    else if (fromLease > 0)
      await ofLease(tx, holder, spot)
        .set((eb) => ({ amount: eb('amount', '-', fromLease) }))
        .execute();
  }
  await writeRow(tx, spot, {
    used: Number(row.used) + used,
    held: Math.max(0, Number(row.held) - fromLease),
    forfeited: Math.max(0, Number(row.forfeited) - (covered - fromLease)),
  });
}

/** Of reservations, which no lease covers: `used` was used of what was held. */
export async function settleHeld(
  tx: Tx,
  spot: Spot,
  { used, held }: { readonly used: number; readonly held: number },
): Promise<void> {
  const row = await tx
    .as<LedgerTables>()
    .selectFrom('quota_usage')
    .where('quota_id', '=', spot.quotaId)
    .where('bucket', '=', spot.bucket)
    .where('slot_ms', '=', spot.slot.slotMs)
    .selectAll()
    .executeTakeFirst();
  if (row === undefined) return;
  await writeRow(tx, spot, {
    used: Number(row.used) + used,
    held: Math.max(0, Number(row.held) - held),
    forfeited: Number(row.forfeited),
  });
}

const writeRow = (
  tx: Tx,
  { quotaId, bucket, slot }: Spot,
  values: { used: number; held: number; forfeited: number },
): Promise<unknown> =>
  tx
    .as<LedgerTables>()
    .updateTable('quota_usage')
    .set(values)
    .where('quota_id', '=', quotaId)
    .where('bucket', '=', bucket)
    .where('slot_ms', '=', slot.slotMs)
    .execute();

/** Sets what was measured elsewhere, as the bytes that are stored: it is no sum of uses. */
export async function setLevel(tx: Tx, spot: Spot, used: number): Promise<void> {
  await openSlot(tx, spot, null);
  await tx
    .as<LedgerTables>()
    .updateTable('quota_usage')
    .set({ used })
    .where('quota_id', '=', spot.quotaId)
    .where('bucket', '=', spot.bucket)
    .where('slot_ms', '=', spot.slot.slotMs)
    .execute();
}

/** At most so many leases are taken away in one go. */
export const mostReaped = 500;

export type Reaped = {
  readonly quotaId: string;
  readonly bucket: string;
  readonly amount: number;
  readonly comesBack: boolean;
};

/**
 * Takes leases away from whoever lets them lapse, or from an earlier life (`holderPrefix`): what comes back is free again,
 * everything else is counted as used, for nobody can tell what was.
 */
export async function reapLeases(
  tx: Tx,
  which: { readonly expiredMs: number } | { readonly holderPrefix: string; readonly notHolder: string },
  of?: { readonly quotaId: string; readonly bucket: string },
): Promise<readonly Reaped[]> {
  const db = tx.as<LedgerTables>();
  let all = db.selectFrom('quota_lease').selectAll().limit(mostReaped);
  if (of) all = all.where('quota_id', '=', of.quotaId).where('bucket', '=', of.bucket);
  const lapsed = await ('expiredMs' in which
    ? all.where('expires_ms', '<=', which.expiredMs)
    : all
        .where(sql<boolean>`substr(holder, 1, ${which.holderPrefix.length}) = ${which.holderPrefix}`)
        .where('holder', '!=', which.notHolder)
  ).execute();
  for (const lease of lapsed) {
    const amount = Number(lease.amount);
    await db
      .updateTable('quota_usage')
      .set((eb) => ({
        held: eb('held', '-', amount),
        ...(Number(lease.comes_back) === 1 ? {} : { forfeited: eb('forfeited', '+', amount) }),
      }))
      .where('quota_id', '=', lease.quota_id)
      .where('bucket', '=', lease.bucket)
      .where('slot_ms', '=', lease.slot_ms)
      .execute();
    await db
      .deleteFrom('quota_lease')
      .where('holder', '=', lease.holder)
      .where('quota_id', '=', lease.quota_id)
      .where('bucket', '=', lease.bucket)
      .where('slot_ms', '=', lease.slot_ms)
      .execute();
  }
  return lapsed.map(({ quota_id, bucket, amount, comes_back }) => ({
    quotaId: quota_id,
    bucket,
    amount: Number(amount),
    comesBack: Number(comes_back) === 1,
  }));
}

/** Forgets what was used, of one bucket or of all; what is held under way goes on to count. */
export async function clearUsage(tx: Tx, quotaId: string, bucket: string | undefined): Promise<void> {
  let update = tx
    .as<LedgerTables>()
    .updateTable('quota_usage')
    .set({ used: 0, forfeited: 0, carried: 0 })
    .where('quota_id', '=', quotaId);
  if (bucket !== undefined) update = update.where('bucket', '=', bucket);
  await update.execute();
}

/** All of a quota that is no more. */
export async function dropLedger(tx: Tx, quotaId: string): Promise<void> {
  const db = tx.as<LedgerTables>();
  await db.deleteFrom('quota_lease').where('quota_id', '=', quotaId).execute();
  await db.deleteFrom('quota_usage').where('quota_id', '=', quotaId).execute();
}

export type UsageRow = Standing & {
  readonly quotaId: string;
  readonly bucket: string;
  readonly slotMs: number;
  readonly untilMs: number;
};

const rowOf = (row: LedgerTables['quota_usage']): UsageRow => ({
  quotaId: row.quota_id,
  bucket: row.bucket,
  slotMs: Number(row.slot_ms),
  untilMs: Number(row.until_ms),
  used: Number(row.used),
  held: Number(row.held),
  forfeited: Number(row.forfeited),
  carried: Number(row.carried),
});

/** Slots of one quota that began in this time, the newest first. */
export async function listSlots(
  reader: Reader,
  quotaId: string,
  { fromMs, bucket, limit }: { readonly fromMs: number; readonly bucket?: string | undefined; readonly limit: number },
): Promise<readonly UsageRow[]> {
  let query = reader
    .selectFrom('quota_usage')
    .selectAll()
    .where('quota_id', '=', quotaId)
    .where('slot_ms', '>=', fromMs);
  if (bucket !== undefined) query = query.where('bucket', '=', bucket);
  return (await query.orderBy('slot_ms', 'desc').limit(limit).execute()).map(rowOf);
}

/** Of each slot that began since and is over, the most that one bucket used; the newest first. */
export async function listGreatest(
  reader: Reader,
  quotaId: string,
  { fromMs, endedMs, limit }: { readonly fromMs: number; readonly endedMs: number; readonly limit: number },
): Promise<readonly { readonly startMs: number; readonly greatest: number }[]> {
  const rows = await reader
    .selectFrom('quota_usage')
    .select((eb) => ['slot_ms', eb.fn.max(eb('used', '+', eb.ref('forfeited'))).as('greatest')])
    .where('quota_id', '=', quotaId)
    .where('slot_ms', '>=', fromMs)
    .where('until_ms', '<=', endedMs)
    .groupBy('slot_ms')
    .orderBy('slot_ms', 'desc')
    .limit(limit)
    .execute();
  return rows.map((row) => ({ startMs: Number(row.slot_ms), greatest: Number(row.greatest) }));
}

/** Slots that ended before this, of one quota, at most so many; those with something under way stay. */
export async function pruneSlots(tx: Tx, quotaId: string, endedMs: number, limit: number): Promise<number> {
  const { numDeletedRows } = await tx
    .as<LedgerTables>()
    .deleteFrom('quota_usage')
    .where('quota_id', '=', quotaId)
    .where((eb) =>
      eb(
        eb.refTuple('bucket', 'slot_ms'),
        'in',
        eb
          .selectFrom('quota_usage')
          .select(['bucket', 'slot_ms'])
          .where('quota_id', '=', quotaId)
          .where('until_ms', '<=', endedMs)
          .where('held', '=', 0)
          .limit(limit)
          .$asTuple('bucket', 'slot_ms'),
      ),
    )
    .executeTakeFirst();
  return Number(numDeletedRows);
}

export const countSlots = async (reader: Reader): Promise<number> =>
  Number(
    (
      await reader
        .selectFrom('quota_usage')
        .select(({ fn }) => fn.countAll().as('n'))
        .executeTakeFirst()
    )?.n ?? 0,
  );

/** When the oldest of all slots ended, so many from the newest on: what lies before may go at once. */
export async function endOfNewest(reader: Reader, newest: number): Promise<number | undefined> {
  const row = await reader
    .selectFrom('quota_usage')
    .select('until_ms')
    .orderBy('until_ms', 'desc')
    .offset(newest)
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : Number(row.until_ms);
}

/** Where what is held does not agree with leases and reservations: empty when the books are right. */
export async function auditHeld(reader: Reader, heldByReservations: ReadonlyMap<string, number>): Promise<string[]> {
  const rows = await reader.selectFrom('quota_usage').selectAll().execute();
  const leases = await reader.selectFrom('quota_lease').selectAll().execute();
  const covered = new Map(heldByReservations);
  for (const one of leases) {
    const key = `${one.quota_id} ${one.bucket} ${Number(one.slot_ms)}`;
    covered.set(key, (covered.get(key) ?? 0) + Number(one.amount));
  }
  return rows.flatMap((row) => {
    const key = `${row.quota_id} ${row.bucket} ${Number(row.slot_ms)}`;
    const expected = covered.get(key) ?? 0;
    return Number(row.held) === expected ? [] : [`${key}: ${Number(row.held)} held, ${expected} covered`];
  });
}

/** Of all quotas: slots that ended by then and in which nothing is under way, at most so many. */
export async function pruneOldest(tx: Tx, endedMs: number, limit: number): Promise<number> {
  const db = tx.as<LedgerTables>();
  const { numDeletedRows } = await db
    .deleteFrom('quota_usage')
    .where((eb) =>
      eb(
        eb.refTuple('quota_id', 'bucket', 'slot_ms'),
        'in',
        eb
          .selectFrom('quota_usage')
          .select(['quota_id', 'bucket', 'slot_ms'])
          .where('until_ms', '<=', endedMs)
          .where('held', '=', 0)
          .orderBy('until_ms')
          .limit(limit)
          .$asTuple('quota_id', 'bucket', 'slot_ms'),
      ),
    )
    .executeTakeFirst();
  return Number(numDeletedRows);
}
