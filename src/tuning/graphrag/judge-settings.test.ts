import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { judgeProjectSettings } from './judge-settings.ts';

const recorded = readFileSync(
  join(import.meta.dirname, '../../../test/fixtures/graphrag-3.3.0/project/settings.yaml'),
  'utf8',
);
const judged = (text: string, environment?: readonly string[]) =>
  judgeProjectSettings(text, environment && new Set(environment)).map(
    ({ severity, line, message }) => `${severity} ${line ?? '-'}: ${message}`,
  );

test('of the recorded settings nothing is told', () => {
  expect(judged(recorded)).toEqual([]);
});

test.each([
  ['chunking:\n  size: 500\n  overlap: 500\n', ['error 3: chunking.overlap must be below chunking.size']],
  ['chunking:\n  overlap: 1200\n', ['error 2: chunking.overlap must be below chunking.size']],
  ['chunking:\n  size: big\n', ['error 2: chunking.size must be a whole number from 1 to 20000']],
  ['snapshots:\n  graphml: 3\n', ['error 2: snapshots.graphml must be true or false']],
  ['chunking: [\n', [expect.stringContaining('is no YAML')]],
  ['- a\n', ['error 1: holds no settings']],
  ['', ['error 1: holds no settings']],
  [
    'local_search:\n  text_unit_prop: 0.9\n  community_prop: 0.2\n',
    ['error 2: local_search.text_unit_prop and local_search.community_prop together may be at most 1'],
  ],
  [
    'community_reports:\n  max_length: 9000\n',
    ['warning 2: community_reports.max_length is above community_reports.max_input_length'],
  ],
  ['chunks:\n  size: 300\n', ['warning -: chunks is of an older GraphRAG: version 3 reads chunking']],
  ['chuncking:\n  size: 300\n', ['warning -: chuncking is no section of GraphRAG 3']],
  ['cache:\n  type: memory\n', [expect.stringContaining('pays every call of the model again')]],
  [
    'embedding_models:\n  e:\n    model: text-embedding-3-small\nvector_store:\n  vector_size: 3072\n',
    [
      'error 5: vector_store.vector_size is 3072, and text-embedding-3-small (embedding_models.e) makes vectors of 1536',
    ],
  ],
  [
    'completion_models:\n  c:\n    api_key: abc\n',
    [expect.stringContaining('warning 3: completion_models.c.api_key stands')],
  ],
  [`chunking:\n  size: \${SIZE}\n`, [expect.stringContaining('the variable SIZE is not in .env')]],
  [`# \${NOT_READ}\nchunking:\n  size: 300\n`, []],
])('of %j is told %j', (text, expected) => {
  expect(judged(text)).toEqual(expected);
});

test('a variable that stands in the environment beside it is no fault, and no key is ever quoted', () => {
  const text = `completion_models:\n  c:\n    api_key: \${KEY}\n`;
  expect(judged(text, ['KEY'])).toEqual([]);
  expect(judged(text, [])).toHaveLength(1);
  const written = judgeProjectSettings('completion_models:\n  c:\n    api_key: top-secret-9\n', undefined);
  expect(JSON.stringify(written)).not.toContain('top-secret-9');
});
