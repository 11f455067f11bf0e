import type { Kysely } from 'kysely';

/** Whether a checkpoint was made by somebody or by the schedule; all that are there were made by somebody. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .alterTable('recovery_checkpoint')
    .addColumn('cause', 'text', (col) => col.notNull().defaultTo('manual'))
    .execute();
};
