import { type Kysely, sql } from 'kysely';

/** Blocks say how much they hold and of which stretch of time, which may begin before they do; what is recorded and by whom has tables. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  for (const column of ['first_ms', 'last_ms', 'items'])
    await db.schema
      .alterTable('metric_block')
      .addColumn(column, 'bigint', (col) => col.notNull().defaultTo(0))
      .execute();
  // Until here a block held ten minutes at most.
  await sql`update metric_block set first_ms = start_ms, last_ms = start_ms + 600000`.execute(db);
  await db.schema.createIndex('metric_block_last').on('metric_block').columns(['tier', 'last_ms']).execute();
  await db.schema
    .createTable('metric_definition')
    .addColumn('name', 'text', (col) => col.primaryKey())
    .addColumn('definition', 'text', (col) => col.notNull())
    .execute();
  await db.schema
    .createTable('metric_agent')
    .addColumn('agent_id', 'text', (col) => col.notNull())
    .addColumn('workspace_id', 'text', (col) => col.notNull())
    .addColumn('executions', 'bigint', (col) => col.notNull())
    .addColumn('successes', 'bigint', (col) => col.notNull())
    .addColumn('execution_ms', 'double precision', (col) => col.notNull())
    .addColumn('tokens', 'double precision', (col) => col.notNull())
    .addColumn('cost_usd', 'double precision', (col) => col.notNull())
    .addColumn('last_execution_ms', 'bigint')
    .addColumn('created_ms', 'bigint', (col) => col.notNull())
    .addColumn('updated_ms', 'bigint', (col) => col.notNull())
    .addPrimaryKeyConstraint('metric_agent_key', ['agent_id', 'workspace_id'])
    .execute();
};
