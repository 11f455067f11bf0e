import { literal, type PostgresSession, qualified } from '../../postgres/connection.ts';
import type { LightragTable, Survey } from '../../postgres/survey.ts';

type Reference = {
  readonly from: RegExp;
  readonly to: RegExp;
  /** SQL of one row of `f`: the id it refers to. */
  readonly id: string;
  /** Of `f`, to look at only some rows. */
  readonly where?: string;
  /** Column of `t` that is referred to. */
  readonly key: string;
  readonly needs: readonly string[];
  readonly says: string;
};

/** What LightRAG's rows say of each other. A reference is looked at only where both tables and the columns are there. */
const references: readonly Reference[] = [
  {
    from: /^lightrag_doc_status$/,
    to: /^lightrag_doc_full$/,
    id: 'f.id',
    where: `f.status = 'processed'`,
    key: 'id',
    needs: ['id', 'status'],
    says: 'processed documents without their text',
  },
  {
    from: /^lightrag_doc_chunks$/,
    to: /^lightrag_doc_status$/,
    id: 'f.full_doc_id',
    key: 'id',
    needs: ['full_doc_id'],
    says: 'chunks of documents that have no status',
  },
  {
    from: /^lightrag_vdb_chunks(_.+)?$/,
    to: /^lightrag_doc_chunks$/,
    id: 'f.id',
    key: 'id',
    needs: ['id'],
    says: 'vectors of chunks that are not there',
  },
];

/**
 * References within the database that lead nowhere, one sentence each with a count, as of the session's transaction.
 * @param workspace only this one, by its name in the column
 */
export async function findDangling(
  session: PostgresSession,
  survey: Pick<Survey, 'tables'>,
  workspace: string | undefined,
): Promise<string[]> {
  const found: string[] = [];
  for (const reference of references)
    for (const from of survey.tables.filter(({ name }) => reference.from.test(name)))
      for (const to of survey.tables.filter(({ name }) => reference.to.test(name))) {
        const rows = await countDangling(session, reference, from, to, workspace);
        if (rows > 0) found.push(`${rows} ${reference.says} (${from.name})`);
      }
  return found;
}

async function countDangling(
  session: PostgresSession,
  reference: Reference,
  from: LightragTable,
  to: LightragTable,
  workspace: string | undefined,
): Promise<number> {
  const [columns] = await session.rows<{ fit: boolean }>(
    `select (select count(*) from pg_attribute where attrelid = $1::regclass and attname = any ($2::text[])) = $3
            and exists (select from pg_attribute where attrelid = $4::regclass and attname = $5) as fit`,
    [qualified(from), reference.needs, reference.needs.length, qualified(to), reference.key],
  );
  if (!columns?.fit) return 0;
  const conditions = [
    ...(workspace === undefined ? [] : [`f.workspace = ${literal(workspace)}`]),
    ...(reference.where === undefined ? [] : [reference.where]),
    `${reference.id} is not null`,
    `not exists (select from ${qualified(to)} t where t.workspace = f.workspace and t.${reference.key} = ${reference.id})`,
  ];
  const [row] = await session.rows<{ rows: string }>(
    `select count(*)::text as rows from ${qualified(from)} f where ${conditions.join(' and ')}`,
  );
  return Number(row?.rows ?? 0);
}
