import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from '../../../test/setup/parts.ts';
import type { OrphanFinding } from '../../targets/index.ts';
import { createLightragDatabase, type LightragDatabase, layOutGraphs } from './lightrag-database.fixture.ts';
import { findDatabaseOrphans } from './orphan-store.ts';

const tables = `
create table LIGHTRAG_VDB_CHUNKS (id varchar(255), workspace varchar(255), primary key (workspace, id));
create table LIGHTRAG_VDB_ENTITY_TEST_4D (id varchar(255), workspace varchar(255), entity_name varchar(512), primary key (workspace, id));
create table LIGHTRAG_VDB_RELATION_TEST_4D (id varchar(255), workspace varchar(255), source_id varchar(512), target_id varchar(512), primary key (workspace, id));
create table LIGHTRAG_GRAPH_NODES (workspace varchar(255), namespace varchar(255), id varchar(512), properties jsonb, primary key (workspace, namespace, id));
create table LIGHTRAG_GRAPH_EDGES (workspace varchar(255), namespace varchar(255), src_id varchar(512), tgt_id varchar(512), properties jsonb, primary key (workspace, namespace, src_id, tgt_id));
insert into lightrag_vdb_entity_test_4d select 'ent-' || n, 'acme', n from unnest(array['A', 'B, (c)', E'C\\u2028"c']) n;
insert into lightrag_vdb_relation_test_4d values ('rel-1', 'acme', 'B, (c)', 'A'), ('rel-2', 'acme', 'B, (c)', E'C\\u2028"c');
insert into lightrag_graph_nodes select 'acme', 'chunk_entity_relation', n, '{}' from unnest(array['A', 'B, (c)', E'C\\u2028"c']) n;
insert into lightrag_graph_edges values ('acme', 'chunk_entity_relation', 'A', 'B, (c)', '{}'), ('acme', 'chunk_entity_relation', 'B, (c)', E'C\\u2028"c', '{}');
`;

describe.skipIf(!hasPart('postgresql'))('orphans in a database', () => {
  let rag: LightragDatabase;
  beforeAll(async () => {
    rag = await createLightragDatabase();
    await rag.run(tables);
    await rag.fill('acme', 200);
    await rag.fill('other', 2);
    await rag.run(`delete from lightrag_doc_status where workspace = 'other' and id = 'doc-2'`);
  });
  afterAll(() => rag?.remove());

  const find = (workspace = 'acme'): Promise<OrphanFinding[]> =>
    findDatabaseOrphans(rag.connection, { targetId: 't', workspace, signal: new AbortController().signal });
  const essence = (findings: readonly OrphanFinding[]) =>
    findings.map(({ kind, place, count, examples }) => [kind, place, count, examples.slice(0, 2)]);
  const former = ['vectors-of-older-model', 'lightrag_vdb_chunks', 1, ['lightrag_vdb_chunks']];

  test('there are none where rows belong together, but for the table of a former model', async () => {
    expect(essence(await find())).toEqual([former]);
  });

  test('each kind is found, counted and sized, and only in its workspace', async () => {
    await rag.run(`
      delete from lightrag_doc_status where workspace = 'acme' and id in ('doc-7', 'doc-8');
      delete from lightrag_doc_chunks where workspace = 'acme' and id = 'chunk-9';
      update lightrag_llm_cache set chunk_id = 'chunk-9' where workspace = 'acme' and id = 'default:extract:9';
      delete from lightrag_graph_nodes where id = 'A';
      delete from lightrag_graph_edges where src_id = 'A';
      delete from lightrag_vdb_relation_test_4d where id = 'rel-2';
      delete from lightrag_vdb_entity_test_4d where id like 'ent-C%';`);
    const found = await find();
    expect(essence(found)).toEqual([
      ['text-without-document', 'lightrag_doc_full', 2, ['doc-7', 'doc-8']],
      ['chunk-without-document', 'lightrag_doc_chunks', 2, ['chunk-7', 'chunk-8']],
      ['vector-without-chunk', 'lightrag_vdb_chunks_test_4d', 1, ['chunk-9']],
      ['vector-without-entity', 'lightrag_vdb_entity_test_4d', 1, ['ent-A']],
      ['vector-without-relation', 'lightrag_vdb_relation_test_4d', 1, ['rel-1']],
      ['entity-without-vector', 'lightrag_graph_nodes', 1, ['C\u2028"c']],
      ['relation-without-vector', 'lightrag_graph_edges', 1, ['B, (c) -- C\u2028"c']],
      ['stale-cache', 'lightrag_llm_cache', 1, ['default:extract:9']],
      former,
    ]);
    for (const { bytes, kind } of found)
      expect(bytes, kind).toBeGreaterThan(kind === 'vectors-of-older-model' ? -1 : 20);
    expect(found.find(({ kind }) => kind === 'entity-without-vector')?.removable).toBe(false);
    expect(essence(await find('other')).slice(0, 2)).toEqual([
      ['text-without-document', 'lightrag_doc_full', 1, ['doc-2']],
      ['chunk-without-document', 'lightrag_doc_chunks', 1, ['chunk-2']],
    ]);
  });

  test('a graph of Apache AGE is compared with the vectors by the names in its properties', async () => {
    await layOutGraphs(rag, ['other']);
    await rag.run(`
      insert into lightrag_vdb_entity_test_4d values ('in', 'other', 'In the "graph"'), ('out', 'other', 'Nowhere');
      insert into other_chunk_entity_relation._ag_label_vertex values (1, '{"entity_id": "In the \\"graph\\""}');`);
    expect(essence(await find('other')).filter(([kind]) => kind === 'vector-without-entity')).toEqual([
      ['vector-without-entity', 'lightrag_vdb_entity_test_4d', 1, ['out']],
    ]);
  });

  test('a server that lets nobody in is told as such, without the password', async () => {
    const connection = { ...rag.connection, user: 'nobody_here', password: 'very secret' };
    const failed = findDatabaseOrphans(connection, {
      targetId: 't',
      workspace: '',
      signal: new AbortController().signal,
    });
    await expect(failed).rejects.toMatchObject({ code: 'target/inspection-failed' });
    await expect(failed).rejects.not.toThrow('very secret');
  });
});
