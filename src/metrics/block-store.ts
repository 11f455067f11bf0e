import type { Database } from '../platform/database/index.ts';

/** `values` holds recorded values with what was said about them; the others hold series, ever coarser. */
export const tierNames = ['values', 'raw', '5m', '1h'] as const;
export type TierName = (typeof tierNames)[number];

type Tables = {
  metric_block: {
    instance: string;
    tier: string;
    start_ms: number;
    first_ms: number;
    last_ms: number;
    items: number;
    payload: Uint8Array;
  };
};

/** Where a block lies and which stretch of time it holds, both ends included. */
export type BlockPlace = {
  readonly instance: string;
  readonly startMs: number;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly bytes: number;
};

export type StoredBlock = Omit<BlockPlace, 'bytes'> & {
  /** How many samples, rows or values there are in it. */
  readonly items: number;
  readonly payload: Uint8Array;
};

/** Blocks of samples in `metric_block`; what is inside them is nobody's business here. */
export type BlockStore = {
  /** Writes a block, or writes a longer version over the earlier one; `instead` are the starts of blocks that it replaces. */
  put(tier: TierName, block: StoredBlock, instead?: readonly number[]): Promise<void>;
  /** Blocks that hold something of the range, both ends included, in the order of time. */
  overlapping(tier: TierName, fromMs: number, toMs: number, instance?: string): Promise<readonly BlockPlace[]>;
  /** Payloads in the order of the places; undefined for a block that was deleted meanwhile. */
  payloads(tier: TierName, places: readonly BlockPlace[]): Promise<readonly (Uint8Array | undefined)[]>;
  /** The stretch of time that a tier holds; undefined when it holds nothing. */
  extent(tier: TierName, instance?: string): Promise<{ firstMs: number; lastMs: number } | undefined>;
  /** Of the blocks whose last sample is earlier. */
  countBefore(tier: TierName, beforeMs: number): Promise<{ count: number; bytes: number }>;
  /** Deletes at most `limit` of the blocks whose last sample is earlier; tells how many. */
  deleteBefore(tier: TierName, beforeMs: number, limit: number): Promise<number>;
  delete(tier: TierName, instance: string, startMs: number): Promise<void>;
  /** What a tier holds in all. */
  items(tier: TierName): Promise<number>;
  bytes(): Promise<number>;
  /** Deletes until `bytes` are gone, `limit` blocks at most: the finest and of these the oldest first. Tells how many bytes went. */
  deleteOldest(bytes: number, limit: number): Promise<number>;
  deleteAll(): Promise<number>;
};

const payloadsAtOnce = 32;

export function createBlockStore(db: Database): BlockStore {
  const read = () => db.reader<Tables>().selectFrom('metric_block');
  return {
    put: (tier, { instance, startMs, firstMs, lastMs, items, payload }, instead = []) =>
      db.unit(async (tx) => {
        const tables = tx.as<Tables>();
        await tables
          .insertInto('metric_block')
          .values({ instance, tier, start_ms: startMs, first_ms: firstMs, last_ms: lastMs, items, payload })
          .onConflict((oc) =>
            oc
              .columns(['instance', 'tier', 'start_ms'])
              .doUpdateSet({ first_ms: firstMs, last_ms: lastMs, items, payload }),
          )
          .execute();
        const replaced = instead.filter((one) => one !== startMs);
        if (replaced.length > 0)
          await tables
            .deleteFrom('metric_block')
            .where('instance', '=', instance)
            .where('tier', '=', tier)
            .where('start_ms', 'in', replaced)
            .execute();
      }),
    async overlapping(tier, fromMs, toMs, instance) {
      let query = read()
        .select((eb) => [
          'instance',
          'start_ms',
          'first_ms',
          'last_ms',
          eb.fn<number | string>('length', ['payload']).as('bytes'),
        ])
        .where('tier', '=', tier)
        .where('last_ms', '>=', fromMs)
        .where('first_ms', '<=', toMs);
      if (instance !== undefined) query = query.where('instance', '=', instance);
      const rows = await query.orderBy('first_ms').orderBy('instance').orderBy('start_ms').execute();
      return rows.map((row) => ({
        instance: row.instance,
        startMs: Number(row.start_ms),
        firstMs: Number(row.first_ms),
        lastMs: Number(row.last_ms),
        bytes: Number(row.bytes),
      }));
    },
    async payloads(tier, places) {
      const found = new Map<string, Uint8Array>();
      for (let at = 0; at < places.length; at += payloadsAtOnce) {
        const some = places.slice(at, at + payloadsAtOnce);
        const rows = await read()
          .select(['instance', 'start_ms', 'payload'])
          .where('tier', '=', tier)
          .where('instance', 'in', [...new Set(some.map((place) => place.instance))])
          .where(
            'start_ms',
            'in',
            some.map((place) => place.startMs),
          )
          .execute();
        for (const row of rows) found.set(`${Number(row.start_ms)} ${row.instance}`, row.payload);
      }
      return places.map((place) => found.get(`${place.startMs} ${place.instance}`));
    },
    async extent(tier, instance) {
      let query = read()
        .select((eb) => [eb.fn.min('first_ms').as('first'), eb.fn.max('last_ms').as('last')])
        .where('tier', '=', tier);
      if (instance !== undefined) query = query.where('instance', '=', instance);
      const row = await query.executeTakeFirst();
      return row === undefined || row.first === null || row.last === null
        ? undefined
        : { firstMs: Number(row.first), lastMs: Number(row.last) };
    },
    async countBefore(tier, beforeMs) {
      const row = await read()
        .select((eb) => [
          eb.fn.countAll<number>().as('count'),
          eb.fn.sum<number | string>(eb.fn('length', ['payload'])).as('bytes'),
        ])
        .where('tier', '=', tier)
        .where('last_ms', '<', beforeMs)
        .executeTakeFirstOrThrow();
      return { count: Number(row.count), bytes: Number(row.bytes ?? 0) };
    },
    deleteBefore: (tier, beforeMs, limit) =>
      db.unit(async (tx) => {
        const tables = tx.as<Tables>();
        const old = await tables
          .selectFrom('metric_block')
          .select(['instance', 'start_ms'])
          .where('tier', '=', tier)
          .where('last_ms', '<', beforeMs)
          .orderBy('last_ms')
          .limit(limit)
          .execute();
        for (const { instance, start_ms } of old)
          await tables
            .deleteFrom('metric_block')
            .where('instance', '=', instance)
            .where('tier', '=', tier)
            .where('start_ms', '=', start_ms)
            .execute();
        return old.length;
      }),
    delete: (tier, instance, startMs) =>
      db.unit(async (tx) => {
        await tx
          .as<Tables>()
          .deleteFrom('metric_block')
          .where('instance', '=', instance)
          .where('tier', '=', tier)
          .where('start_ms', '=', startMs)
          .execute();
      }),
    async items(tier) {
      const row = await read()
        .select((eb) => eb.fn.sum<number | string | null>('items').as('items'))
        .where('tier', '=', tier)
        .executeTakeFirst();
      return Number(row?.items ?? 0);
    },
    async bytes() {
      const row = await read()
        .select((eb) => eb.fn.sum<number | string | null>(eb.fn('length', ['payload'])).as('bytes'))
        .executeTakeFirst();
      return Number(row?.bytes ?? 0);
    },
    deleteOldest: (bytes, limit) =>
      db.unit(async (tx) => {
        const tables = tx.as<Tables>();
        let gone = 0;
        let left = limit;
        for (const tier of tierNames) {
          if (gone >= bytes || left <= 0) break;
          const oldest = await tables
            .selectFrom('metric_block')
            .select((eb) => ['instance', 'start_ms', eb.fn<number>('length', ['payload']).as('bytes')])
            .where('tier', '=', tier)
            .orderBy('start_ms')
            .limit(left)
            .execute();
          for (const block of oldest) {
            if (gone >= bytes) break;
            await tables
              .deleteFrom('metric_block')
              .where('instance', '=', block.instance)
              .where('tier', '=', tier)
              .where('start_ms', '=', block.start_ms)
              .execute();
            gone += Number(block.bytes);
            left -= 1;
          }
        }
        return gone;
      }),
    deleteAll: () =>
      db.unit(async (tx) => {
        const gone = await tx.as<Tables>().deleteFrom('metric_block').executeTakeFirst();
        return Number(gone.numDeletedRows);
      }),
  };
}
