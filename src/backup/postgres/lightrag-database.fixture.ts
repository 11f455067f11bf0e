import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { sharedPostgresUrl } from '../../../test/setup/shared-postgres.ts';
import type { PostgresConnection } from './connection.ts';

/**
 * Test support: a database as LightRAG lays it out. Neither pgvector nor Apache AGE is in the packages that tests may install, so
 * vectors are arrays of real, and the graph is a schema with the tables and the catalogue that AGE would make.
 */
export type LightragDatabase = {
  readonly connection: PostgresConnection;
  run(sql: string, parameters?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** Order and digest of every row of the table, as text. */
  digest(table: string, where?: string): Promise<string>;
  fill(workspace: string, documents: number, word?: string): Promise<void>;
  remove(): Promise<void>;
};

const tables = `
create table LIGHTRAG_DOC_FULL (id varchar(255), workspace varchar(255), doc_name varchar(1024), content text, meta jsonb,
  create_time timestamp(0) default current_timestamp, update_time timestamp(0) default current_timestamp,
  constraint LIGHTRAG_DOC_FULL_PK primary key (workspace, id));
create table LIGHTRAG_DOC_CHUNKS (id varchar(255), workspace varchar(255), full_doc_id varchar(256), chunk_order_index integer,
  tokens integer, content text, file_path text, llm_cache_list jsonb default '[]',
  create_time timestamp(0) with time zone default current_timestamp, update_time timestamp(0) with time zone default current_timestamp,
  constraint LIGHTRAG_DOC_CHUNKS_PK primary key (workspace, id));
create table LIGHTRAG_VDB_CHUNKS_TEST_4D (id varchar(255), workspace varchar(255), full_doc_id varchar(256), content text,
  content_vector real[], length integer generated always as (char_length(content)) stored,
  create_time timestamp(0) with time zone default current_timestamp,
  constraint LIGHTRAG_VDB_CHUNKS_TEST_4D_PK primary key (workspace, id));
create table LIGHTRAG_DOC_STATUS (workspace varchar(255) not null, id varchar(255) not null, content_summary varchar(255),
  content_length int4, chunks_count int4, status varchar(64), file_path text, chunks_list jsonb default '[]', track_id varchar(255),
  metadata jsonb default '{}', error_msg text, created_at timestamp with time zone default current_timestamp,
  updated_at timestamp with time zone default current_timestamp, constraint LIGHTRAG_DOC_STATUS_PK primary key (workspace, id));
create table LIGHTRAG_LLM_CACHE (workspace varchar(255) not null, id varchar(255) not null, original_prompt text, return_value text,
  chunk_id varchar(255), cache_type varchar(32), queryparam jsonb, create_time timestamp default current_timestamp,
  constraint LIGHTRAG_LLM_CACHE_PK primary key (workspace, id));
create index idx_lightrag_doc_status_workspace_status on LIGHTRAG_DOC_STATUS (workspace, status);
`;

/** Awkward on purpose: what COPY escapes, what looks like the end of a COPY, and characters beyond the first plane. */
const awkward = `E'\\\\.\\n\\\\.\\ttab\\\\ COPY public.lightrag_doc_full (id) FROM stdin;\\nnull \\\\N ÄÖ 𝕏'`;

export async function createLightragDatabase(
  options: { name?: string; server?: string; empty?: boolean } = {},
): Promise<LightragDatabase> {
  const server = options.server ?? (await sharedPostgresUrl());
  const name = options.name ?? `rag_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  await once(server, `create database "${name}"`);
  const url = new URL(server);
  const connection: PostgresConnection = {
    host: url.hostname,
    port: Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: name,
  };
  const run = (sql: string, parameters?: readonly unknown[]) => once(connection, sql, parameters);
  if (!options.empty) await run(tables);
  return {
    connection,
    run,
    async digest(table, where = 'true') {
      const [row] = await run(
        `select coalesce(md5(string_agg(t::text, '|' order by t::text)), 'empty') as digest from ${table} t where ${where}`,
      );
      return String(row?.digest);
    },
    async fill(workspace, documents, word = 'text') {
      const rows = `from generate_series(1, ${documents}) i`;
      await run(`
        insert into lightrag_doc_full (id, workspace, doc_name, content, meta)
          select 'doc-' || i, '${workspace}', 'n' || i, '${word} ' || i || ${awkward}, '{"a": [1, null]}' ${rows};
        insert into lightrag_doc_status (workspace, id, status, chunks_list, updated_at)
          select '${workspace}', 'doc-' || i, 'processed', jsonb_build_array('chunk-' || i), '2026-01-01T00:00:00Z' ${rows};
        insert into lightrag_doc_chunks (id, workspace, full_doc_id, content, tokens)
          select 'chunk-' || i, '${workspace}', 'doc-' || i, '${word} ' || i, i ${rows};
        insert into lightrag_vdb_chunks_test_4d (id, workspace, full_doc_id, content, content_vector)
          select 'chunk-' || i, '${workspace}', 'doc-' || i, '${word} ' || i, array[i, 0.1, 1e-20, null]::real[] ${rows};
        insert into lightrag_llm_cache (workspace, id, original_prompt, return_value)
          select '${workspace}', 'default:extract:' || i, 'p', '${word}' ${rows};`);
    },
    async remove() {
      await once(server, `drop database if exists "${name}" with (force)`);
    },
  };
}

/** Of the catalogue and the schemas of Apache AGE as much as ragwarden looks at. */
export async function layOutGraphs(database: LightragDatabase, workspaces: readonly string[]): Promise<void> {
  await database.run(
    `
    create schema ag_catalog;
    create table ag_catalog.ag_graph (graphid oid primary key, name name not null, namespace regnamespace not null);
    create table ag_catalog.ag_label (name name not null, graph oid not null, id int, kind "char", relation regclass not null, seq_name name not null);
    create function ag_catalog.create_graph(graph name) returns void language plpgsql as $$ #variable_conflict use_variable
    begin
      execute format('create schema %I', graph);
      insert into ag_catalog.ag_graph values ((select oid from pg_namespace where nspname = graph), graph, graph::text::regnamespace);
      execute format('create table %I._ag_label_vertex (id bigint not null primary key, properties jsonb not null)', graph);
      execute format('create table %I._ag_label_edge (id bigint not null primary key, start_id bigint not null, end_id bigint not null, properties jsonb not null)', graph);
      perform ag_catalog.add_label(graph, '_ag_label_vertex', 1, 'v');
      perform ag_catalog.add_label(graph, '_ag_label_edge', 2, 'e');
    end $$;
    create function ag_catalog.add_label(graph name, label name, number int, what "char") returns void language plpgsql as $$ #variable_conflict use_variable
    begin
      execute format('create sequence %I.%I', graph, label || '_id_seq');
      insert into ag_catalog.ag_label values (label, (select graphid from ag_catalog.ag_graph g where g.name = graph), number, what,
        format('%I.%I', graph, label)::regclass, label || '_id_seq');
    end $$;
    create function ag_catalog.drop_graph(graph text, cascade boolean) returns void language plpgsql as $$ #variable_conflict use_variable
    begin
      delete from ag_catalog.ag_label l where l.graph = (select graphid from ag_catalog.ag_graph g where g.name = graph);
      delete from ag_catalog.ag_graph g where g.name = graph;
      execute format('drop schema %I cascade', graph);
    end $$;
    create function ag_catalog.create_vlabel(graph cstring, label cstring) returns void language plpgsql as $$ #variable_conflict use_variable
    begin
      execute format('create table %I.%I (primary key (id)) inherits (%I._ag_label_vertex)', graph, label, graph);
      perform ag_catalog.add_label(graph::text::name, label::text::name, (select max(id) + 1 from ag_catalog.ag_label l join ag_catalog.ag_graph g on g.graphid = l.graph where g.name = graph::text)::int, 'v');
    end $$;
    create function ag_catalog.create_elabel(graph cstring, label cstring) returns void language plpgsql as $$ #variable_conflict use_variable
    begin
      execute format('create table %I.%I (primary key (id)) inherits (%I._ag_label_edge)', graph, label, graph);
      perform ag_catalog.add_label(graph::text::name, label::text::name, (select max(id) + 1 from ag_catalog.ag_label l join ag_catalog.ag_graph g on g.graphid = l.graph where g.name = graph::text)::int, 'e');
    end $$;`.replaceAll('cstring', 'text'),
  );
  for (const workspace of workspaces) {
    const graph = workspace === 'default' ? 'chunk_entity_relation' : `${workspace}_chunk_entity_relation`;
    await database.run(`
      select ag_catalog.create_graph('${graph}'); select ag_catalog.create_vlabel('${graph}', 'base'); select ag_catalog.create_elabel('${graph}', 'DIRECTED');
      insert into "${graph}".base values (844424930131969, '{"entity_id": "A"}'), (844424930131970, '{"entity_id": "B"}');
      insert into "${graph}"."DIRECTED" values (1125899906842625, 844424930131969, 844424930131970, '{"weight": 1.5}');`);
  }
}

async function once(
  where: string | PostgresConnection,
  sql: string,
  parameters?: readonly unknown[],
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(
    typeof where === 'string' ? { connectionString: where } : { ...where, password: where.password ?? '' },
  );
  client.on('error', () => undefined);
  await client.connect();
  try {
    const result = await client.query<Record<string, unknown>>(sql, parameters && [...parameters]);
    return result.rows;
  } finally {
    await client.end();
  }
}
