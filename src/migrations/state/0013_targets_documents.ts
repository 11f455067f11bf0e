import type { Kysely } from 'kysely';

/** Ends of documents by outcome and cause, and how far they were counted. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('target_document_total')
    .addColumn('target_id', 'text', (col) => col.notNull())
    .addColumn('workspace', 'text', (col) => col.notNull())
    .addColumn('outcome', 'text', (col) => col.notNull())
    .addColumn('cause', 'text', (col) => col.notNull())
    .addColumn('documents', 'bigint', (col) => col.notNull())
    .addPrimaryKeyConstraint('target_document_total_pk', ['target_id', 'workspace', 'outcome', 'cause'])
    .execute();
  await db.schema
    .createTable('target_document_counted')
    .addColumn('target_id', 'text', (col) => col.notNull())
    .addColumn('workspace', 'text', (col) => col.notNull())
    .addColumn('up_to_ms', 'bigint', (col) => col.notNull())
    .addColumn('recent', 'text', (col) => col.notNull())
    .addColumn('since_ms', 'bigint', (col) => col.notNull())
    .addPrimaryKeyConstraint('target_document_counted_pk', ['target_id', 'workspace'])
    .execute();
};
