import type { Kysely } from 'kysely';

/**
 * Quotas: what may be used, and the ledger of what was. A row of `quota_usage` is one slot of one window of one bucket; what
 * stands in `held` is covered by leases (slabs of processes) and by reservations.
 */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('quota_definition')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('origin', 'text', (col) => col.notNull())
    .addColumn('body', 'text', (col) => col.notNull())
    .addColumn('adjusted_limit', 'bigint')
    .addColumn('created_ms', 'bigint', (col) => col.notNull())
    .addColumn('updated_ms', 'bigint', (col) => col.notNull())
    .execute();
  await db.schema
    .createTable('quota_usage')
    .addColumn('quota_id', 'text', (col) => col.notNull())
    .addColumn('bucket', 'text', (col) => col.notNull())
    .addColumn('slot_ms', 'bigint', (col) => col.notNull())
    .addColumn('until_ms', 'bigint', (col) => col.notNull())
    .addColumn('used', 'bigint', (col) => col.notNull())
    .addColumn('held', 'bigint', (col) => col.notNull())
    .addColumn('forfeited', 'bigint', (col) => col.notNull())
    .addColumn('carried', 'bigint', (col) => col.notNull())
    .addPrimaryKeyConstraint('quota_usage_key', ['quota_id', 'bucket', 'slot_ms'])
    .execute();
  await db.schema.createIndex('quota_usage_until').on('quota_usage').column('until_ms').execute();
  await db.schema
    .createTable('quota_lease')
    .addColumn('holder', 'text', (col) => col.notNull())
    .addColumn('quota_id', 'text', (col) => col.notNull())
    .addColumn('bucket', 'text', (col) => col.notNull())
    .addColumn('slot_ms', 'bigint', (col) => col.notNull())
    .addColumn('amount', 'bigint', (col) => col.notNull())
    .addColumn('comes_back', 'integer', (col) => col.notNull())
    .addColumn('expires_ms', 'bigint', (col) => col.notNull())
    .addPrimaryKeyConstraint('quota_lease_key', ['holder', 'quota_id', 'bucket', 'slot_ms'])
    .execute();
  await db.schema.createIndex('quota_lease_expires').on('quota_lease').column('expires_ms').execute();
  await db.schema
    .createTable('quota_reservation')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('subject', 'text', (col) => col.notNull())
    .addColumn('idempotency_key', 'text')
    .addColumn('digest', 'text', (col) => col.notNull())
    .addColumn('place', 'text', (col) => col.notNull())
    .addColumn('amounts', 'text', (col) => col.notNull())
    .addColumn('parts', 'text', (col) => col.notNull())
    .addColumn('state', 'text', (col) => col.notNull())
    .addColumn('on_expiry', 'text', (col) => col.notNull())
    .addColumn('created_ms', 'bigint', (col) => col.notNull())
    .addColumn('expires_ms', 'bigint', (col) => col.notNull())
    .addColumn('ended_ms', 'bigint')
    .execute();
  await db.schema
    .createIndex('quota_reservation_idempotency')
    .unique()
    .on('quota_reservation')
    .columns(['subject', 'idempotency_key'])
    .execute();
  await db.schema
    .createIndex('quota_reservation_expires')
    .on('quota_reservation')
    .columns(['state', 'expires_ms'])
    .execute();
  await db.schema
    .createTable('quota_violation')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('quota_id', 'text', (col) => col.notNull())
    .addColumn('bucket', 'text', (col) => col.notNull())
    .addColumn('counts', 'text', (col) => col.notNull())
    .addColumn('first_ms', 'bigint', (col) => col.notNull())
    .addColumn('last_ms', 'bigint', (col) => col.notNull())
    .addColumn('times', 'bigint', (col) => col.notNull())
    .addColumn('usage', 'bigint', (col) => col.notNull())
    .addColumn('quota_limit', 'bigint', (col) => col.notNull())
    .addColumn('exceeded_by', 'bigint', (col) => col.notNull())
    .addColumn('action', 'text', (col) => col.notNull())
    .addColumn('shadow', 'integer', (col) => col.notNull())
    .addColumn('resolved_ms', 'bigint')
    .execute();
  await db.schema
    .createIndex('quota_violation_open')
    .on('quota_violation')
    .columns(['quota_id', 'bucket', 'resolved_ms'])
    .execute();
};
