import type { PostgresSession } from './connection.ts';
import { literal, qualified } from './connection.ts';
import { type Catalogue, type Graph, type Relation, type Survey, surveyDatabase, type TableCount } from './survey.ts';

export type ServerFacts = {
  readonly version: string;
  readonly major: number;
};

/** How the database was made and what was set on it: what a new one in its place needs. */
export type DatabaseFacts = {
  readonly name: string;
  readonly owner: string;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  /** `c` or `i`; null where the server is older than 15. */
  readonly localeProvider: string | null;
  readonly icuLocale: string | null;
  readonly connectionLimit: number;
  readonly comment: string | null;
  readonly acl: readonly string[] | null;
  /** Of `ALTER DATABASE … SET` and `ALTER ROLE … IN DATABASE … SET`; the role is null for the former. */
  readonly settings: readonly { readonly role: string | null; readonly setting: string }[];
  readonly bytes: number;
};

export async function readServer(session: PostgresSession): Promise<ServerFacts> {
  const [row] = await session.rows<{ version: string; number: string }>(
    `select current_setting('server_version') as version, current_setting('server_version_num') as number`,
  );
  return {
    version: row?.version.split(' ')[0] ?? 'unknown',
    major: Math.floor(Number(row?.number ?? 0) / 10_000),
  };
}

export async function readDatabase(
  session: PostgresSession,
  server: ServerFacts,
  name: string,
): Promise<DatabaseFacts | undefined> {
  // The columns of a locale moved twice.
  const locale =
    server.major >= 17
      ? `d.datlocprovider::text as provider, d.datlocale as icu`
      : server.major >= 15
        ? `d.datlocprovider::text as provider, d.daticulocale as icu`
        : `null::text as provider, null::text as icu`;
  const [row] = await session.rows<{
    owner: string;
    encoding: string;
    collate: string;
    ctype: string;
    provider: string | null;
    icu: string | null;
    limit: number;
    comment: string | null;
    acl: string[] | null;
    bytes: string;
    oid: string;
  }>(
    `select pg_get_userbyid(d.datdba) as owner, pg_encoding_to_char(d.encoding) as encoding, d.datcollate as collate,
            d.datctype as ctype, ${locale}, d.datconnlimit as limit, shobj_description(d.oid, 'pg_database') as comment,
            d.datacl::text[] as acl, pg_database_size(d.oid)::text as bytes, d.oid::text as oid
       from pg_database d where d.datname = $1`,
    [name],
  );
  if (!row) return undefined;
  const settings = await session.rows<{ role: string | null; setting: string }>(
    `select r.rolname as role, unnest(s.setconfig) as setting
       from pg_db_role_setting s left join pg_roles r on r.oid = s.setrole
      where s.setdatabase = $1::oid and (s.setrole = 0 or r.oid is not null)`,
    [row.oid],
  );
  return {
    name,
    owner: row.owner,
    encoding: row.encoding,
    collate: row.collate,
    ctype: row.ctype,
    localeProvider: row.provider,
    icuLocale: row.icu,
    connectionLimit: row.limit,
    comment: row.comment,
    acl: row.acl,
    settings,
    bytes: Number(row.bytes),
  };
}

/** What lies in the database of the session, as of its transaction. */
export async function surveyHere(session: Pick<PostgresSession, 'rows'>): Promise<Survey> {
  return surveyDatabase(await readCatalogue(session));
}

const ofUsers = `n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`;
const fromExtension = (catalogue: string, oid: string): string =>
  `exists (select from pg_depend e where e.classid = '${catalogue}'::regclass and e.objid = ${oid} and e.deptype = 'e')`;

async function readCatalogue(session: Pick<PostgresSession, 'rows'>): Promise<Catalogue> {
  const relations = await session.rows<Omit<Relation, 'bytes'> & { bytes: string }>(
    `select n.nspname as schema, c.relname as name, c.relkind::text as kind, pg_table_is_visible(c.oid) as visible,
            case when c.relkind in ('r', 'p', 'm') then pg_total_relation_size(c.oid) else 0 end::text as bytes,
            exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'workspace' and not a.attisdropped)
              as "byWorkspace",
            ${fromExtension('pg_class', 'c.oid')} as "fromExtension",
            (select pn.nspname || '.' || p.relname
               from pg_depend d join pg_class p on p.oid = d.refobjid join pg_namespace pn on pn.oid = p.relnamespace
              where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_class'::regclass
                and d.deptype in ('a', 'i') and (c.relkind = 'S' or c.relispartition) limit 1) as "belongsTo"
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and ${ofUsers} order by 1, 2`,
  );
  const [numbers] = await session.rows<{ functions: number; types: number; objects: number; others: string[] }>(
    `select
       (select count(*)::int from pg_proc p join pg_namespace n on n.oid = p.pronamespace
         where ${ofUsers} and n.nspname <> 'ag_catalog' and ${notOurs} and not ${fromExtension('pg_proc', 'p.oid')}) as functions,
       (select count(*)::int from pg_type t join pg_namespace n on n.oid = t.typnamespace
         where t.typtype in ('d', 'e', 'r') and ${ofUsers} and n.nspname <> 'ag_catalog' and ${notOurs}
           and not ${fromExtension('pg_type', 't.oid')}) as types,
       (select count(*)::int from pg_largeobject_metadata) as objects,
       array(select 'publication ' || pubname from pg_publication
             union all select 'event trigger ' || evtname from pg_event_trigger
             union all select 'foreign server ' || srvname from pg_foreign_server
             union all select 'replication slot ' || slot_name from pg_replication_slots where database = current_database())
         as others`,
  );
  const extensions = await session.rows<Catalogue['extensions'][number]>(
    `select e.extname as name, e.extversion as version, n.nspname as schema
       from pg_extension e join pg_namespace n on n.oid = e.extnamespace order by 1`,
  );
  const schemas = await session.rows<{ name: string }>(
    `select n.nspname as name from pg_namespace n where ${ofUsers} and not ${fromExtension('pg_namespace', 'n.oid')} order by 1`,
  );
  return {
    relations: relations.map((one) => ({ ...one, bytes: Number(one.bytes) })),
    graphs: await readGraphs(session),
    schemas: schemas.map(({ name }) => name),
    extensions,
    functions: numbers?.functions ?? 0,
    types: numbers?.types ?? 0,
    largeObjects: numbers?.objects ?? 0,
    others: numbers?.others ?? [],
  };
}

const notOurs = `n.nspname !~ '^ragwarden_(restore|before)_'`;

/** Graphs of Apache AGE, from its own catalogue. */
async function readGraphs(session: Pick<PostgresSession, 'rows'>): Promise<Graph[]> {
  const [has] = await session.rows<{ there: boolean }>(
    `select to_regclass('ag_catalog.ag_graph') is not null as there`,
  );
  if (!has?.there) return [];
  const rows = await session.rows<{
    graph: string;
    schema: string;
    label: string | null;
    id: number;
    kind: string;
    table: string;
  }>(
    `select g.name::text as graph, n.nspname as schema, l.name::text as label, l.id::int as id, l.kind::text as kind,
            c.relname as table
       from ag_catalog.ag_graph g join pg_namespace n on n.oid = g.namespace::oid
       left join ag_catalog.ag_label l on l.graph = g.graphid
       left join pg_class c on c.oid = l.relation::oid
      order by 1, l.id`,
  );
  const graphs = new Map<string, Graph>();
  for (const { graph, schema, label, id, kind, table } of rows) {
    const labels = graphs.get(graph)?.labels ?? [];
    const more = label === null ? [] : [{ name: label, id, kind, table }];
    graphs.set(graph, { name: graph, schema, labels: [...labels, ...more] });
  }
  return [...graphs.values()];
}

/** Rows of every table that is not LightRAG's, by `schema.table`; those of a partitioned one by its partitions. */
export async function countOtherTables(
  session: PostgresSession,
  { foreign }: Pick<Survey, 'foreign'>,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { schema, name } of foreign.relations.filter(({ kind }) => kind === 'r')) {
    const [row] = await session.rows<{ rows: string }>(
      `select count(*)::text as rows from only ${qualified({ schema, name })}`,
    );
    counts[`${schema}.${name}`] = Number(row?.rows ?? 0);
  }
  return counts;
}

/** Rows of each table by workspace, and of each graph, as of the session's transaction. @param workspace only this one, by its name in the column */
export async function countRows(
  session: PostgresSession,
  survey: Pick<Survey, 'tables' | 'graphs'>,
  workspace?: string,
): Promise<TableCount[]> {
  const counts: TableCount[] = [];
  for (const table of survey.tables) {
    const only = workspace === undefined ? '' : ` where workspace = ${literal(workspace)}`;
    const rows = await session.rows<{ workspace: string | null; rows: string }>(
      `select workspace::text as workspace, count(*)::text as rows from ${qualified(table)}${only} group by 1 order by 1`,
    );
    counts.push({
      schema: table.schema,
      name: table.name,
      workspaces: Object.fromEntries(rows.map((row) => [row.workspace ?? '', Number(row.rows)])),
    });
  }
  for (const graph of survey.graphs) {
    if (workspace !== undefined && graph.workspace !== workspace) continue;
    // The two that all others inherit from are counted with what inherits from them.
    for (const { table, name } of graph.labels) {
      const only = name.startsWith('_ag_label_') ? '' : 'only ';
      const [row] = await session.rows<{ rows: string }>(
        `select count(*)::text as rows from ${only}${qualified({ schema: graph.schema, name: table })}`,
      );
      counts.push({ schema: graph.schema, name: table, workspaces: { [graph.workspace]: Number(row?.rows ?? 0) } });
    }
  }
  return counts;
}
