import type { Kysely } from 'kysely';

/** What the last search for orphans found, one row per target. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('target_orphan_search')
    .addColumn('target_id', 'text', (col) => col.primaryKey())
    .addColumn('at_ms', 'bigint', (col) => col.notNull())
    .addColumn('complete', 'integer', (col) => col.notNull())
    .addColumn('why', 'text')
    .addColumn('findings', 'text', (col) => col.notNull())
    .execute();
};
