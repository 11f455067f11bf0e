import type { Kysely } from 'kysely';

/** Tuning: what was applied and how it went since, what of a file was written here, and what has drifted. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('tuning_watch')
    .addColumn('operation_id', 'text', (col) => col.primaryKey())
    .addColumn('target_id', 'text', (col) => col.notNull())
    .addColumn('revision', 'bigint', (col) => col.notNull())
    .addColumn('previous_revision', 'bigint', (col) => col.notNull())
    .addColumn('parameters', 'text', (col) => col.notNull())
    .addColumn('from_ms', 'bigint', (col) => col.notNull())
    .addColumn('until_ms', 'bigint', (col) => col.notNull())
    .addColumn('before', 'text', (col) => col.notNull())
    .addColumn('after', 'text')
    .addColumn('state', 'text', (col) => col.notNull())
    .addColumn('reasons', 'text', (col) => col.notNull())
    .addColumn('decided_ms', 'bigint')
    .addColumn('back_operation', 'text')
    .execute();
  await db.schema
    .createTable('tuning_written')
    .addColumn('target_id', 'text', (col) => col.notNull())
    .addColumn('variable', 'text', (col) => col.notNull())
    .addColumn('original', 'text')
    .addColumn('written', 'text', (col) => col.notNull())
    .addPrimaryKeyConstraint('tuning_written_key', ['target_id', 'variable'])
    .execute();
  await db.schema
    .createTable('tuning_drift')
    .addColumn('target_id', 'text', (col) => col.primaryKey())
    .addColumn('since_ms', 'bigint', (col) => col.notNull())
    .addColumn('parameters', 'text', (col) => col.notNull())
    .execute();
};
