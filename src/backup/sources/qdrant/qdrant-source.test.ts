import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../platform/clock.ts';
import { createHttpClient, type HttpClient } from '../../../platform/http-client.ts';
import { captureWhole, completeCapture, never, pendingOf } from '../test-capture.ts';
import { pointIdOf, storeOfCollection } from './lightrag-collections.ts';
import { createOwnSnapshots } from './own-snapshots.ts';
import { type StandInQdrant, startStandInQdrant } from './qdrant.fixture.ts';
import { createQdrantSource, type QdrantSourceOptions } from './qdrant-source.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-qdrant-'));
const into = join(folder, 'into');
const chunks = 'lightrag_vdb_chunks_bge_m3_1024d';
const entities = 'lightrag_vdb_entities_bge_m3_1024d';
let http: HttpClient;
let qdrant: StandInQdrant;
let records = 0;

beforeAll(() => {
  http = createHttpClient();
});
afterAll(async () => {
  await http.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await qdrant?.close();
  qdrant = await startStandInQdrant();
  qdrant.fill(chunks, 'library', ['chunk-1', 'chunk-2']);
  qdrant.fill(chunks, 'others', ['chunk-1']);
  qdrant.fill(entities, 'library', ['ent-1']);
  qdrant.aliases.set('vectors', chunks);
});
afterAll(() => qdrant?.close());

const ownOf = (file?: string) => {
  records += 1;
  return createOwnSnapshots(join(folder, file ?? `own-${records}.json`));
};
const sourceOf = (more: Partial<QdrantSourceOptions> & { key?: string; timeoutMs?: number } = {}) =>
  createQdrantSource({
    ...{ name: 'qdrant', http, named: [], workspaces: () => ['library'], own: ownOf() },
    place: { url: qdrant.url, apiKey: more.key, timeoutMs: more.timeoutMs ?? 5_000 },
    ...more,
  });
const left = () => [...qdrant.snapshots.values()].flatMap((kept) => [...kept.keys()]);
const failed = (error: string) => ({ status: { error }, time: 0.001 });

test.each([
  // As LightRAG 1.5.7 itself computed them.
  ['chunk-1', 'library', '9ada345d-5686-40fb-95c0-1c32ba879617'],
  ['ent-ä', '_', '4d3ea22c-ed05-4074-9268-386d62d1aeb9'],
])('a point of %s in %s has the id that LightRAG gives it', (id, workspace, expected) => {
  expect(pointIdOf(id, workspace)).toBe(expected);
});

test.each([
  ['lightrag_vdb_chunks', 'vdb_chunks'],
  ['lightrag_vdb_relationships_text_embedding_3_large_3072d', 'vdb_relationships'],
  ['lightrag_vdb_chunks-copy', undefined],
  ['chunks', undefined],
  ['my_lightrag_vdb_chunks', undefined],
])('the collection %s is %s', (name, store) => {
  expect(storeOfCollection(name)).toBe(store);
});

test('each collection of the target is captured by a snapshot, which is removed at the server', async () => {
  qdrant.fill('somebody_elses', 'library', ['x']);
  qdrant.fill('lightrag_vdb_chunks_other_8d', 'others', ['x']);
  qdrant.fill('chunks', '', ['x']);
  const { result, streams } = await captureWhole(sourceOf(), into);
  expect(result).toMatchObject({ kind: 'qdrant', partial: false, proof: { grade: 'crash-consistent' } });
  expect(result.restore).toMatchObject({
    details: {
      qdrant_version: '1.15.4',
      collections: [
        { name: chunks, store: 'vdb_chunks', points: 3, workspaces: { library: 2 }, aliases: ['vectors'] },
        { name: entities, store: 'vdb_entities', points: 1, workspaces: { library: 1 }, aliases: [] },
      ],
    },
  });
  expect([...streams.keys()]).toEqual(['collection-1.snapshot', 'collection-2.snapshot']);
  expect(streams.get('collection-1.snapshot')?.toString()).toContain('chunk-2');
  expect(result.notes.join('; ')).toMatch(
    /not captured: lightrag_vdb_chunks_other_8d.*chunks may be of an older version/,
  );
  expect(result.notes.join('; ')).toContain(`${chunks}: 3 points, 1 of them of other workspaces`);
  expect(left()).toEqual([]);
});

test.each([
  [[true, true], false, 'consistent'],
  [[true, true], true, 'fuzzy'],
  [[false, true], true, 'crash-consistent'],
  [[undefined, undefined], false, 'crash-consistent'],
] as const)('rest %j, points that move meanwhile %s: %s', async (rest, moves, grade) => {
  const answers = [...rest];
  qdrant.mishaps = {
    hold: async (method, path) => {
      if (moves && method === 'POST' && path === `/collections/${chunks}/snapshots`)
        qdrant.fill(chunks, 'library', ['late']);
    },
  };
  const pending = await sourceOf().capture(into, {
    signal: never,
    clock: systemClock,
    idle: async () => answers.shift(),
  });
  if (!('complete' in pending)) throw new Error('it was whole at once');
  expect((await completeCapture(pending)).result.proof.grade).toBe(grade);
});

describe('what goes wrong fails the capture, leaves no snapshot, and shows no key', () => {
  const key = 'the-key-of-the-house';
  test.each<[string, () => unknown, string | RegExp]>([
    [
      'a key that is refused',
      () => Object.assign(qdrant, { key: 'another' }),
      /refuses the key \(401\): QDRANT_API_KEY/,
    ],
    [
      'a disk that is full',
      () => {
        qdrant.mishaps.answer = (method, path) =>
          method === 'POST' && path.endsWith('/snapshots')
            ? { status: 500, body: failed(`Service internal error: No space left on device (os error 28) ${key}`) }
            : undefined;
      },
      /has no room for it \(500: .*os error 28\) \*\*\*/,
    ],
    [
      'a collection that vanishes while it is counted',
      () => {
        qdrant.mishaps.hold = async (method, path) => {
          if (method === 'GET' && path === `/collections/${entities}/snapshots`) qdrant.collections.delete(entities);
        };
      },
      `The collection ${entities} of the Qdrant at 127.0.0.1`,
    ],
    [
      'a collection that vanishes before its snapshot is read',
      () => {
        qdrant.mishaps.answer = (method, path) =>
          method === 'GET' && path.endsWith('.snapshot') ? { status: 404, body: failed('Not found') } : undefined;
      },
      /has no snapshot .* any more/,
    ],
    [
      'bytes that are others',
      () => Object.assign(qdrant.mishaps, { spoil: (bytes: Buffer) => Buffer.alloc(bytes.length, 1) }),
      /its digest/,
    ],
    [
      'bytes that are too few',
      () => Object.assign(qdrant.mishaps, { spoil: (bytes: Buffer) => bytes.subarray(1) }),
      /did not come whole/,
    ],
    [
      'something else that answers',
      () => Object.assign(qdrant.mishaps, { answer: () => ({ status: 200, body: { hello: 1 } }) }),
      /something that a Qdrant does not say/,
    ],
  ])('%s', async (_, spoil, words) => {
    spoil();
    const capture = captureWhole(sourceOf({ key }), into);
    const err = await capture.then(
      () => undefined,
      (one: unknown) => one,
    );
    expect(err).toMatchObject({ detail: expect.stringMatching(words) });
    expect(JSON.stringify(err)).not.toContain(key);
    expect(left()).toEqual([]);
  });

  test('silence', async () => {
    let free = (): void => undefined;
    qdrant.mishaps.hold = (method) =>
      method === 'POST'
        ? new Promise((resolve) => {
            free = resolve;
          })
        : undefined;
    await expect(captureWhole(sourceOf({ timeoutMs: 50 }), into)).rejects.toThrow(/silent for 0\.05 s/);
    free();
  });
});

test('whoever is told to stop stops at once, and the snapshot goes when the server has made it', async () => {
  let free = (): void => undefined;
  const held = new Promise<void>((asked) => {
    qdrant.mishaps.hold = (method, path) => {
      if (method !== 'POST' || path !== `/collections/${chunks}/snapshots`) return undefined;
      asked();
      return new Promise((resolve) => {
        free = resolve;
      });
    };
  });
  const stop = new AbortController();
  const capture = sourceOf().capture(into, { signal: stop.signal, clock: systemClock });
  await held;
  stop.abort(new Error('told to stop'));
  await expect(capture).rejects.toThrow('told to stop');
  free();
  await expect
    .poll(() => qdrant.requests.filter((one) => one.startsWith('DELETE')).length, { timeout: 60_000 })
    .toBe(2);
  await expect.poll(left, { timeout: 60_000 }).toEqual([]);
});

test('a life that was killed leaves a note, and the next one removes its snapshots and nobody else’s', async () => {
  const record = 'killed.json';
  await pendingOf(sourceOf({ own: ownOf(record) }), into);
  expect(left()).toHaveLength(2);
  const theirs = 'nightly.snapshot';
  qdrant.snapshots.get(chunks)?.set(theirs, { bytes: Buffer.from('x'), at: '2026-11-30T00:00:00' });
  const later = sourceOf({ own: ownOf(record) });
  await later.settle?.(never);
  expect(left()).toEqual([theirs]);
  const asked = qdrant.requests.length;
  await later.settle?.(never);
  expect(qdrant.requests.length).toBe(asked);
});

test('killed while the server makes it, nobody knows its name, and what may be it is told and left alone', async () => {
  const own = ownOf('unnamed.json');
  await own.asked(chunks, []);
  qdrant.snapshots.set(chunks, new Map([['new.snapshot', { bytes: Buffer.from('x'), at: '2026-11-30T00:00:00' }]]));
  const { result } = await captureWhole(sourceOf({ own: ownOf('unnamed.json') }), into);
  expect(result.notes[0]).toMatch(/new\.snapshot may be it, and is left for you to remove/);
  expect(left()).toEqual(['new.snapshot']);
  qdrant.snapshots.get(chunks)?.clear();
  const { result: after } = await captureWhole(sourceOf({ own: ownOf('unnamed.json') }), into);
  expect(after.notes.join()).not.toContain('may be it');
});

test.each<[string, Partial<QdrantSourceOptions>, boolean, RegExp]>([
  ['of another workspace', { workspaces: () => ['nobody'] }, true, /hold points, and none of the workspace \(nobody\)/],
  ['of another workspace, which alone was asked for', { workspaces: () => ['nobody'], only: true }, false, /^$/],
  ['that the settings name and that is not there', { named: ['mine'] }, true, /there is no collection mine/],
])('a collection %s', async (_, options, partial, words) => {
  const { result } = await captureWhole(sourceOf(options), into);
  expect(result.partial).toBe(partial);
  expect(result.skipped.map(({ reason }) => reason).join()).toMatch(words);
});

test('collections over several servers are not captured in part: the point says that it lacks them', async () => {
  qdrant.peers = 3;
  const result = await sourceOf().capture(into, { signal: never, clock: systemClock });
  expect(result).toMatchObject({ partial: true, streams: [], restore: { by: 'by-hand' } });
  expect(result).toMatchObject({ skipped: [{ reason: expect.stringContaining('3 servers'), loss: true }] });
  expect(left()).toEqual([]);
});
