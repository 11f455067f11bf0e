import { z } from 'zod';
import type { StoreName, StoreReader, StoreReaders, StoreRows } from '../../targets/index.ts';
import { readShape } from './columns-store.ts';
import { literal, type PostgresSession, qualified } from './connection.ts';
import { graphNameOf, type LightragGraph, type LightragTable, type Survey, tablesOfStore } from './survey.ts';
import { surveyHere } from './survey-store.ts';

/** Of these so many are in memory at once; ids and names are short, and a list of chunks is as long as its document. */
const rowsAtOnce = 1000;

/**
 * Begins to read what another session holds fixed, or what is there now.
 * @param snapshot the name under which it was exported
 * @returns what lies in the database then
 */
export async function beginReading(session: PostgresSession, snapshot?: string): Promise<Survey> {
  await session.run('begin transaction isolation level repeatable read read only');
  if (snapshot !== undefined) await session.run(`set transaction snapshot ${literal(snapshot)}`);
  const survey = await surveyHere(session);
  // The operators of AGE's types are found only there.
  if (survey.graphs.length > 0) await session.run('set local search_path = ag_catalog, pg_catalog');
  return survey;
}

type Row = Record<string, unknown>;
type Query<Store extends StoreName> = { readonly sql: string; rowOf(row: Row): StoreRows[Store] };

/**
 * What an audit asks of the stores that lie in the database, row by row as of the session's transaction, which must be open. A
 * store without a table, or without the columns that tie it to others, is left out.
 * @param workspace by its name in the column
 */
export async function readersIn(
  session: PostgresSession,
  survey: Pick<Survey, 'tables' | 'graphs'>,
  workspace: string,
): Promise<StoreReaders> {
  const readers: { [Store in StoreName]?: StoreReader<Store> } = {};
  const offer = <Store extends StoreName>(store: Store, queries: readonly Query<Store>[]): void => {
    if (queries.length > 0) Object.assign(readers, { [store]: readerOf(session, queries) });
  };
  const tables = await withColumns(session, survey);
  const select = <Store extends StoreName>(
    store: string,
    needs: readonly string[],
    rowOf: (row: Row) => StoreRows[Store],
    /** Asked for where it is there. */
    optional: readonly string[] = [],
  ): Query<Store>[] =>
    tablesOfStore(tables, store)
      .filter(({ columns }) => needs.every((column) => columns.has(column)))
      .map((table) => {
        const asked = [...needs, ...optional.filter((column) => table.columns.has(column))];
        return {
          sql: `select ${asked.join(', ')} from ${qualified(table)} where workspace = ${literal(workspace)}`,
          rowOf,
        };
      });

  offer('doc_status', select('doc_status', ['id', 'status'], documentOf, ['chunks_list']));
  offer('full_docs', select('full_docs', ['id'], idOf));
  offer(
    'text_chunks',
    select('text_chunks', ['id'], (row) => ({ ...idOf(row), document: textOf(row.full_doc_id) }), ['full_doc_id']),
  );
  offer('vdb_chunks', select('vdb_chunks', ['id'], idOf));
  offer(
    'vdb_entities',
    select('vdb_entities', ['id'], (row) => ({ ...idOf(row), name: textOf(row.entity_name) }), ['entity_name']),
  );
  offer('vdb_relationships', select('vdb_relationships', ['id'], relationOf, ['source_id', 'target_id']));
  const nodes = select<'graph'>('graph_nodes', ['id'], ({ id }) => ({ node: String(id) }));
  const edges = select<'graph'>('graph_edges', ['src_id', 'tgt_id'], (row) => ({
    ends: [String(row.src_id), String(row.tgt_id)],
  }));
  const graph = survey.graphs.find(({ name }) => name === graphNameOf(workspace));
  const inAge = graph ? queriesOfGraph(graph) : [];
  // Which of the two a backend uses is told by where there is a graph: LightRAG makes the tables only when it keeps one in them.
  offer('graph', inAge.length > 0 ? inAge : nodes.length > 0 && edges.length > 0 ? [...nodes, ...edges] : []);
  return readers;
}

type TableWithColumns = LightragTable & { readonly columns: ReadonlySet<string> };

async function withColumns(session: PostgresSession, survey: Pick<Survey, 'tables'>): Promise<TableWithColumns[]> {
  const tables: TableWithColumns[] = [];
  for (const table of survey.tables)
    tables.push({ ...table, columns: new Set((await readShape(session, table))?.columns) });
  return tables;
}

let cursors = 0;

function readerOf<Store extends StoreName>(
  session: PostgresSession,
  queries: readonly Query<Store>[],
): StoreReader<Store> {
  return async (begin, signal) => {
    const take = begin();
    for (const { sql, rowOf } of queries) {
      cursors += 1;
      const cursor = `ragwarden_audit_${cursors}`;
      await session.run(`declare ${cursor} no scroll cursor for ${sql}`);
      for (;;) {
        signal?.throwIfAborted();
        const rows = await session.rows<Row>(`fetch ${rowsAtOnce} from ${cursor}`);
        for (const row of rows) take(rowOf(row));
        if (rows.length < rowsAtOnce) break;
      }
      await session.run(`close ${cursor}`);
    }
    return true;
  };
}

const idOf = ({ id }: Row): { id: string } => ({ id: String(id) });
const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

const chunksList = z.array(z.string());

function documentOf(row: Row): StoreRows['doc_status'] {
  const chunks = chunksList.safeParse(row.chunks_list);
  return { ...idOf(row), status: textOf(row.status) ?? 'unknown', chunks: chunks.success ? chunks.data : [] };
}

function relationOf(row: Row): StoreRows['vdb_relationships'] {
  const [from, to] = [textOf(row.source_id), textOf(row.target_id)];
  return { ...idOf(row), ends: from === undefined || to === undefined ? undefined : [from, to] };
}

/**
 * A graph of Apache AGE lies in tables that inherit from one of vertices and one of edges. Their properties come as AGE prints
 * them: its own functions differ between its versions.
 */
function queriesOfGraph({ schema, labels }: LightragGraph): Query<'graph'>[] {
  const tableOf = (name: string): string | undefined => {
    const label = labels.find((one) => one.name === name);
    return label && qualified({ schema, name: label.table });
  };
  const [vertices, edges] = [tableOf('_ag_label_vertex'), tableOf('_ag_label_edge')];
  if (vertices === undefined || edges === undefined) return [];
  return [
    {
      sql: `select id::text as id, properties from ${vertices}`,
      rowOf: ({ id, properties }) => ({ node: entityOf(properties) ?? `#${String(id)}` }),
    },
    {
      sql: `select e.start_id::text as from_id, e.end_id::text as to_id, f.properties as "from", t.properties as "to"
              from ${edges} e left join ${vertices} f on f.id = e.start_id left join ${vertices} t on t.id = e.end_id`,
      rowOf: (row) => ({
        ends: [entityOf(row.from) ?? `#${String(row.from_id)}`, entityOf(row.to) ?? `#${String(row.to_id)}`],
      }),
    },
  ];
}

const vertex = z.object({ entity_id: z.string() });
const entityId = /"entity_id": *("(?:[^"\\]|\\.)*")/;

/** Undefined for a vertex that has no name, or is none. */
function entityOf(properties: unknown): string | undefined {
  if (typeof properties !== 'string') return vertex.safeParse(properties).data?.entity_id;
  // AGE prints JSON, and beside it numbers that are none.
  const name = entityId.exec(properties)?.[1];
  return name === undefined ? undefined : z.string().safeParse(parseJson(name)).data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
