import type { Kysely } from 'kysely';

export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('event')
    .addColumn('seq', 'bigint', (col) => col.primaryKey())
    .addColumn('at_ms', 'bigint', (col) => col.notNull())
    .addColumn('type', 'text', (col) => col.notNull())
    .addColumn('severity', 'text', (col) => col.notNull())
    .addColumn('target_id', 'text')
    .addColumn('workspace', 'text')
    .addColumn('operation_id', 'text')
    .addColumn('instance', 'text', (col) => col.notNull())
    .addColumn('message', 'text', (col) => col.notNull())
    .addColumn('data', 'text', (col) => col.notNull())
    .execute();
  await db.schema.createIndex('event_type').on('event').columns(['type', 'seq']).execute();
  await db.schema.createIndex('event_target').on('event').columns(['target_id', 'seq']).execute();
  await db.schema
    .createTable('audit_entry')
    .addColumn('seq', 'bigint', (col) => col.primaryKey())
    .addColumn('at_ms', 'bigint', (col) => col.notNull())
    .addColumn('actor', 'text', (col) => col.notNull())
    .addColumn('action', 'text', (col) => col.notNull())
    .addColumn('object', 'text', (col) => col.notNull())
    .addColumn('outcome', 'text', (col) => col.notNull())
    .addColumn('data', 'text', (col) => col.notNull())
    .addColumn('prev_hash', 'text', (col) => col.notNull())
    .addColumn('hash', 'text', (col) => col.notNull())
    .execute();
};
