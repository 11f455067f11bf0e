import type { Kysely } from 'kysely';

export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('metric_block')
    .addColumn('instance', 'text', (col) => col.notNull())
    .addColumn('tier', 'text', (col) => col.notNull())
    .addColumn('start_ms', 'bigint', (col) => col.notNull())
    .addColumn('payload', 'blob', (col) => col.notNull())
    .addPrimaryKeyConstraint('metric_block_key', ['instance', 'tier', 'start_ms'])
    .execute();
  await db.schema.createIndex('metric_block_start').on('metric_block').columns(['tier', 'start_ms']).execute();
};
