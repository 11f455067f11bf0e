import type { Kysely } from 'kysely';

/** Plans, runs, the quarantine, tasks and what is counted over restarts. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('cleanup_plan')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('strategy', 'text', (col) => col.notNull())
    .addColumn('params', 'text', (col) => col.notNull())
    .addColumn('undo', 'text', (col) => col.notNull())
    .addColumn('items', 'text', (col) => col.notNull())
    .addColumn('kept', 'text', (col) => col.notNull())
    .addColumn('complete', 'integer', (col) => col.notNull())
    .addColumn('created_ms', 'bigint', (col) => col.notNull())
    .addColumn('requested_by', 'text', (col) => col.notNull())
    .addColumn('run_id', 'text')
    .execute();
  await db.schema.createIndex('cleanup_plan_by_time').on('cleanup_plan').column('created_ms').execute();

  await db.schema
    .createTable('cleanup_run')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('task_id', 'text')
    .addColumn('strategy', 'text', (col) => col.notNull())
    .addColumn('plan_id', 'text')
    .addColumn('cause', 'text', (col) => col.notNull())
    .addColumn('started_by', 'text', (col) => col.notNull())
    .addColumn('started_ms', 'bigint', (col) => col.notNull())
    .addColumn('finished_ms', 'bigint')
    .addColumn('outcome', 'text')
    .addColumn('message', 'text', (col) => col.notNull())
    .addColumn('cleaned', 'bigint', (col) => col.notNull())
    .addColumn('skipped', 'bigint', (col) => col.notNull())
    .addColumn('failed', 'bigint', (col) => col.notNull())
    .addColumn('left_over', 'bigint', (col) => col.notNull())
    .addColumn('bytes_freed', 'bigint', (col) => col.notNull())
    .addColumn('attempt', 'integer', (col) => col.notNull())
    .addColumn('error', 'text')
    .execute();
  await db.schema.createIndex('cleanup_run_by_time').on('cleanup_run').columns(['started_ms', 'id']).execute();
  await db.schema.createIndex('cleanup_run_by_task').on('cleanup_run').columns(['task_id', 'started_ms']).execute();

  await db.schema
    .createTable('cleanup_quarantine')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('run_id', 'text', (col) => col.notNull())
    .addColumn('strategy', 'text', (col) => col.notNull())
    .addColumn('kind', 'text', (col) => col.notNull())
    .addColumn('what', 'text', (col) => col.notNull())
    .addColumn('bytes', 'bigint')
    .addColumn('held_ms', 'bigint', (col) => col.notNull())
    .addColumn('expires_ms', 'bigint', (col) => col.notNull())
    .addColumn('state', 'text', (col) => col.notNull())
    .addColumn('ended_ms', 'bigint')
    .addColumn('note', 'text')
    .addColumn('data', 'text', (col) => col.notNull())
    .execute();
  await db.schema
    .createIndex('cleanup_quarantine_by_run')
    .on('cleanup_quarantine')
    .columns(['run_id', 'state'])
    .execute();
  await db.schema
    .createIndex('cleanup_quarantine_by_time')
    .on('cleanup_quarantine')
    .columns(['state', 'held_ms', 'id'])
    .execute();

  await db.schema
    .createTable('cleanup_task')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('definition', 'text', (col) => col.notNull())
    .addColumn('origin', 'text', (col) => col.notNull())
    .addColumn('enabled', 'integer', (col) => col.notNull())
    .addColumn('created_ms', 'bigint', (col) => col.notNull())
    .addColumn('updated_ms', 'bigint', (col) => col.notNull())
    .addColumn('due_ms', 'bigint')
    .addColumn('armed', 'integer', (col) => col.notNull())
    .addColumn('last_run_ms', 'bigint')
    .addColumn('runs', 'bigint', (col) => col.notNull())
    .addColumn('successes', 'bigint', (col) => col.notNull())
    .addColumn('failures', 'bigint', (col) => col.notNull())
    .addColumn('total_ms', 'bigint', (col) => col.notNull())
    .execute();

  await db.schema
    .createTable('cleanup_fact')
    .addColumn('key', 'text', (col) => col.primaryKey())
    .addColumn('value', 'text', (col) => col.notNull())
    .execute();
};
