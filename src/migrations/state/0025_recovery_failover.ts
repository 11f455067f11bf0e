import type { Kysely } from 'kysely';

/** Failovers with what became of each, and sets of points that are verified and used together. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('recovery_failover')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('kind', 'text', (col) => col.notNull())
    .addColumn('target_id', 'text', (col) => col.notNull())
    .addColumn('from_place', 'text', (col) => col.notNull())
    .addColumn('to_place', 'text', (col) => col.notNull())
    .addColumn('state', 'text', (col) => col.notNull())
    .addColumn('phase', 'text', (col) => col.notNull())
    .addColumn('point_id', 'text')
    .addColumn('checkpoint_id', 'text')
    .addColumn('operation_id', 'text')
    .addColumn('outcome', 'text')
    .addColumn('forced', 'integer', (col) => col.notNull())
    .addColumn('requested_by', 'text', (col) => col.notNull())
    .addColumn('created_ms', 'bigint', (col) => col.notNull())
    .addColumn('finished_ms', 'bigint')
    .addColumn('facts', 'text', (col) => col.notNull())
    .execute();
  await db.schema
    .createIndex('recovery_failover_by_time')
    .on('recovery_failover')
    .columns(['created_ms', 'id'])
    .execute();
  await db.schema.createIndex('recovery_failover_by_state').on('recovery_failover').column('state').execute();

  await db.schema
    .createTable('recovery_checkpoint')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('description', 'text', (col) => col.notNull())
    .addColumn('graphs', 'text', (col) => col.notNull())
    .addColumn('metadata', 'text', (col) => col.notNull())
    .addColumn('validated', 'integer', (col) => col.notNull())
    .addColumn('validated_ms', 'bigint')
    .addColumn('validation', 'text')
    .addColumn('created_by', 'text', (col) => col.notNull())
    .addColumn('created_ms', 'bigint', (col) => col.notNull())
    .execute();
  await db.schema
    .createIndex('recovery_checkpoint_by_time')
    .on('recovery_checkpoint')
    .columns(['created_ms', 'id'])
    .execute();
};
