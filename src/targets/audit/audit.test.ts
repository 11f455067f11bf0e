import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { auditStores } from './audit.ts';
import { type RelationName, relationNames } from './audit-relations.ts';
import type { AuditReport } from './audit-report.ts';
import type { StoreName, StoreReaders, StoreRows } from './store-rows.ts';

type Rows = { [Store in StoreName]?: StoreRows[Store][] };

/** Stores that lie in memory, each with its rows in some order. */
const readersOf = (rows: Rows): StoreReaders =>
  Object.fromEntries(
    Object.entries(rows).map(([store, list]) => [
      store,
      async (begin: () => (row: unknown) => void) => {
        const take = begin();
        for (const row of list) take(row);
        return true;
      },
    ]),
  );

const intact = (): Required<Rows> => ({
  doc_status: [
    { id: 'doc-1', status: 'processed', chunks: ['chunk-1', 'chunk-2'] },
    { id: 'doc-2', status: 'processed', chunks: ['chunk-3'] },
    { id: 'doc-3', status: 'processing', chunks: [] },
    { id: 'dup-4', status: 'failed', chunks: [] },
  ],
  full_docs: [{ id: 'doc-1' }, { id: 'doc-2' }, { id: 'doc-3' }],
  text_chunks: [
    { id: 'chunk-1', document: 'doc-1' },
    { id: 'chunk-2', document: 'doc-1' },
    { id: 'chunk-3', document: 'doc-2' },
  ],
  vdb_chunks: [{ id: 'chunk-1' }, { id: 'chunk-2' }, { id: 'chunk-3' }],
  graph: [{ node: 'Ada' }, { node: 'Bob' }, { node: 'Cy' }, { ends: ['Bob', 'Ada'] }, { ends: ['Cy', 'Bob'] }],
  vdb_entities: [
    { id: 'ent-1', name: 'Ada' },
    { id: 'ent-2', name: 'Bob' },
    { id: 'ent-3', name: 'Cy' },
  ],
  vdb_relationships: [
    { id: 'rel-1', ends: ['Ada', 'Bob'] },
    { id: 'rel-2', ends: ['Bob', 'Cy'] },
  ],
});

const danglingIn = (report: AuditReport): Record<string, readonly string[]> =>
  Object.fromEntries(
    Object.entries(report.dangling)
      .filter(([, { count }]) => count > 0)
      .map(([name, { examples }]) => [name, examples]),
  );

test('stores that belong together are clean, and every relation was checked', async () => {
  const report = await auditStores(readersOf(intact()));
  expect(report).toMatchObject({
    verdict: 'clean',
    unchecked: [],
    documents: { processed: 2, processing: 1, failed: 1 },
  });
  expect(report.counts).toEqual({
    doc_status: 4,
    full_docs: 3,
    text_chunks: 3,
    vdb_chunks: 3,
    vdb_entities: 3,
    vdb_relationships: 2,
    graph_nodes: 3,
    graph_edges: 2,
  });
  expect(Object.keys(report.dangling)).toEqual(relationNames);
  expect(danglingIn(report)).toEqual({});
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});

const without = <Row>(rows: Row[], at: number): Row[] => rows.toSpliced(at, 1);
const cases: readonly [string, (rows: Required<Rows>) => Rows, Partial<Record<RelationName, string[]>>, string][] = [
  ['a text', (r) => ({ full_docs: without(r.full_docs, 1) }), { documents_without_text: ['doc-2'] }, 'damaged'],
  [
    'a document',
    (r) => ({ doc_status: without(r.doc_status, 1) }),
    { texts_without_document: ['doc-2'], chunks_without_document: ['chunk-3'] },
    'leftovers',
  ],
  [
    'a chunk',
    (r) => ({ text_chunks: without(r.text_chunks, 1) }),
    { processed_without_chunks: ['doc-1'], chunk_vectors_without_chunk: ['chunk-2'] },
    'damaged',
  ],
  [
    'the vector of a chunk',
    (r) => ({ vdb_chunks: without(r.vdb_chunks, 2) }),
    { processed_without_chunk_vectors: ['doc-2'] },
    'damaged',
  ],
  [
    'the vector of a node',
    (r) => ({ vdb_entities: without(r.vdb_entities, 0) }),
    { nodes_without_vector: ['Ada'] },
    'damaged',
  ],
  [
    'a node',
    (r) => ({ graph: without(r.graph, 2) }),
    { entity_vectors_without_node: ['Cy'], edge_ends_without_node: ['Cy'] },
    'damaged',
  ],
  [
    'the vector of an edge',
    (r) => ({ vdb_relationships: without(r.vdb_relationships, 0) }),
    { edges_without_vector: ['Ada -- Bob'] },
    'damaged',
  ],
  ['an edge', (r) => ({ graph: without(r.graph, 4) }), { relation_vectors_without_edge: ['Bob -- Cy'] }, 'leftovers'],
];

test.each(cases)('that lack %s are told with the ids, and nothing else is', async (_, breakIt, expected, verdict) => {
  const rows = intact();
  const report = await auditStores(readersOf({ ...rows, ...breakIt(rows) }));
  expect(danglingIn(report)).toEqual(expected);
  expect(report.verdict).toBe(verdict);
});

test('what nobody can read is not checked, and not called clean', async () => {
  const { vdb_chunks: _, ...rows } = intact();
  const readers = { ...readersOf(rows), full_docs: async () => false };
  const report = await auditStores(readers);
  expect(report.verdict).toBe('incomplete');
  expect(report.unchecked).toEqual([
    'documents_without_text',
    'texts_without_document',
    'processed_without_chunk_vectors',
    'chunk_vectors_without_chunk',
  ]);
  expect(report.counts).not.toHaveProperty('full_docs');
});

test('a reader that starts over counts once, and one that fails the second time leaves the counts without names', async () => {
  const rows = intact();
  let turn = 0;
  const report = await auditStores({
    ...readersOf({ ...rows, text_chunks: [] }),
    doc_status: async (begin) => {
      turn += 1;
      if (turn > 1) return false;
      begin()({ id: 'forgotten', status: 'processed', chunks: ['nowhere'] });
      const take = begin();
      for (const row of rows.doc_status) take(row);
      return true;
    },
  });
  expect(report.counts.doc_status).toBe(4);
  expect(report.dangling.processed_without_chunks).toEqual({ count: 2, examples: [] });
  expect(report.dangling.chunk_vectors_without_chunk?.examples).toEqual(['chunk-1', 'chunk-2', 'chunk-3']);
});

test('of many the first twenty are named, whatever order they come in', async () => {
  const ids = Array.from({ length: 500 }, (_, n) => `doc-${String(n).padStart(3, '0')}`);
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray(ids, { minLength: 500 }), async (mixed) => {
      const doc_status = mixed.map((id) => ({ id, status: 'processed', chunks: [] }));
      const report = await auditStores(readersOf({ doc_status, full_docs: [] }));
      expect(report.dangling.documents_without_text).toEqual({ count: 500, examples: ids.slice(0, 20) });
    }),
    { numRuns: 5 },
  );
});

describe('for any stores', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const ids = fc.uniqueArray(id);
  const pair = fc.tuple(id, id);
  const pairs = fc.uniqueArray(pair, { selector: (one) => one.toSorted().join() });

  test('it finds what a plain comparison of sets finds', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ documents: ids, texts: ids, nodes: ids, names: ids, edges: pairs, related: pairs }),
        async ({ documents, texts, nodes, names, edges, related }) => {
          const report = await auditStores(
            readersOf({
              doc_status: documents.map((one) => ({ id: one, status: 'processed', chunks: [one] })),
              full_docs: texts.map((one) => ({ id: one })),
              text_chunks: texts.map((one) => ({ id: one, document: one })),
              vdb_chunks: names.map((one) => ({ id: one })),
              graph: [...nodes.map((node) => ({ node })), ...edges.map((ends) => ({ ends }))],
              vdb_entities: names.map((name) => ({ id: name, name })),
              vdb_relationships: related.map((ends, n) => ({ id: `${n}`, ends })),
            }),
          );
          const less = (these: string[], others: string[]) => these.filter((one) => !others.includes(one)).sort();
          const text = (list: [string, string][]) => list.map((ends) => ends.toSorted().join(' -- '));
          const ends = [...new Set(edges.flat())];
          const expected: Record<RelationName, string[]> = {
            documents_without_text: less(documents, texts),
            texts_without_document: less(texts, documents),
            processed_without_chunks: less(documents, texts),
            processed_without_chunk_vectors: less(documents, names),
            chunks_without_document: less(texts, documents),
            chunk_vectors_without_chunk: less(names, texts),
            nodes_without_vector: less(nodes, names),
            entity_vectors_without_node: less(names, nodes),
            edges_without_vector: less(text(edges), text(related)),
            relation_vectors_without_edge: less(text(related), text(edges)),
            edge_ends_without_node: less(ends, nodes),
          };
          for (const name of relationNames)
            expect([name, report.dangling[name]]).toEqual([
              name,
              { count: expected[name].length, examples: expected[name] },
            ]);
        },
      ),
      { numRuns: 60 },
    );
  });
});

test('a million records are audited in a heap of 24 MiB, and 40 MB beside it', async () => {
  const source = `
    import { parentPort } from 'node:worker_threads';
    import { auditStores } from ${JSON.stringify(new URL('./audit.ts', import.meta.url).href)};
    const rows = (count, row) => async (begin) => {
      const take = begin();
      for (let n = 0; n < count; n += 1) take(row(n));
      return true;
    };
    const id = (kind, n) => kind + '-' + String(n).padStart(32, '0');
    const report = await auditStores({
      doc_status: rows(100_000, (n) => ({ id: id('doc', n), status: 'processed', chunks: [id('chunk', 2 * n), id('chunk', 2 * n + 1)] })),
      full_docs: rows(100_000, (n) => ({ id: id('doc', n) })),
      text_chunks: rows(200_000, (n) => ({ id: id('chunk', n), document: id('doc', n >> 1) })),
      vdb_chunks: rows(199_990, (n) => ({ id: id('chunk', n) })),
      graph: rows(200_000, (n) => (n < 100_000 ? { node: id('node', n) } : { ends: [id('node', n - 100_000), id('node', (n - 99_999) % 100_000)] })),
      vdb_entities: rows(100_000, (n) => ({ id: id('ent', n), name: id('node', n) })),
      vdb_relationships: rows(100_000, (n) => ({ id: id('rel', n), ends: [id('node', n), id('node', (n + 1) % 100_000)] })),
    });
    parentPort.postMessage({ report, bytes: process.memoryUsage().arrayBuffers });
  `;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    resourceLimits: { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 8 },
  });
  const { report, bytes } = await new Promise<{ report: AuditReport; bytes: number }>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`ended with ${code}`)));
  });
  await worker.terminate();
  expect(Object.values(report.counts).reduce((sum, count) => sum + count, 0)).toBe(999_990);
  expect(danglingIn(report)).toEqual({
    processed_without_chunk_vectors: [99_995, 99_996, 99_997, 99_998, 99_999].map(
      (n) => `doc-${String(n).padStart(32, '0')}`,
    ),
  });
  expect(bytes).toBeLessThan(40_000_000);
});
