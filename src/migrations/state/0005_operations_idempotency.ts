import type { Kysely } from 'kysely';

export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .alterTable('operation')
    .addColumn('exclusive', 'integer', (col) => col.notNull().defaultTo(1))
    .execute();
  await db.schema.createIndex('operation_target').on('operation').columns(['target_id', 'state']).execute();
  await db.schema
    .createTable('idempotency_key')
    .addColumn('subject', 'text', (col) => col.notNull())
    .addColumn('route', 'text', (col) => col.notNull())
    .addColumn('key', 'text', (col) => col.notNull())
    .addColumn('request_hash', 'text', (col) => col.notNull())
    .addColumn('operation_id', 'text', (col) => col.notNull())
    .addColumn('created_ms', 'bigint', (col) => col.notNull())
    .addPrimaryKeyConstraint('idempotency_key_pk', ['subject', 'route', 'key'])
    .execute();
};
