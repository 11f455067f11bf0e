import type { Kysely } from 'kysely';

/** What was observed of processes and servers on each instance: floors of quarters of an hour, and what they show. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('resource_observed')
    .addColumn('instance', 'text', (col) => col.notNull())
    .addColumn('subject', 'text', (col) => col.notNull())
    .addColumn('measure', 'text', (col) => col.notNull())
    .addColumn('updated_ms', 'bigint', (col) => col.notNull())
    .addColumn('floors', 'text', (col) => col.notNull())
    .addColumn('finding', 'text')
    .addPrimaryKeyConstraint('resource_observed_pk', ['instance', 'subject', 'measure'])
    .execute();
};
