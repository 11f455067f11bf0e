import type { Kysely } from 'kysely';

/** Patterns that were found in series, and what is recommended because of them. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('analytics_pattern')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('instance', 'text', (col) => col.notNull())
    .addColumn('pattern_type', 'text', (col) => col.notNull())
    .addColumn('resource_type', 'text', (col) => col.notNull())
    .addColumn('confidence', 'double precision', (col) => col.notNull())
    .addColumn('seen_ms', 'bigint', (col) => col.notNull())
    .addColumn('ended_ms', 'bigint')
    .addColumn('body', 'text', (col) => col.notNull())
    .execute();
  await db.schema.createIndex('analytics_pattern_ended').on('analytics_pattern').columns(['ended_ms', 'id']).execute();

  await db.schema
    .createTable('analytics_recommendation')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('instance', 'text', (col) => col.notNull())
    .addColumn('optimization_type', 'text', (col) => col.notNull())
    .addColumn('resource_type', 'text', (col) => col.notNull())
    .addColumn('priority', 'integer', (col) => col.notNull())
    .addColumn('state', 'text', (col) => col.notNull())
    .addColumn('created_ms', 'bigint', (col) => col.notNull())
    .addColumn('seen_ms', 'bigint', (col) => col.notNull())
    .addColumn('closed_ms', 'bigint')
    .addColumn('body', 'text', (col) => col.notNull())
    .execute();
  await db.schema
    .createIndex('analytics_recommendation_order')
    .on('analytics_recommendation')
    .columns(['state', 'priority', 'created_ms'])
    .execute();
};
