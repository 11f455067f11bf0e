import type { Kysely } from 'kysely';

/** Keys for going through the gateway; of each only its digest. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('gateway_key')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('digest', 'text', (col) => col.notNull().unique())
    .addColumn('subject', 'text', (col) => col.notNull())
    .addColumn('target_id', 'text', (col) => col.notNull())
    .addColumn('workspace', 'text')
    .addColumn('label', 'text', (col) => col.notNull())
    .addColumn('created_ms', 'bigint', (col) => col.notNull())
    .addColumn('expires_ms', 'bigint')
    .addColumn('revoked_ms', 'bigint')
    .addColumn('last_used_ms', 'bigint')
    .execute();
};
