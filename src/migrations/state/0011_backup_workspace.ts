import { type Kysely, sql } from 'kysely';

/** A point may hold one workspace alone; null: the whole target, as all points until now. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema.alterTable('recovery_point').addColumn('workspace', 'text').execute();
  await sql`create index recovery_point_workspace on recovery_point (target_id, workspace, taken_ms)`.execute(db);
};
