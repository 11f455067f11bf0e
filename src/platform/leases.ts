import type { Clock } from './clock.ts';
import type { Database, Tx } from './database/index.ts';
import { AppError } from './errors.ts';

/** Held by `holder` until it expires; `epoch` grows with every change of hands, so that a former holder is known as one. */
export type Lease = { readonly name: string; readonly epoch: number };

export type Leases = {
  /** Undefined while somebody else, or another piece of work of this instance, holds it. */
  acquire(name: string, tx?: Tx): Promise<Lease | undefined>;
  /** False when it went to somebody else meanwhile: the work has to end. */
  renew(lease: Lease, tx?: Tx): Promise<boolean>;
  /** Only the holder's own epoch is released; what somebody else took meanwhile stays. */
  release(lease: Lease, tx?: Tx): Promise<void>;
  /**
   * Asked immediately before an effect outside the database.
   * @throws AppError `operation/lease-lost`
   */
  check(lease: Lease): Promise<void>;
  /**
   * Takes a lease also while `from` still holds it. For a holder that is known to be dead, such as an earlier process of
   * this instance. Undefined while somebody else holds it.
   */
  takeOver(name: string, from: string): Promise<Lease | undefined>;
  /** Who holds it now; undefined when nobody does. */
  holder(name: string): Promise<string | undefined>;
};

type LeaseTables = {
  lease: { name: string; holder: string; epoch: number; expires_ms: number };
};

/**
 * Leases in table `lease`. Each step is one conditional statement, so two holders cannot both succeed.
 * @param ttlMs how long a lease outlives its last renewal; the time after which a dead holder's work is free again
 */
export function createLeases(options: { db: Database; clock: Clock; instance: string; ttlMs: number }): Leases {
  const { db, clock, instance, ttlMs } = options;
  const inUnit = <Result>(tx: Tx | undefined, work: (tx: Tx) => Promise<Result>): Promise<Result> =>
    tx ? work(tx) : db.unit(work);

  const take = async (tx: Tx, name: string, deadHolder: string | undefined): Promise<Lease | undefined> => {
    const nowMs = clock.now();
    const expiresMs = nowMs + ttlMs;
    const row = await tx
      .as<LeaseTables>()
      .insertInto('lease')
      .values({ name, holder: instance, epoch: 1, expires_ms: expiresMs })
      .onConflict((conflict) => {
        const update = conflict.column('name').doUpdateSet((eb) => ({
          holder: instance,
          epoch: eb('lease.epoch', '+', 1),
          expires_ms: expiresMs,
        }));
        return update.where((eb) =>
          deadHolder === undefined
            ? eb('lease.expires_ms', '<=', nowMs)
            : eb.or([eb('lease.expires_ms', '<=', nowMs), eb('lease.holder', '=', deadHolder)]),
        );
      })
      .returning(['name', 'epoch'])
      .executeTakeFirst();
    return row && { name: row.name, epoch: Number(row.epoch) };
  };

  return {
    acquire: (name, outer) => inUnit(outer, (tx) => take(tx, name, undefined)),
    async renew(lease, outer) {
      const { numUpdatedRows } = await inUnit(outer, (tx) =>
        tx
          .as<LeaseTables>()
          .updateTable('lease')
          .set({ expires_ms: clock.now() + ttlMs })
          .where('name', '=', lease.name)
          .where('holder', '=', instance)
          .where('epoch', '=', lease.epoch)
          .executeTakeFirst(),
      );
      return numUpdatedRows === 1n;
    },
    async release(lease, outer) {
      // The row stays: its epoch must never start again from one.
      await inUnit(outer, (tx) =>
        tx
          .as<LeaseTables>()
          .updateTable('lease')
          .set({ expires_ms: 0 })
          .where('name', '=', lease.name)
          .where('holder', '=', instance)
          .where('epoch', '=', lease.epoch)
          .execute(),
      );
    },
    async check(lease) {
      const held = await db
        .reader<LeaseTables>()
        .selectFrom('lease')
        .select('epoch')
        .where('name', '=', lease.name)
        .where('holder', '=', instance)
        .where('epoch', '=', lease.epoch)
        .where('expires_ms', '>', clock.now())
        .executeTakeFirst();
      if (!held)
        throw new AppError('operation/lease-lost', 'Another instance took this work over. Nothing more was changed.', {
          context: { lease },
        });
    },
    async holder(name) {
      const held = await db
        .reader<LeaseTables>()
        .selectFrom('lease')
        .select('holder')
        .where('name', '=', name)
        .where('expires_ms', '>', clock.now())
        .executeTakeFirst();
      return held?.holder;
    },
    takeOver: (name, from) => db.unit((tx) => take(tx, name, from)),
  };
}
