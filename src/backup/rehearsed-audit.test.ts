import { expect, test } from 'vitest';
import type { AuditReport, StoreExtract } from '../targets/index.ts';
import type { Inspection } from './backup-deps.ts';
import type { Manifest } from './manifest.ts';
import { auditDatabases, auditedIn, differencesOf } from './rehearsed-audit.ts';

const audit = (counts: Record<string, number>, dangling: Record<string, number> = {}): AuditReport => ({
  verdict: 'incomplete',
  counts,
  documents: counts.doc_status === undefined ? {} : { processed: counts.doc_status },
  dangling: Object.fromEntries(Object.entries(dangling).map(([name, count]) => [name, { count, examples: [] }])),
  unchecked: [],
});
const inspection = (report: AuditReport, counts = {}): Inspection => ({
  counts,
  audit: report,
  embeddingDimension: undefined,
  faults: [],
});
/** Of a manifest what the comparison looks at. */
const manifest = {
  scope: 'target',
  reasons: [],
  counts: { vdb_chunks: 5 },
  target: { embedding_dimension: null },
  content_stores: { doc_status: 'database', full_docs: 'database', text_chunks: 'redis', vdb_chunks: 'workspace' },
  content_audit: audit(
    { doc_status: 2, full_docs: 2, text_chunks: 5, vdb_chunks: 5 },
    { documents_without_text: 0, chunks_without_document: 0 },
  ),
} as unknown as Manifest;
const extract = (path: string): StoreExtract => ({ path, rows: 1, sha256: '' });
const database = { doc_status: extract('d'), full_docs: extract('f'), text_chunks: extract('of former times') };

test('each store is audited out of the component that held it, and not all are there when one was not loaded', () => {
  expect(auditedIn(manifest, new Map([['database', database]]))).toEqual({
    extracts: { doc_status: extract('d'), full_docs: extract('f') },
    isWhole: false,
  });
  const redis = { text_chunks: extract('t') };
  expect(
    auditedIn(
      manifest,
      new Map<string, object>([
        ['database', database],
        ['redis', redis],
      ]),
    ),
  ).toEqual({ extracts: { doc_status: extract('d'), full_docs: extract('f'), ...redis }, isWhole: true });
  expect(auditedIn({ ...manifest, content_stores: undefined }, new Map([['database', database]]))).toEqual({
    extracts: {},
    isWhole: true,
  });
});

test('what came out of a database and is not what was captured is a difference', () => {
  const found = audit(
    { doc_status: 2, full_docs: 1, text_chunks: 5, vdb_chunks: 5 },
    { documents_without_text: 1, chunks_without_document: 0 },
  );
  expect(differencesOf(manifest, inspection(found, { vdb_chunks: 5 }), { isWhole: true })).toEqual([
    'audit, count full_docs: 1 instead of 2',
    'audit, dangling documents_without_text: 1 instead of 0',
  ]);
  expect(differencesOf(manifest, inspection(audit({}), { vdb_chunks: 5 }), { isWhole: true })).not.toEqual([]);
});

test('what a database that was not loaded would have told is none, and its files still count', () => {
  const found = inspection(audit({ vdb_chunks: 5 }), { vdb_chunks: 4 });
  expect(differencesOf(manifest, found, { isWhole: false })).toEqual(['vdb_chunks has 4 rows instead of 5']);
});

test('a point without files has its databases audited all the same', async () => {
  const asked: unknown[] = [];
  const request = {
    scratchDir: '/scratch',
    phase: async () => {},
    inspect: async (folder: string, options: object) => {
      asked.push(folder, options);
      return inspection(audit({ doc_status: 1, full_docs: 2 }, { documents_without_text: 0 }), { vdb_chunks: 5 });
    },
  };
  expect(await auditDatabases(request, manifest, new Map())).toEqual([]);
  expect(asked).toEqual([]);
  expect(await auditDatabases(request, manifest, new Map([['database', database]]))).toEqual([
    { component: 'database', problem: 'database: audit, count doc_status: 1 instead of 2' },
    { component: 'database', problem: 'database: audit, documents processed: 1 instead of 2' },
  ]);
  expect(asked).toEqual([
    '/scratch/no-files',
    { workspace: undefined, extracts: { doc_status: extract('d'), full_docs: extract('f') } },
  ]);
});
