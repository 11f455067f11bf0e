import { afterAll, beforeAll, expect, test } from 'vitest';
import { type StandInQdrant, startStandInQdrant } from '../../backup/sources/qdrant/qdrant.fixture.ts';
import { targetQdrantCheck } from './stores.ts';
import { look, subjectOf } from './test-subject.ts';

let qdrant: StandInQdrant;
beforeAll(async () => {
  qdrant = await startStandInQdrant();
});
afterAll(() => qdrant.close());
const seen = async (env: Record<string, string> = {}) =>
  (await look(targetQdrantCheck, subjectOf({ QDRANT_URL: qdrant.url, QDRANT_API_KEY: 'the-key', ...env })))
    .map(({ verdict, detail }) => `${verdict}: ${detail}`)
    .join('; ');

test('a Qdrant of the backend is asked whether it lets us in, has its collections, and has all of them', async () => {
  expect(await seen()).toMatch(/^warn: .*none of its 0 collections/);
  qdrant.fill('lightrag_vdb_chunks_x_8d', '_', ['chunk-1']);
  expect(await seen()).toMatch(/^ok: .*with 1 collections of the backend$/);
  qdrant.peers = 3;
  expect(await seen()).toMatch(/; warn: its collections are spread over 3 servers/);
  qdrant.key = 'another-key';
  expect(await seen()).toMatch(/^fail: .*refuses the key \(401\)$/);
  expect(await seen({ QDRANT_URL: 'http://127.0.0.1:1' })).toMatch(/^fail: the Qdrant does not answer/);
  expect(await look(targetQdrantCheck, subjectOf({}))).toMatchObject([{ verdict: 'skipped' }]);
});
