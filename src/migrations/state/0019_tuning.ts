import type { Kysely } from 'kysely';

/** Tuning: each change as a revision, and what counts now. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('tuning_revision')
    .addColumn('number', 'bigint', (col) => col.primaryKey())
    .addColumn('at_ms', 'bigint', (col) => col.notNull())
    .addColumn('actor', 'text', (col) => col.notNull())
    .addColumn('what', 'text', (col) => col.notNull())
    .addColumn('reason', 'text')
    .addColumn('changes', 'text', (col) => col.notNull())
    .addColumn('rolled_back_to', 'bigint')
    .execute();
  await db.schema
    .createTable('tuning_value')
    .addColumn('scope', 'text', (col) => col.notNull())
    .addColumn('parameter', 'text', (col) => col.notNull())
    .addColumn('value', 'text', (col) => col.notNull())
    .addPrimaryKeyConstraint('tuning_value_key', ['scope', 'parameter'])
    .execute();
};
