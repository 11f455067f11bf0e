import { type OrphanFinding, type OrphanKind, orphanReasons } from '../../targets/index.ts';
import { readShape } from './columns-store.ts';
import { connectPostgres, literal, type PostgresConnection, type PostgresSession, qualified } from './connection.ts';
import { columnValueOf, graphNameOf, type LightragTable, type Survey, tablesOfStore } from './survey.ts';
import { surveyHere } from './survey-store.ts';

/** One question over millions of rows may take its time; one that takes longer is in the backend's way. */
const statementLimitMs = 120_000;
const mostNamed = 100;

/**
 * Rows of LightRAG's stores in this database that belong to nothing any more. The database compares, so neither side holds ids; read
 * only, as of one moment.
 * @param workspace as the backend names it
 * @throws AppError `target/inspection-failed` when it lets nobody in; whatever the server answers; the signal's reason
 */
export async function findDatabaseOrphans(
  connection: PostgresConnection,
  options: { readonly targetId: string; readonly workspace: string; readonly signal: AbortSignal },
): Promise<OrphanFinding[]> {
  const session = await connectPostgres(connection, { failsAs: 'target/inspection-failed' });
  const end = (): void => void session.close();
  options.signal.addEventListener('abort', end, { once: true });
  try {
    await session.run(
      `begin transaction isolation level repeatable read read only; set local statement_timeout = ${statementLimitMs}`,
    );
    const survey = await surveyHere(session);
    if (survey.graphs.length > 0) await session.run('set local search_path = ag_catalog, pg_catalog');
    return await find(session, survey, options);
  } catch (err) {
    options.signal.throwIfAborted();
    throw err;
  } finally {
    options.signal.removeEventListener('abort', end);
    await session.close();
  }
}

/** Rows of one table that no row of another answers. */
export type LostRows = {
  readonly kind: OrphanKind;
  readonly schema: string;
  readonly table: string;
  readonly removable: boolean;
  readonly reason: string;
  /** Asks for their `id`, a column of the table, and `bytes`. */
  readonly sql: string;
  /** Column that says when a row was written; null: the table has none. */
  readonly writtenAt: string | null;
};

/**
 * What to ask a database for rows of one workspace that belong to nothing any more, whether they may go or not; nothing is counted yet.
 * Within a transaction whose search path finds the operators of Apache AGE where it has graphs; this sets it.
 * @param workspace as the backend names it
 */
export async function findLostRows(
  session: Pick<PostgresSession, 'rows'>,
  workspace: string,
): Promise<{ readonly column: string; readonly questions: readonly LostRows[] }> {
  const survey = await surveyHere(session);
  if (survey.graphs.length > 0) await session.rows('set local search_path = ag_catalog, pg_catalog');
  const column = columnValueOf(workspace);
  const questions = questionsOf(await withColumns(session, survey), survey, column).map(
    ({ kind, table, reason, sql }) => ({
      ...{ kind, schema: table.schema, table: table.name, sql, ...orphanReasons[kind] },
      ...(reason === undefined ? {} : { reason }),
      writtenAt: writtenColumns.find((name) => table.columns.has(name)) ?? null,
    }),
  );
  return { column, questions };
}
const writtenColumns = ['update_time', 'create_time'];

async function find(
  session: PostgresSession,
  survey: Survey,
  { targetId, workspace, signal }: { targetId: string; workspace: string; signal: AbortSignal },
): Promise<OrphanFinding[]> {
  const ofHere = { targetId, workspace, store: 'postgres' as const };
  const findings: OrphanFinding[] = [];
  for (const question of questionsOf(await withColumns(session, survey), survey, columnValueOf(workspace))) {
    signal.throwIfAborted();
    const [row] = await session.rows<{ count: string; bytes: string; ids: string[] | null }>(
      `with lost as materialized (${question.sql})
       select count(*) as count, coalesce(sum(bytes), 0) as bytes,
              (select array_agg(left(id, 200)) from (select id from lost order by id limit ${mostNamed}) first) as ids
         from lost`,
    );
    const count = Number(row?.count ?? 0);
    if (count === 0) continue;
    findings.push({
      ...ofHere,
      ...{
        kind: question.kind,
        place: question.table.name,
        count,
        bytes: Number(row?.bytes),
        examples: row?.ids ?? [],
      },
      ...orphanReasons[question.kind],
      ...(question.reason === undefined ? {} : { reason: question.reason }),
    });
  }
  return [...findings, ...formerTables(survey).map((one) => ({ ...ofHere, ...one }))];
}

/** Vector tables that stand beside those of the present model. */
const formerTables = (survey: Survey) =>
  ['vdb_chunks', 'vdb_entities', 'vdb_relationships'].flatMap((store) => {
    const used = tablesOfStore(survey.tables, store);
    return survey.tables
      .filter((table) => !used.includes(table) && formerName[store]?.test(table.name))
      .map(({ name, bytes }) => ({
        ...{ kind: 'vectors-of-older-model' as const, place: name, count: 1, bytes, examples: [name] },
        ...orphanReasons['vectors-of-older-model'],
      }));
  });
const formerName: Readonly<Record<string, RegExp>> = {
  vdb_chunks: /^lightrag_vdb_chunks$/,
  vdb_entities: /^lightrag_vdb_entity$/,
  vdb_relationships: /^lightrag_vdb_relation$/,
};

type Table = LightragTable & { readonly columns: ReadonlySet<string> };
type Question = {
  readonly kind: OrphanKind;
  readonly table: Table;
  readonly reason?: string;
  /** Rows of `id` and `bytes`. */
  readonly sql: string;
};

async function withColumns(session: Pick<PostgresSession, 'rows'>, survey: Survey): Promise<Table[]> {
  const tables: Table[] = [];
  for (const table of survey.tables)
    tables.push({ ...table, columns: new Set((await readShape(session, table))?.columns) });
  return tables;
}

/** Rows of a table that no row of others answers. A table that lacks a column is not asked about, and one that is not there answers nothing. */
function questionsOf(tables: readonly Table[], survey: Survey, workspace: string): Question[] {
  const here = `workspace = ${literal(workspace)}`;
  const of = (store: string, ...columns: readonly string[]): readonly Table[] =>
    tablesOfStore(tables, store).filter((table) => columns.every((column) => table.columns.has(column)));
  /** Rows of several tables under the same names. */
  const all = (from: readonly Table[], columns: string): string | undefined =>
    from.length === 0
      ? undefined
      : from.map((table) => `select ${columns} from ${qualified(table)} where ${here}`).join(' union all ');
  const lost = (
    kind: OrphanKind,
    places: readonly Table[],
    id: string,
    key: string,
    others: string | undefined,
    more: { where?: string; reason?: string } = {},
  ): Question[] =>
    others === undefined
      ? []
      : places.map((table) => ({
          ...{ kind, table, ...(more.reason === undefined ? {} : { reason: more.reason }) },
          sql: `select ${id} as id, pg_column_size(t.*) as bytes from ${qualified(table)} t
                 where t.${here} ${more.where ?? ''}
                   and not exists (select 1 from (${others}) other where other.key = ${key})`,
        }));
  const pair = (from: string, to: string): string =>
    `(least(${from}::text collate "C", ${to}::text collate "C"), greatest(${from}::text collate "C", ${to}::text collate "C"))`;
  // A pair is compared as one text: rows can be hashed only by plain values.
  const pairText = (from: string, to: string): string => `${pair(from, to)}::text`;
  const shown = (from: string, to: string): string => `${from} || ' -- ' || ${to}`;

  const documents = all(of('doc_status', 'id'), 'id as key');
  const chunks = all(of('text_chunks', 'id'), 'id as key');
  const graph = graphQueries(tables, survey, workspace, here, pairText);
  const entities = of('vdb_entities', 'id', 'entity_name');
  const relations = of('vdb_relationships', 'id', 'source_id', 'target_id');
  return [
    ...lost('text-without-document', of('full_docs', 'id'), 't.id', 't.id', documents),
    ...lost('chunk-without-document', of('text_chunks', 'id', 'full_doc_id'), 't.id', 't.full_doc_id', documents, {
      where: 'and t.full_doc_id is not null',
    }),
    ...lost('vector-without-chunk', of('vdb_chunks', 'id'), 't.id', 't.id', chunks),
    ...lost('vector-without-entity', entities, 't.id', 't.entity_name', graph?.nodes),
    ...lost(
      ...([
        'vector-without-relation',
        relations,
        't.id',
        pairText('t.source_id', 't.target_id'),
        graph?.edges,
      ] as const),
    ),
    ...lost('entity-without-vector', of('graph_nodes', 'id'), 't.id', 't.id', all(entities, 'entity_name as key')),
    ...lost(
      'relation-without-vector',
      of('graph_edges', 'src_id', 'tgt_id'),
      shown('t.src_id', 't.tgt_id'),
      pairText('t.src_id', 't.tgt_id'),
      all(relations, `${pairText('source_id', 'target_id')} as key`),
    ),
    ...lost('stale-cache', of('llm_response_cache', 'id', 'chunk_id'), 't.id', 't.chunk_id', chunks, {
      where: 'and t.chunk_id is not null',
      reason: 'It was extracted from a chunk that is gone, so nobody asks for it again.',
    }),
  ];
}

/** Names of the nodes and pairs of the edges, from tables or from a graph of Apache AGE. */
function graphQueries(
  tables: readonly Table[],
  survey: Survey,
  workspace: string,
  here: string,
  pairText: (from: string, to: string) => string,
): { readonly nodes: string; readonly edges: string } | undefined {
  const age = survey.graphs.find(({ name }) => name === graphNameOf(workspace));
  const tableOf = (label: string): string | undefined => {
    const found = age?.labels.find(({ name }) => name === label);
    return age && found && qualified({ schema: age.schema, name: found.table });
  };
  const [vertices, edges] = [tableOf('_ag_label_vertex'), tableOf('_ag_label_edge')];
  if (vertices !== undefined && edges !== undefined) {
    // Printed by the type's own function: a cast to text differs between versions of AGE.
    const name = (of: string): string =>
      `(substring(format('%s', ${of}.properties) from '"entity_id": *("(?:[^"\\\\]|\\\\.)*")')::json #>> '{}')`;
    return {
      nodes: `select ${name('v')} as key from ${vertices} v`,
      edges: `select ${pairText(name('f'), name('g'))} as key from ${edges} e
                join ${vertices} f on f.id = e.start_id join ${vertices} g on g.id = e.end_id`,
    };
  }
  const [nodeTable] = tablesOfStore(tables, 'graph_nodes');
  const [edgeTable] = tablesOfStore(tables, 'graph_edges');
  if (nodeTable === undefined || edgeTable === undefined) return undefined;
  return {
    nodes: `select id as key from ${qualified(nodeTable)} where ${here}`,
    edges: `select ${pairText('src_id', 'tgt_id')} as key from ${qualified(edgeTable)} where ${here}`,
  };
}
