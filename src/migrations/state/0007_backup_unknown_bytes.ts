import { type Kysely, sql } from 'kysely';

/**
 * What a point added to the repository may be unknown, which is not the same as nothing. SQLite cannot loosen a column, so the
 * table is made anew.
 */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('recovery_point_next')
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
    .addColumn('stored_bytes', 'bigint')
    .addColumn('manifest', 'text')
    .addColumn('error', 'text')
    .addColumn('pinned', 'integer', (col) => col.notNull().defaultTo(0))
    .addColumn('operation_id', 'text')
    .execute();
  await sql`
    insert into recovery_point_next (id, target_id, scope, cause, status, grade, taken_ms, started_ms, finished_ms, verified_ms,
      forgotten_ms, repository_id, tree_id, logical_bytes, stored_bytes, manifest, error, pinned, operation_id)
    select id, target_id, scope, cause, status, grade, taken_ms, started_ms, finished_ms, verified_ms,
      forgotten_ms, repository_id, tree_id, logical_bytes, case when tree_id is null then null else stored_bytes end,
      manifest, error, pinned, operation_id
    from recovery_point`.execute(db);
  await db.schema.dropTable('recovery_point').execute();
  await db.schema.alterTable('recovery_point_next').renameTo('recovery_point').execute();
  await db.schema
    .createIndex('recovery_point_target')
    .on('recovery_point')
    .columns(['target_id', 'taken_ms'])
    .execute();
};
