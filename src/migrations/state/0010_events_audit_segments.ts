import type { Kysely } from 'kysely';

/** What is left of a part of the audit trail that was removed whole: which entries, and the hash the rest follows. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('audit_segment')
    .addColumn('last_seq', 'bigint', (col) => col.primaryKey())
    .addColumn('first_seq', 'bigint', (col) => col.notNull())
    .addColumn('closing_hash', 'text', (col) => col.notNull())
    .addColumn('noted_seq', 'bigint', (col) => col.notNull())
    .addColumn('removed_ms', 'bigint', (col) => col.notNull())
    .execute();
};
