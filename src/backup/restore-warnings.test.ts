import { expect, test } from 'vitest';
import type { Manifest, ManifestComponent } from './manifest.ts';
import { restoreWarnings } from './restore-warnings.ts';

/** What the warnings are decided by; the rest of a manifest is no matter here. */
const manifest = (changes: Partial<Manifest>): Manifest =>
  ({
    partial: false,
    missing: [],
    components: [],
    target: { core_version: '1.5.7' },
    ...changes,
  }) as unknown as Manifest;
const part = (name: string) => ({ component: { name, damaged: [] } as unknown as ManifestComponent });
const warningsOf = (changes: Partial<Manifest>, parts = ['workspace', 'inputs']): string[] =>
  restoreWarnings(manifest(changes), { coreVersion: '1.5.7' }, { verifiedMs: 1 }, parts.map(part), []);

const audit = (dangling: Record<string, string[]>, verdict: 'damaged' | 'leftovers' | 'clean') => ({
  verdict,
  counts: {},
  documents: {},
  dangling: Object.fromEntries(
    Object.entries(dangling).map(([name, examples]) => [name, { count: examples.length, examples }]),
  ),
  unchecked: [],
});
const torn = {
  code: 'file-torn',
  severity: 'critical',
  message: 'kv_store_full_docs.json is cut off after 5 bytes: …. LightRAG will not start with it.',
};

test('a sound point, and one of an earlier version that was not audited, have none', () => {
  expect(warningsOf({})).toEqual([]);
  expect(warningsOf({ content_audit: audit({}, 'clean'), content_faults: [] })).toEqual([]);
  expect(warningsOf({ content_audit: audit({ chunks_without_document: ['a'] }, 'leftovers') })).toEqual([]);
});

test('a file that does not parse is told, and that the backend will not start with it', () => {
  expect(warningsOf({ content_faults: [torn] })).toEqual([`When the point was taken: ${torn.message}`]);
  expect(warningsOf({ content_faults: [torn] }, ['inputs'])).toEqual([]);
});

test('stores that do not belong together are told in one line, with the first ids', () => {
  const content_audit = audit(
    { documents_without_text: ['a', 'b', 'c', 'd'], processed_without_chunks: [], nodes_without_vector: ['Ada'] },
    'damaged',
  );
  const expected =
    'The stores of this point do not belong together: 4 documents without text (a, b, c, …); 1 nodes without vector (Ada).';
  expect(warningsOf({ content_audit })).toEqual([expected]);
  expect(warningsOf({ content_audit, content_faults: [torn] })).toHaveLength(2);
});

test('what a fault says already is not said twice', () => {
  const content_audit = audit({ documents_without_text: ['a'] }, 'damaged');
  const told = { code: 'texts-missing', severity: 'critical', message: '1 document of doc_status without a text.' };
  expect(warningsOf({ content_audit, content_faults: [told] })).toEqual([`When the point was taken: ${told.message}`]);
});
