import type { Kysely } from 'kysely';

/**
 * Replication: the places that points are copied to, what each of them holds, what was done, and what other installations sent
 * here. `replica` is such a place; `target_id` is what is watched, as everywhere.
 */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('replication_target')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('body', 'text', (col) => col.notNull())
    .addColumn('sealed', 'text')
    .addColumn('created_by', 'text', (col) => col.notNull())
    .addColumn('created_ms', 'bigint', (col) => col.notNull())
    .execute();
  await db.schema
    .createTable('replication_state')
    .addColumn('replica_id', 'text', (col) => col.primaryKey())
    .addColumn('body', 'text', (col) => col.notNull())
    .execute();
  await db.schema
    .createTable('replication_copy')
    .addColumn('replica_id', 'text', (col) => col.notNull())
    .addColumn('point_id', 'text', (col) => col.notNull())
    .addColumn('target_id', 'text', (col) => col.notNull())
    .addColumn('tree_id', 'text', (col) => col.notNull())
    .addColumn('taken_ms', 'bigint', (col) => col.notNull())
    .addColumn('copied_ms', 'bigint', (col) => col.notNull())
    .addPrimaryKeyConstraint('replication_copy_key', ['replica_id', 'point_id'])
    .execute();
  await db.schema
    .createTable('replication_log')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('operation_id', 'text')
    .addColumn('replica_id', 'text', (col) => col.notNull())
    .addColumn('target_id', 'text')
    .addColumn('point_id', 'text')
    .addColumn('operation_type', 'text', (col) => col.notNull())
    .addColumn('status', 'text', (col) => col.notNull())
    .addColumn('started_ms', 'bigint', (col) => col.notNull())
    .addColumn('completed_ms', 'bigint')
    .addColumn('bytes', 'bigint')
    .addColumn('data_hash', 'text')
    .addColumn('error', 'text')
    .execute();
  await db.schema.createIndex('replication_log_started').on('replication_log').columns(['started_ms', 'id']).execute();
  await db.schema
    .createTable('replication_received')
    .addColumn('sender', 'text', (col) => col.notNull())
    .addColumn('graph_id', 'text', (col) => col.notNull())
    .addColumn('point_id', 'text', (col) => col.notNull())
    .addColumn('data_hash', 'text', (col) => col.notNull())
    .addColumn('tree_id', 'text')
    .addColumn('taken_ms', 'bigint')
    .addColumn('bytes', 'bigint', (col) => col.notNull())
    .addColumn('file', 'text', (col) => col.notNull())
    .addColumn('received_ms', 'bigint', (col) => col.notNull())
    .addPrimaryKeyConstraint('replication_received_key', ['sender', 'graph_id', 'point_id'])
    .execute();
};
