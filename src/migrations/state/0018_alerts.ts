import type { Kysely } from 'kysely';

/** Rules that were put over the API, what is pending and firing, and what fired. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('alert_rule')
    .addColumn('name', 'text', (col) => col.primaryKey())
    .addColumn('body', 'text', (col) => col.notNull())
    .addColumn('revision', 'integer', (col) => col.notNull())
    .addColumn('created_ms', 'bigint', (col) => col.notNull())
    .addColumn('updated_ms', 'bigint', (col) => col.notNull())
    .addColumn('updated_by', 'text', (col) => col.notNull())
    .execute();
  await db.schema
    .createTable('alert_rule_state')
    .addColumn('rule', 'text', (col) => col.primaryKey())
    .addColumn('selection', 'text', (col) => col.notNull())
    .addColumn('remembered', 'text', (col) => col.notNull())
    .addColumn('capped', 'integer', (col) => col.notNull())
    .execute();
  await db.schema
    .createTable('alert_state')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('rule', 'text', (col) => col.notNull())
    .addColumn('fingerprint', 'text', (col) => col.notNull())
    .addColumn('labels', 'text', (col) => col.notNull())
    .addColumn('phase', 'text', (col) => col.notNull())
    .addColumn('since_ms', 'bigint', (col) => col.notNull())
    .addColumn('fired_ms', 'bigint')
    .addColumn('held_ms', 'bigint', (col) => col.notNull())
    .addColumn('calm_ms', 'bigint')
    .addColumn('value', 'double precision')
    .addColumn('worst', 'double precision')
    .addColumn('last_data_ms', 'bigint')
    .addColumn('flapping', 'integer', (col) => col.notNull())
    .execute();
  await db.schema.createIndex('alert_state_rule').on('alert_state').column('rule').execute();
  await db.schema
    .createTable('alert_history')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('rule', 'text', (col) => col.notNull())
    .addColumn('fingerprint', 'text', (col) => col.notNull())
    .addColumn('labels', 'text', (col) => col.notNull())
    .addColumn('metric_name', 'text', (col) => col.notNull())
    .addColumn('condition', 'text', (col) => col.notNull())
    .addColumn('threshold', 'double precision')
    .addColumn('severity', 'text', (col) => col.notNull())
    .addColumn('tags', 'text', (col) => col.notNull())
    .addColumn('since_ms', 'bigint', (col) => col.notNull())
    .addColumn('fired_ms', 'bigint', (col) => col.notNull())
    .addColumn('resolved_ms', 'bigint')
    .addColumn('message', 'text', (col) => col.notNull())
    .addColumn('resolved_reason', 'text')
    .addColumn('value', 'double precision')
    .addColumn('worst', 'double precision')
    .addColumn('flapping', 'integer', (col) => col.notNull())
    .addColumn('acknowledged_ms', 'bigint')
    .addColumn('acknowledged_by', 'text')
    .addColumn('acknowledged_note', 'text')
    .addColumn('action', 'text')
    .execute();
  await db.schema.createIndex('alert_history_fired').on('alert_history').columns(['fired_ms', 'id']).execute();
  await db.schema.createIndex('alert_history_rule').on('alert_history').columns(['rule', 'fired_ms']).execute();
  await db.schema.createIndex('alert_history_resolved').on('alert_history').column('resolved_ms').execute();
};
