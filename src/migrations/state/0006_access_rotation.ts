import type { Kysely } from 'kysely';

/** Rotation with a grace period, when a token was last used, and workspaces for those who log in without a stored token. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema.alterTable('access_token').addColumn('previous_hash', 'text').execute();
  await db.schema.alterTable('access_token').addColumn('previous_until_ms', 'bigint').execute();
  await db.schema.alterTable('access_token').addColumn('rotated_ms', 'bigint').execute();
  await db.schema.alterTable('access_token').addColumn('last_used_ms', 'bigint').execute();
  await db.schema.alterTable('access_token').addColumn('warned_ms', 'bigint').execute();
  await db.schema.createIndex('access_token_previous_hash').on('access_token').column('previous_hash').execute();
  await db.schema.alterTable('login_link').addColumn('workspaces', 'text').execute();
  await db.schema.alterTable('session').addColumn('workspaces', 'text').execute();
  await db.schema.createIndex('session_subject').on('session').column('subject').execute();
};
