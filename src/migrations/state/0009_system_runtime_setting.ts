import type { Kysely } from 'kysely';

export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('runtime_setting')
    .addColumn('key', 'text', (col) => col.primaryKey())
    .addColumn('value', 'text', (col) => col.notNull())
    .addColumn('changed_ms', 'bigint', (col) => col.notNull())
    .addColumn('changed_by', 'text', (col) => col.notNull())
    .execute();
};
