import type { Database } from '../platform/database/index.ts';

type Tables = {
  metric_block: { instance: string; tier: string; start_ms: number; payload: Uint8Array };
};

export type StoredBlock = { readonly instance: string; readonly startMs: number; readonly payload: Uint8Array };

/** Blocks of samples in `metric_block`; what is inside them is nobody's business here. */
export type BlockStore = {
  /** Writes a block, or writes a longer version over the earlier one. */
  put(tier: string, block: StoredBlock): Promise<void>;
  /** Blocks that begin within the range, both ends included, in the order of time. */
  between(tier: string, fromMs: number, toMs: number): Promise<readonly StoredBlock[]>;
  /** Deletes at most `limit` of the blocks that begin earlier; tells how many. */
  deleteBefore(tier: string, beforeMs: number, limit: number): Promise<number>;
  bytes(): Promise<number>;
  /** Deletes the oldest blocks until `bytes` are gone, `limit` blocks at most; tells how many bytes went. */
  deleteOldest(bytes: number, limit: number): Promise<number>;
};

export function createBlockStore(db: Database): BlockStore {
  return {
    put: (tier, { instance, startMs, payload }) =>
      db.unit(async (tx) => {
        await tx
          .as<Tables>()
          .insertInto('metric_block')
          .values({ instance, tier, start_ms: startMs, payload })
          .onConflict((oc) => oc.columns(['instance', 'tier', 'start_ms']).doUpdateSet({ payload }))
          .execute();
      }),
    async between(tier, fromMs, toMs) {
      const rows = await db
        .reader<Tables>()
        .selectFrom('metric_block')
        .select(['instance', 'start_ms', 'payload'])
        .where('tier', '=', tier)
        .where('start_ms', '>=', fromMs)
        .where('start_ms', '<=', toMs)
        .orderBy('start_ms')
        .execute();
      return rows.map((row) => ({ instance: row.instance, startMs: Number(row.start_ms), payload: row.payload }));
    },
    async bytes() {
      const row = await db
        .reader<Tables>()
        .selectFrom('metric_block')
        .select((eb) => eb.fn.sum<number | string | null>(eb.fn('length', ['payload'])).as('bytes'))
        .executeTakeFirst();
      return Number(row?.bytes ?? 0);
    },
    deleteOldest: (bytes, limit) =>
      db.unit(async (tx) => {
        const tables = tx.as<Tables>();
        const oldest = await tables
          .selectFrom('metric_block')
          .select((eb) => ['instance', 'tier', 'start_ms', eb.fn<number>('length', ['payload']).as('bytes')])
          .orderBy('start_ms')
          .limit(limit)
          .execute();
        let gone = 0;
        for (const block of oldest) {
          if (gone >= bytes) break;
          await tables
            .deleteFrom('metric_block')
            .where('instance', '=', block.instance)
            .where('tier', '=', block.tier)
            .where('start_ms', '=', block.start_ms)
            .execute();
          gone += Number(block.bytes);
        }
        return gone;
      }),
    deleteBefore: (tier, beforeMs, limit) =>
      db.unit(async (tx) => {
        const tables = tx.as<Tables>();
        const old = await tables
          .selectFrom('metric_block')
          .select(['instance', 'start_ms'])
          .where('tier', '=', tier)
          .where('start_ms', '<', beforeMs)
          .orderBy('start_ms')
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
  };
}
