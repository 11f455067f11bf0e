import { type Kysely, sql } from 'kysely';

/** A dismissal outlives the cause, which may come back: of what is over it goes last. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .alterTable('analytics_recommendation')
    .addColumn('is_dismissed', 'integer', (col) => col.notNull().defaultTo(0))
    .execute();
  await sql`update analytics_recommendation set is_dismissed = 1 where body like '%"dismissal":{%'`.execute(db);
};
