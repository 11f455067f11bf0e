import type { Kysely } from 'kysely';

/** What is told to receivers: the alerts told last, what each receiver heard, the outbox, receivers and silences. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('notify_alert')
    .addColumn('key', 'text', (col) => col.primaryKey())
    .addColumn('status', 'text', (col) => col.notNull())
    .addColumn('severity', 'text', (col) => col.notNull())
    .addColumn('title', 'text', (col) => col.notNull())
    .addColumn('summary', 'text', (col) => col.notNull())
    .addColumn('labels', 'text', (col) => col.notNull())
    .addColumn('annotations', 'text', (col) => col.notNull())
    .addColumn('starts_ms', 'bigint', (col) => col.notNull())
    .addColumn('ends_ms', 'bigint')
    .addColumn('runbook_url', 'text')
    .addColumn('receivers', 'text')
    .addColumn('told_ms', 'bigint', (col) => col.notNull())
    .addColumn('acked_by', 'text')
    .addColumn('acked_ms', 'bigint')
    .addColumn('ack_note', 'text')
    .execute();
  await db.schema
    .createTable('notify_group')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('receiver_id', 'text', (col) => col.notNull())
    .addColumn('labels', 'text', (col) => col.notNull())
    .addColumn('notified', 'text', (col) => col.notNull())
    .addColumn('waiting_since_ms', 'bigint')
    .addColumn('last_sent_ms', 'bigint')
    .execute();
  await db.schema
    .createTable('notify_delivery')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('receiver_id', 'text', (col) => col.notNull())
    .addColumn('group_id', 'text')
    .addColumn('reason', 'text', (col) => col.notNull())
    .addColumn('state', 'text', (col) => col.notNull())
    .addColumn('message', 'text', (col) => col.notNull())
    .addColumn('created_ms', 'bigint', (col) => col.notNull())
    .addColumn('since_ms', 'bigint', (col) => col.notNull())
    .addColumn('next_ms', 'bigint')
    .addColumn('failures', 'bigint', (col) => col.notNull())
    .addColumn('attempts', 'text', (col) => col.notNull())
    .addColumn('finished_ms', 'bigint')
    .addColumn('superseded_by', 'text')
    .execute();
  await db.schema.createIndex('notify_delivery_due').on('notify_delivery').columns(['state', 'next_ms']).execute();
  await db.schema
    .createTable('notify_receiver')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('kind', 'text', (col) => col.notNull())
    .addColumn('settings', 'text', (col) => col.notNull())
    .addColumn('secrets', 'text', (col) => col.notNull())
    .addColumn('created_by', 'text', (col) => col.notNull())
    .addColumn('created_ms', 'bigint', (col) => col.notNull())
    .addColumn('changed_ms', 'bigint', (col) => col.notNull())
    .execute();
  await db.schema
    .createTable('notify_receiver_state')
    .addColumn('receiver_id', 'text', (col) => col.primaryKey())
    .addColumn('disabled_ms', 'bigint')
    .addColumn('disabled_reason', 'text')
    .addColumn('failures', 'bigint', (col) => col.notNull())
    .addColumn('last_success_ms', 'bigint')
    .addColumn('last_error_ms', 'bigint')
    .addColumn('last_error', 'text')
    .execute();
  await db.schema
    .createTable('notify_silence')
    .addColumn('id', 'text', (col) => col.primaryKey())
    .addColumn('matchers', 'text', (col) => col.notNull())
    .addColumn('from_ms', 'bigint', (col) => col.notNull())
    .addColumn('until_ms', 'bigint', (col) => col.notNull())
    .addColumn('created_by', 'text', (col) => col.notNull())
    .addColumn('comment', 'text', (col) => col.notNull())
    .addColumn('created_ms', 'bigint', (col) => col.notNull())
    .execute();
};
