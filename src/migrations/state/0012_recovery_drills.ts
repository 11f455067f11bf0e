import type { Kysely } from 'kysely';

/** Rehearsed restores with their evidence, and what the schedule of drills has to remember. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('recovery_drill')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('target_id', 'text', (col) => col.notNull())
    .addColumn('point_id', 'text', (col) => col.notNull())
    .addColumn('kind', 'text', (col) => col.notNull())
    .addColumn('choice', 'text')
    .addColumn('requested_by', 'text', (col) => col.notNull())
    .addColumn('started_ms', 'bigint', (col) => col.notNull())
    .addColumn('finished_ms', 'bigint')
    .addColumn('verdict', 'text')
    .addColumn('reasons', 'text', (col) => col.notNull())
    .addColumn('phases', 'text', (col) => col.notNull())
    .addColumn('rto_ms', 'bigint')
    .addColumn('bytes', 'bigint')
    .addColumn('files', 'bigint')
    .addColumn('evidence', 'text')
    .addColumn('evidence_sha256', 'text')
    .execute();
  await db.schema
    .createIndex('recovery_drill_target')
    .on('recovery_drill')
    .columns(['target_id', 'kind', 'started_ms'])
    .execute();
  await db.schema
    .createTable('recovery_setting')
    .addColumn('key', 'text', (col) => col.primaryKey())
    .addColumn('value', 'text', (col) => col.notNull())
    .execute();
};
