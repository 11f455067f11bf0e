import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hasPart } from '../../../test/setup/parts.ts';
import { createChildProcesses } from '../../platform/child-processes/index.ts';
import { systemClock } from '../../platform/clock.ts';
import { silentLogger } from '../../platform/logging.ts';
import { type AuditReport, auditStores, createInspector } from '../../targets/index.ts';
import { decideAuditedStores } from '../audited-stores.ts';
import { createPostgresSource } from '../sources/postgres/postgres-source.ts';
import { captureWhole, contextInto } from '../sources/postgres/stored-streams.fixture.ts';
import type { CaptureResult } from '../sources/source.ts';
import { beginReading, readersIn } from './audit-store.ts';
import { connectPostgres, type PostgresSession } from './connection.ts';
import { createLightragDatabase, type LightragDatabase, layOutGraphs } from './lightrag-database.fixture.ts';

const tables = `
create table LIGHTRAG_VDB_CHUNKS (id varchar(255), workspace varchar(255), primary key (workspace, id));
create table LIGHTRAG_VDB_ENTITY_TEST_4D (id varchar(255), workspace varchar(255), entity_name varchar(512), primary key (workspace, id));
create table LIGHTRAG_VDB_RELATION_TEST_4D (id varchar(255), workspace varchar(255), source_id varchar(512), target_id varchar(512), primary key (workspace, id));
create table LIGHTRAG_GRAPH_NODES (workspace varchar(255), namespace varchar(255), id varchar(512), properties jsonb, primary key (workspace, namespace, id));
create table LIGHTRAG_GRAPH_EDGES (workspace varchar(255), namespace varchar(255), src_id varchar(512), tgt_id varchar(512), properties jsonb, primary key (workspace, namespace, src_id, tgt_id));
-- What the model before this one left, and what others keep.
insert into lightrag_vdb_chunks values ('gone', 'acme');
insert into lightrag_vdb_entity_test_4d values ('e', 'other', 'Somebody else');
`;
const graph = `
insert into lightrag_vdb_entity_test_4d select 'ent-' || n, 'acme', n from unnest(array['A', 'B', E'C\\u2028c']) n;
insert into lightrag_vdb_relation_test_4d values ('rel-1', 'acme', 'B', 'A'), ('rel-2', 'acme', 'B', E'C\\u2028c');
insert into lightrag_graph_nodes select 'acme', 'chunk_entity_relation', n, '{}' from unnest(array['A', 'B', E'C\\u2028c']) n;
insert into lightrag_graph_edges values ('acme', 'chunk_entity_relation', 'A', 'B', '{}'), ('acme', 'chunk_entity_relation', 'B', E'C\\u2028c', '{}');
`;

const danglingIn = (report: AuditReport): Record<string, readonly string[]> =>
  Object.fromEntries(
    Object.entries(report.dangling)
      .filter(([, { count }]) => count > 0)
      .map(([name, { examples }]) => [name, examples]),
  );

describe.skipIf(!hasPart('postgresql'))('the stores of a database', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rw-audit-'));
  let rag: LightragDatabase;
  let session: PostgresSession;
  beforeAll(async () => {
    rag = await createLightragDatabase();
    await rag.run(tables);
    // More than a cursor hands over at once.
    await rag.fill('acme', 1200);
    await rag.fill('other', 2);
    await rag.run(graph);
    await layOutGraphs(rag, ['other']);
    session = await connectPostgres(rag.connection, { failsAs: 'backup/capture-failed' });
  });
  afterAll(async () => {
    await session?.close();
    await rag?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const audit = async (workspace = 'acme', breakIt?: string): Promise<AuditReport> => {
    const survey = await beginReading(session);
    try {
      // Undone with the reading, which sees it as its own.
      if (breakIt) {
        await session.run('rollback; begin');
        await session.run(breakIt);
      }
      return await auditStores(await readersIn(session, survey, workspace));
    } finally {
      await session.run('rollback');
    }
  };

  test('are clean when they belong together, whatever lies in other workspaces and in tables of former models', async () => {
    const report = await audit();
    expect(danglingIn(report)).toEqual({});
    expect(report).toMatchObject({ verdict: 'clean', unchecked: [], documents: { processed: 1200 } });
    expect(report.counts).toEqual({
      doc_status: 1200,
      full_docs: 1200,
      text_chunks: 1200,
      vdb_chunks: 1200,
      vdb_entities: 3,
      vdb_relationships: 2,
      graph_nodes: 3,
      graph_edges: 2,
    });
  });

  test.each<[string, string, Record<string, string[]>]>([
    [
      'a text is',
      `delete from lightrag_doc_full where workspace = 'acme' and id = 'doc-7'`,
      { documents_without_text: ['doc-7'] },
    ],
    [
      'a status is',
      `delete from lightrag_doc_status where workspace = 'acme' and id = 'doc-1100'`,
      { texts_without_document: ['doc-1100'], chunks_without_document: ['chunk-1100'] },
    ],
    [
      'a chunk is',
      `delete from lightrag_doc_chunks where workspace = 'acme' and id = 'chunk-9'`,
      { processed_without_chunks: ['doc-9'], chunk_vectors_without_chunk: ['chunk-9'] },
    ],
    [
      'the vector of a chunk is',
      `delete from lightrag_vdb_chunks_test_4d where workspace = 'acme' and id = 'chunk-9'`,
      { processed_without_chunk_vectors: ['doc-9'] },
    ],
    [
      'a node is',
      `delete from lightrag_graph_nodes where id = 'A'`,
      { entity_vectors_without_node: ['A'], edge_ends_without_node: ['A'] },
    ],
    [
      'the vector of a node is',
      `delete from lightrag_vdb_entity_test_4d where id = 'ent-B'`,
      { nodes_without_vector: ['B'] },
    ],
    [
      'an edge is',
      `delete from lightrag_graph_edges where src_id = 'A'`,
      { relation_vectors_without_edge: ['A -- B'] },
    ],
    [
      'the vector of an edge is',
      `delete from lightrag_vdb_relation_test_4d where id = 'rel-1'`,
      { edges_without_vector: ['A -- B'] },
    ],
  ])('name what is broken when %s missing, and nothing else', async (_, breakIt, expected) => {
    expect(danglingIn(await audit('acme', breakIt))).toEqual(expected);
  });

  test('are read from a graph of Apache AGE where there is one, an edge to nowhere too', async () => {
    const vectors = `insert into lightrag_vdb_entity_test_4d values ('a', 'other', 'A');
      insert into lightrag_vdb_relation_test_4d values ('r', 'other', 'B', 'A');`;
    const report = await audit('other', vectors);
    expect(report.counts).toMatchObject({ graph_nodes: 2, graph_edges: 1, vdb_entities: 2 });
    expect(danglingIn(report)).toEqual({
      nodes_without_vector: ['B'],
      entity_vectors_without_node: ['Somebody else'],
    });
    // As AGE prints properties: JSON with numbers that are none.
    const asText = `alter table "other_chunk_entity_relation"._ag_label_vertex alter properties type text using
        replace(properties::text, '"A"', '"A\\"a", "weight": 1.5::numeric');
      delete from "other_chunk_entity_relation".base where properties like '%"B"%';`;
    expect(danglingIn(await audit('other', vectors + asText))).toMatchObject({
      nodes_without_vector: ['A"a'],
      edge_ends_without_node: ['#844424930131970'],
    });
  });

  describe('beside files', () => {
    const children = createChildProcesses({
      clock: systemClock,
      log: silentLogger,
      recordDir: join(folder, 'children'),
    });
    const inspector = createInspector({ clock: systemClock, log: silentLogger });
    afterAll(() => inspector.stop());
    const into = mkdtempSync(join(folder, 'streams-'));
    const workspace = join(folder, 'workspace');
    const auditDir = join(folder, 'audit');
    const vectors = (rows: object[]): string =>
      JSON.stringify({ embedding_dim: 1, data: rows, matrix: Buffer.alloc(4 * rows.length).toString('base64') });
    beforeEach(() => rmSync(workspace, { recursive: true, force: true }));

    const capture = (between?: () => Promise<unknown>): Promise<CaptureResult> =>
      captureWhole(
        createPostgresSource({
          name: 'database',
          connection: rag.connection,
          children,
          dump: 'database',
          auditWorkspace: 'acme',
        }),
        { ...contextInto(into, children), auditDir },
        between,
      );

    test('one audit is over all of them, as of the moment of the capture', async () => {
      mkdirSync(workspace);
      const missing = 'chunk-5';
      const chunks = Array.from({ length: 1200 }, (_, i) => `chunk-${i + 1}`).filter((id) => id !== missing);
      writeFileSync(join(workspace, 'vdb_chunks.json'), vectors(chunks.map((id) => ({ __id__: id }))));
      // What an installation had before it moved its documents into the database.
      writeFileSync(join(workspace, 'kv_store_doc_status.json'), '{"doc-old": {"status": "processed"}}');
      const captured = await capture(() =>
        rag.run(`delete from lightrag_doc_full where workspace = 'acme' and id = 'doc-1'`),
      );
      // Of a captured folder what the decision looks at.
      const files = {
        name: 'workspace',
        kind: 'files',
        entries: [{ path: 'vdb_chunks.json' }],
      } as unknown as CaptureResult;
      const { homes, extracts } = decideAuditedStores(
        [files, captured],
        { storageClasses: { doc_status_storage: 'PGDocStatusStorage', vector_storage: 'NanoVectorDBStorage' } },
        '',
      );
      expect(homes).toEqual({
        doc_status: 'database',
        full_docs: 'database',
        text_chunks: 'database',
        vdb_chunks: 'workspace',
        graph: 'database',
      });
      const report = await inspector.inspect({ folder: workspace, workspace: '', idle: true, extracts });
      expect(danglingIn(report.audit)).toEqual({ processed_without_chunk_vectors: ['doc-5'] });
      expect(report.audit.counts).toMatchObject({ doc_status: 1200, full_docs: 1200, vdb_chunks: 1199 });
      // Of the vectors only those of chunks are there as files; what lies in the database is missed by nobody.
      expect(report.faults.map(({ message }) => message)).toEqual([
        expect.stringMatching(/^vdb_/),
        expect.stringMatching(/^vdb_/),
        expect.stringContaining('For example: doc-5.'),
      ]);
    });

    test('a point is taken although its stores cannot be audited, and says so', async () => {
      writeFileSync(workspace, 'no folder');
      const captured = await captureWhole(
        createPostgresSource({
          name: 'database',
          connection: rag.connection,
          children,
          dump: 'database',
          auditWorkspace: 'acme',
        }),
        { ...contextInto(into, children), auditDir: join(workspace, 'audit') },
      );
      expect(captured.extracts).toBeUndefined();
      expect(captured.notes).toEqual(
        expect.arrayContaining([expect.stringContaining('are not in the audit: ENOTDIR')]),
      );
      expect(captured.streams).toHaveLength(2);
    });
  });
});
