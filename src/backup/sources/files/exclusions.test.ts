import { expect, test } from 'vitest';
import {
  findExclusion,
  keptNames,
  lightragExclusions,
  otherWorkspaceExclusion,
  ownFolderExclusion,
  parserCacheExclusion,
} from './exclusions.ts';

const all = [ownFolderExclusion, ...lightragExclusions, otherWorkspaceExclusion('sales'), parserCacheExclusion];

test.each([
  'kv_store_text_chunks.json.tmp.4242.4243.text_chunks',
  'ws/vdb_chunks.json.tmp.1.2.3',
  'scan_spool',
  'scan_spool/ws/candidates.sqlite3',
  '.ragwarden',
  'ws/.ragwarden',
  'sales',
  'sales/kv_store_full_docs.json',
  'paper.pdf.mineru_raw',
  '__parsed__/paper.pdf.native_raw',
])('%s is left out', (path) => {
  expect(findExclusion(path, all)).toBeDefined();
});

test.each([
  'kv_store_text_chunks.json',
  'minutes.tmp.docx',
  'report.tmp.2024.pdf',
  '.tmp.1.2',
  'ws/scan_spool',
  'ws/sales',
  'sales-2024',
  'ragwarden',
  'paper.pdf.parsed',
  '.mineru_raw',
])('%s is captured', (path) => {
  expect(findExclusion(path, all)).toBeUndefined();
});

test('a restore leaves alone what belongs to others, and nothing else', () => {
  expect(keptNames(all).map(({ name }) => name)).toEqual(['.ragwarden', 'sales']);
});
