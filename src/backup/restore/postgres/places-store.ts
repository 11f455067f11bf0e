import { identifier, literal, type PostgresSession, qualified } from '../../postgres/connection.ts';
import { surveyHere } from '../../postgres/survey-store.ts';
import type { PostgresDetails } from '../../sources/postgres/details.ts';

/** Makes Apache AGE known to the session; without it, its functions do nothing useful. */
export async function loadAge(session: PostgresSession): Promise<void> {
  const [has] = await session.rows<{ there: boolean }>(
    `select exists (select from pg_extension where extname = 'age') as there`,
  );
  // Where it is preloaded, loading it again is refused to others than superusers, and not needed.
  if (has?.there) await session.run(`load 'age'`).catch(() => undefined);
}

type PointGraph = PostgresDetails['graphs'][number];

/** A graph with the labels of the point, under the numbers that its rows carry in their ids. */
export async function createGraph(session: PostgresSession, graph: PointGraph, name: string): Promise<void> {
  await session.run(`select ag_catalog.create_graph(${literal(name)})`);
  for (const label of [...graph.labels].sort((a, b) => a.id - b.id))
    if (!label.name.startsWith('_ag_label_'))
      await session.run(
        `select ag_catalog.create_${label.kind === 'v' ? 'vlabel' : 'elabel'}(${literal(name)}, ${literal(label.name)})`,
      );
}

/** Why the rows of the point's graph cannot go into the one that is there; undefined: they can. */
export async function findLabelMismatch(
  session: PostgresSession,
  graph: PointGraph,
  name: string,
): Promise<string | undefined> {
  const live = (await surveyHere(session)).graphs.find((one) => one.name === name);
  for (const label of graph.labels) {
    const there = live?.labels.find((one) => one.name === label.name);
    if (there?.id !== label.id || there.table !== label.table)
      return `the label ${label.name} of graph ${name} has ${there ? `number ${there.id}` : 'no number'}, and ${label.id} in the point`;
  }
  return undefined;
}

/** New nodes and edges get numbers behind those that came back. */
export const graphSequenceStatements = (graph: PointGraph, name: string): string[] =>
  graph.labels.map((label) => {
    const sequence = qualified({ schema: name, name: `${label.name}_id_seq` });
    const table = qualified({ schema: name, name: label.table });
    // The upper sixteen bits of an id are the label's number.
    return `select setval(${literal(sequence)}, greatest((select last_value from ${sequence}),
      (select max((id::text)::bigint & 281474976710655) from only ${table})))`;
  });

export type PendingRows = { readonly rows: number; readonly examples: readonly string[] };

/** What was written later than the moment, as far as rows tell their time. @param workspace by its name in the column */
export async function countLater(
  session: PostgresSession,
  table: { readonly schema: string; readonly name: string },
  takenMs: number,
  workspace: string | undefined,
): Promise<PendingRows> {
  const columns = await session.rows<{ name: string; type: string }>(
    `select attname as name, format_type(atttypid, null) as type from pg_attribute
      where attrelid = $1::regclass and not attisdropped
        and attname in ('create_time', 'update_time', 'created_at', 'updated_at', 'file_path')`,
    [qualified(table)],
  );
  const times = columns
    .filter(({ name }) => name !== 'file_path')
    // Without a zone it is UTC, as LightRAG writes it.
    .map(({ name, type }) => identifier(name) + (type.includes('without') ? ` at time zone 'UTC'` : ''));
  if (times.length === 0) return { rows: 0, examples: [] };
  const where = `greatest(${times.join(', ')}) > to_timestamp(${takenMs / 1000})${
    workspace === undefined ? '' : ` and workspace = ${literal(workspace)}`
  }`;
  const [row] = await session.rows<{ rows: string }>(
    `select count(*)::text as rows from ${qualified(table)} where ${where}`,
  );
  const named = table.name === 'lightrag_doc_status';
  const examples = named
    ? await session.rows<{ id: string; file: string | null }>(
        `select id::text as id, ${columns.some(({ name }) => name === 'file_path') ? 'file_path' : 'null'}::text as file
           from ${qualified(table)} where ${where} order by 1 limit 5`,
      )
    : [];
  return {
    rows: Number(row?.rows ?? 0),
    examples: examples.map(({ id, file }) => (file === null ? `document ${id}` : `document ${id} (${file})`)),
  };
}

/** Indexes whose making can take longer than all else: by table. */
export async function findVectorIndexes(session: PostgresSession): Promise<string[]> {
  const rows = await session.rows<{ name: string }>(
    `select c.relname as name from pg_class c join pg_am a on a.oid = c.relam
      where c.relkind = 'i' and a.amname in ('hnsw', 'ivfflat', 'diskann', 'vchordrq') order by 1`,
  );
  return rows.map(({ name }) => name);
}

/** Triggers of LightRAG's tables that somebody added: they fire when rows are exchanged. */
export async function findTriggers(
  session: PostgresSession,
  tables: readonly { readonly schema: string; readonly name: string }[],
): Promise<string[]> {
  const rows = await session.rows<{ name: string }>(
    'select tgname as name from pg_trigger where not tgisinternal and tgrelid::regclass::text = any ($1)',
    [tables.flatMap((table) => [qualified(table), table.name, `${table.schema}.${table.name}`])],
  );
  return rows.map(({ name }) => name);
}
