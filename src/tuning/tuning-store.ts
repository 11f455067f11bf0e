import type { Kysely } from 'kysely';
import type { Database, Tx } from '../platform/database/index.ts';
import type { TuningValue } from './parameter.ts';
import type { Change, Revision, SetValues } from './revision.ts';

type RevisionRow = {
  number: number | string;
  at_ms: number | string;
  actor: string;
  what: string;
  reason: string | null;
  changes: string;
  rolled_back_to: number | string | null;
};
type ValueRow = { scope: string; parameter: string; value: string };
export type TuningTables = { tuning_revision: RevisionRow; tuning_value: ValueRow };
type Reader = Kysely<TuningTables>;

const revisionOf = (row: RevisionRow): Revision => ({
  number: Number(row.number),
  atMs: Number(row.at_ms),
  actor: row.actor,
  what: row.what as Revision['what'],
  reason: row.reason,
  changes: JSON.parse(row.changes) as Change[],
  rolledBackTo: row.rolled_back_to === null ? null : Number(row.rolled_back_to),
});

async function readValues(db: Reader, scopes: readonly string[] | undefined): Promise<SetValues> {
  let query = db.selectFrom('tuning_value').selectAll();
  if (scopes) query = query.where('scope', 'in', [...scopes]);
  const found = new Map<string, Record<string, TuningValue>>();
  for (const { scope, parameter, value } of await query.execute()) {
    const of = found.get(scope) ?? {};
    of[parameter] = JSON.parse(value) as TuningValue;
    found.set(scope, of);
  }
  return found;
}

/** @param scopes only of these; all when left out */
export const selectValues = (db: Database, scopes?: readonly string[]): Promise<SetValues> =>
  readValues(db.reader<TuningTables>(), scopes);

/** Within a unit, so that nobody changes them meanwhile. */
export const selectValuesInside = (tx: Tx, scopes?: readonly string[]): Promise<SetValues> =>
  readValues(tx.as<TuningTables>(), scopes);

const newestOf = async (db: Reader): Promise<number> => {
  const row = await db.selectFrom('tuning_revision').select('number').orderBy('number', 'desc').executeTakeFirst();
  return row ? Number(row.number) : 0;
};
export const newestRevision = (db: Database): Promise<number> => newestOf(db.reader<TuningTables>());

/** Writes the changes and the revision that tells of them; @returns its number. */
export async function insertRevision(tx: Tx, revision: Omit<Revision, 'number'>): Promise<number> {
  const db = tx.as<TuningTables>();
  const number = (await newestOf(db)) + 1;
  for (const { scope, parameter, after } of revision.changes) {
    if (after === null)
      await db.deleteFrom('tuning_value').where('scope', '=', scope).where('parameter', '=', parameter).execute();
    else
      await db
        .insertInto('tuning_value')
        .values({ scope, parameter, value: JSON.stringify(after) })
        .onConflict((conflict) =>
          conflict.columns(['scope', 'parameter']).doUpdateSet({ value: JSON.stringify(after) }),
        )
        .execute();
  }
  await db
    .insertInto('tuning_revision')
    .values({
      number,
      at_ms: revision.atMs,
      actor: revision.actor,
      what: revision.what,
      reason: revision.reason,
      changes: JSON.stringify(revision.changes),
      rolled_back_to: revision.rolledBackTo,
    })
    .execute();
  return number;
}

export async function selectRevision(db: Database, number: number): Promise<Revision | undefined> {
  const row = await db
    .reader<TuningTables>()
    .selectFrom('tuning_revision')
    .selectAll()
    .where('number', '=', number)
    .executeTakeFirst();
  return row && revisionOf(row);
}

/** Newest first. */
export async function selectRevisions(
  db: Database,
  page: { readonly limit: number; readonly before?: number | undefined },
): Promise<Revision[]> {
  let query = db
    .reader<TuningTables>()
    .selectFrom('tuning_revision')
    .selectAll()
    .orderBy('number', 'desc')
    .limit(page.limit);
  if (page.before !== undefined) query = query.where('number', '<', page.before);
  return (await query.execute()).map(revisionOf);
}

/** Those after a number, newest first, within a unit. */
export async function selectLaterRevisions(tx: Tx, number: number): Promise<Revision[]> {
  const rows = await tx
    .as<TuningTables>()
    .selectFrom('tuning_revision')
    .selectAll()
    .where('number', '>', number)
    .orderBy('number', 'desc')
    .execute();
  return rows.map(revisionOf);
}
