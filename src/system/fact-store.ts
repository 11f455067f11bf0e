import type { Database, Tx } from '../platform/database/index.ts';

type FactTables = { system_fact: { key: string; value: string; at_ms: number } };

export type Fact = { readonly value: string; readonly atMs: number };

/** Small facts about this instance in `system_fact`: one row per key, written over. */
export type FactStore = {
  read(key: string): Promise<Fact | undefined>;
  /** Every fact whose key begins so, in the order of the keys. */
  list(prefix: string): Promise<readonly (Fact & { readonly key: string })[]>;
  write(tx: Tx, key: string, value: string, nowMs: number): Promise<void>;
};

export const createFactStore = (db: Database): FactStore => ({
  async read(key) {
    const row = await db
      .reader<FactTables>()
      .selectFrom('system_fact')
      .select(['value', 'at_ms'])
      .where('key', '=', key)
      .executeTakeFirst();
    return row && { value: row.value, atMs: Number(row.at_ms) };
  },
  async list(prefix) {
    const rows = await db
      .reader<FactTables>()
      .selectFrom('system_fact')
      .select(['key', 'value', 'at_ms'])
      .where('key', '>=', prefix)
      .where('key', '<', `${prefix}\uffff`)
      .orderBy('key')
      .limit(1_000)
      .execute();
    return rows
      .filter(({ key }) => key.startsWith(prefix))
      .map(({ key, value, at_ms }) => ({ key, value, atMs: Number(at_ms) }));
  },
  async write(tx, key, value, nowMs) {
    await tx
      .as<FactTables>()
      .insertInto('system_fact')
      .values({ key, value, at_ms: nowMs })
      .onConflict((conflict) => conflict.column('key').doUpdateSet({ value, at_ms: nowMs }))
      .execute();
  },
});
