import type { Kysely } from 'kysely';

/** What else is known of an entry of the replication log, and in whose folder a received point lies. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema.alterTable('replication_log').addColumn('metadata', 'text').execute();
  await db.schema.alterTable('replication_received').addColumn('instance', 'text').execute();
};
