import type { Kysely } from 'kysely';

export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('operation')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('kind', 'text', (col) => col.notNull())
    .addColumn('target_id', 'text')
    .addColumn('state', 'text', (col) => col.notNull())
    .addColumn('phase', 'text', (col) => col.notNull())
    .addColumn('progress', 'text', (col) => col.notNull())
    .addColumn('input', 'text', (col) => col.notNull())
    .addColumn('result', 'text')
    .addColumn('error', 'text')
    .addColumn('requested_by', 'text', (col) => col.notNull())
    .addColumn('instance', 'text', (col) => col.notNull())
    .addColumn('epoch', 'bigint', (col) => col.notNull())
    .addColumn('heartbeat_ms', 'bigint', (col) => col.notNull())
    .addColumn('cancel_requested_ms', 'bigint')
    .addColumn('created_ms', 'bigint', (col) => col.notNull())
    .addColumn('finished_ms', 'bigint')
    .execute();
  await db.schema.createIndex('operation_state').on('operation').columns(['state', 'created_ms']).execute();
  await db.schema
    .createTable('lease')
    .addColumn('name', 'text', (col) => col.primaryKey())
    .addColumn('holder', 'text', (col) => col.notNull())
    .addColumn('epoch', 'bigint', (col) => col.notNull())
    .addColumn('expires_ms', 'bigint', (col) => col.notNull())
    .execute();
};
