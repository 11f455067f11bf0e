import type { Kysely } from 'kysely';

export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('access_token')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('hash', 'text', (col) => col.notNull().unique())
    .addColumn('subject', 'text', (col) => col.notNull())
    .addColumn('role', 'text', (col) => col.notNull())
    .addColumn('workspaces', 'text', (col) => col.notNull())
    .addColumn('label', 'text', (col) => col.notNull())
    .addColumn('created_ms', 'bigint', (col) => col.notNull())
    .addColumn('expires_ms', 'bigint')
    .addColumn('revoked_ms', 'bigint')
    .execute();
  await db.schema
    .createTable('login_link')
    .addColumn('hash', 'text', (col) => col.primaryKey())
    .addColumn('subject', 'text', (col) => col.notNull())
    .addColumn('role', 'text', (col) => col.notNull())
    .addColumn('expires_ms', 'bigint', (col) => col.notNull())
    .addColumn('used_ms', 'bigint')
    .execute();
  await db.schema
    .createTable('session')
    .addColumn('hash', 'text', (col) => col.primaryKey())
    .addColumn('csrf_hash', 'text', (col) => col.notNull())
    .addColumn('token_id', 'text')
    .addColumn('subject', 'text', (col) => col.notNull())
    .addColumn('role', 'text', (col) => col.notNull())
    .addColumn('created_ms', 'bigint', (col) => col.notNull())
    .addColumn('expires_ms', 'bigint', (col) => col.notNull())
    .addColumn('ended_ms', 'bigint')
    .execute();
};
