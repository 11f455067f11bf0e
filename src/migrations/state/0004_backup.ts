import type { Kysely } from 'kysely';

export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('recovery_point')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('target_id', 'text', (col) => col.notNull())
    .addColumn('scope', 'text', (col) => col.notNull())
    .addColumn('cause', 'text', (col) => col.notNull())
    .addColumn('status', 'text', (col) => col.notNull())
    .addColumn('grade', 'text')
    .addColumn('taken_ms', 'bigint', (col) => col.notNull())
    .addColumn('started_ms', 'bigint', (col) => col.notNull())
    .addColumn('finished_ms', 'bigint')
    .addColumn('verified_ms', 'bigint')
    .addColumn('forgotten_ms', 'bigint')
    .addColumn('repository_id', 'text', (col) => col.notNull())
    .addColumn('tree_id', 'text')
    .addColumn('logical_bytes', 'bigint', (col) => col.notNull())
    .addColumn('stored_bytes', 'bigint', (col) => col.notNull())
    .addColumn('manifest', 'text')
    .addColumn('error', 'text')
    .addColumn('pinned', 'integer', (col) => col.notNull().defaultTo(0))
    .addColumn('operation_id', 'text')
    .execute();
  await db.schema
    .createIndex('recovery_point_target')
    .on('recovery_point')
    .columns(['target_id', 'taken_ms'])
    .execute();
  await db.schema
    .createTable('backup_setting')
    .addColumn('key', 'text', (col) => col.primaryKey())
    .addColumn('value', 'text', (col) => col.notNull())
    .execute();
};
