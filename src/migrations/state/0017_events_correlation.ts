import type { Kysely } from 'kysely';

/** What events and audit entries belong to and who is behind them; what asks by time; what tells a trail whose begin is gone. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema.alterTable('event').addColumn('correlation_id', 'text').execute();
  await db.schema.alterTable('event').addColumn('actor', 'text').execute();
  await db.schema.alterTable('audit_entry').addColumn('correlation_id', 'text').execute();
  await db.schema.alterTable('audit_segment').addColumn('opening_hash', 'text').execute();
  await db.schema.createIndex('event_correlation').on('event').columns(['correlation_id', 'seq']).execute();
  await db.schema.createIndex('event_at').on('event').column('at_ms').execute();
  await db.schema.createIndex('audit_correlation').on('audit_entry').columns(['correlation_id', 'seq']).execute();
};
