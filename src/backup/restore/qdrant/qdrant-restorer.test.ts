import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createHttpClient, type HttpClient } from '../../../platform/http-client.ts';
import { createOwnSnapshots } from '../../sources/qdrant/own-snapshots.ts';
import { type StandInQdrant, startStandInQdrant } from '../../sources/qdrant/qdrant.fixture.ts';
import { createQdrantSource } from '../../sources/qdrant/qdrant-source.ts';
import { type Captured, captureWhole, never } from '../../sources/test-capture.ts';
import type { Restorer, RestoreScope } from '../restorer.ts';
import { contextOf, inScratch, killed, requestOf } from '../test-restorer.ts';
import { judgeVersions } from './decide-moves.ts';
import { createQdrantRestorer } from './qdrant-restorer.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-qdrant-restore-'));
const chunks = 'lightrag_vdb_chunks_bge_m3_1024d';
const entities = 'lightrag_vdb_entities_bge_m3_1024d';
const notes = 'notes';
let http: HttpClient;
let qdrant: StandInQdrant;
let restorer: Restorer;
let captured: Captured;
let atCapture: unknown;
let undo: string;
let rounds = 0;

/** Of two workspaces of the target, and one of somebody else. */
const fill = (mark = ''): void => {
  qdrant.collections.clear();
  for (const workspace of ['library', 'papers', 'others'])
    qdrant.fill(chunks, workspace, ['chunk-1', 'chunk-2', 'chunk-3'], `${workspace} ${mark}`);
  qdrant.fill(entities, 'library', ['ent-1', 'ent-2'], mark);
  qdrant.fill(notes, '', ['n-1'], mark);
  qdrant.aliases.set('vectors', chunks);
};

/** Everything that came after the point. */
const change = (): void => {
  fill('changed');
  qdrant.fill(chunks, 'library', ['chunk-new']);
  qdrant.fill(chunks, 'newcomer', ['chunk-1']);
  qdrant.fill(entities, 'papers', ['ent-new']);
  qdrant.aliases.delete('vectors');
};

const pointsOf = (collection: string, workspace: string) =>
  [...(qdrant.collections.get(collection)?.values() ?? [])]
    .filter(({ payload }) => payload.workspace_id === workspace)
    .map(({ id, payload }) => `${id} ${payload.id} ${payload.content}`)
    .sort();
const leftAtServer = () => ({
  snapshots: [...qdrant.snapshots.values()].flatMap((kept) => [...kept.keys()]),
  collections: [...qdrant.collections.keys()].filter((name) => name.startsWith('ragwarden')),
});
const nothing = { snapshots: [], collections: [] };

beforeAll(() => {
  http = createHttpClient();
});
beforeEach(async () => {
  await qdrant?.close();
  qdrant = await startStandInQdrant();
  rounds += 1;
  undo = join(folder, `undo-${rounds}`);
  fill();
  const own = createOwnSnapshots(join(folder, `own-${rounds}.json`));
  const place = { url: qdrant.url, apiKey: undefined, timeoutMs: 5_000 };
  const workspaces = () => ['library', 'papers'];
  const source = createQdrantSource({ name: 'qdrant', http, place, named: [notes], workspaces, own });
  captured = await captureWhole(source, join(folder, 'into'));
  atCapture = qdrant.content();
  restorer = createQdrantRestorer({ name: 'qdrant', http, place, own, named: (one) => one, folder: undo });
});
afterAll(async () => {
  await qdrant?.close();
  await http.close();
  rmSync(folder, { recursive: true, force: true });
});

const request = (scope: RestoreScope = {}) => requestOf(captured, scope);
const restore = async (scope: RestoreScope = {}, operationId = 'op_1') => {
  const { context } = contextOf(folder, captured);
  const asked = requestOf(captured, scope, operationId);
  return inScratch(context, async () => {
    await restorer.prepare(asked, context);
    await restorer.commit(asked, context);
    await restorer.verify(asked, context);
    return restorer.finish(asked, context);
  });
};

test('a collection that is shared goes back point by point, others whole, and nobody else’s points move', async () => {
  change();
  const plan = await restorer.plan(request(), never);
  expect(plan).toMatchObject({ blockers: [], place: expect.stringContaining('Qdrant at 127.0.0.1') });
  expect(plan.items).toMatchObject([
    { name: chunks, action: 'replace', reason: expect.stringContaining('exchanged'), oldRows: 7, newRows: 6 },
    // Its only stranger is a workspace of the target.
    { name: entities, action: 'replace', reason: expect.stringContaining('takes the place'), oldRows: 3, newRows: 2 },
    { name: notes, reason: expect.stringContaining('takes the place'), oldRows: 1, newRows: 1 },
  ]);
  expect(plan.warnings.join('; ')).toContain(`4 points of ${chunks}`);
  const kept = await restore();
  for (const workspace of ['library', 'papers']) expect(pointsOf(chunks, workspace)).toHaveLength(3);
  expect(pointsOf(chunks, 'library').join()).not.toMatch(/changed|chunk-new/);
  expect(pointsOf(chunks, 'others').join()).toContain('changed');
  expect(pointsOf(chunks, 'newcomer')).toHaveLength(1);
  expect(pointsOf(entities, 'papers')).toEqual([]);
  expect(qdrant.aliases.get('vectors')).toBe(chunks);
  expect(leftAtServer()).toEqual(nothing);
  expect(kept).toBe(join(undo, 'qdrant', 'op_1'));
  expect(readdirSync(kept ?? '').filter((name) => name.endsWith('.snapshot'))).toHaveLength(3);
});

test('a collection that was the target’s alone, and is shared now, goes back point by point too', async () => {
  fill('changed');
  qdrant.fill(entities, 'newcomer', ['ent-1']);
  const { items } = await restorer.plan(request(), never);
  expect(items).toContainEqual(
    expect.objectContaining({ name: entities, reason: expect.stringContaining('exchanged'), oldRows: 2, newRows: 2 }),
  );
  await restore();
  expect(pointsOf(entities, 'newcomer')).toHaveLength(1);
  expect(pointsOf(entities, 'library').join()).not.toContain('changed');
});

test('onto a server that has nothing it makes the collections with the target’s points and aliases alone', async () => {
  qdrant.collections.clear();
  qdrant.aliases.clear();
  await restore();
  expect(pointsOf(chunks, 'library')).toHaveLength(3);
  expect(pointsOf(chunks, 'others')).toEqual([]);
  expect(qdrant.collections.get(notes)?.size).toBe(1);
  expect([...qdrant.aliases]).toEqual([['vectors', chunks]]);
  expect(leftAtServer()).toEqual(nothing);
});

test('one workspace goes back alone, or under another name with ids of that name', async () => {
  captured = {
    ...captured,
    result: {
      ...captured.result,
      restore: JSON.parse(JSON.stringify(captured.result.restore), (key, value) =>
        key === 'collections' ? value.filter((one: { name: string }) => one.name !== notes) : value,
      ),
    },
  };
  const before = pointsOf(chunks, 'library');
  change();
  const papers = pointsOf(chunks, 'papers');
  await restore({ workspace: 'library' });
  expect(pointsOf(chunks, 'library')).toEqual(before);
  expect(pointsOf(chunks, 'papers')).toEqual(papers);
  await restore({ workspace: 'library', asWorkspace: 'library_then' }, 'op_2');
  const then = pointsOf(chunks, 'library_then');
  expect(then.map((one) => one.replace(/^\S+ /, '')).sort()).toEqual(
    before.map((one) => one.replace(/^\S+ /, '')).sort(),
  );
  expect(then.every((one) => !before.includes(one))).toBe(true);
  expect(pointsOf(chunks, 'library')).toEqual(before);
  await expect(restore({ workspace: 'nobody' }, 'op_3')).rejects.toThrow(/holds no vectors of the workspace "nobody"/);
});

test('beside the living ones it becomes collections of another name, and of what is there nothing moves', async () => {
  change();
  const before = qdrant.content();
  await restore({ aside: 'then' });
  expect(pointsOf(`${chunks}_then`, 'library')).toHaveLength(3);
  expect(pointsOf(`${chunks}_then`, 'others')).toEqual([]);
  const plan = await restorer.plan(request({ aside: 'then' }), never);
  expect(plan.blockers.join()).toContain(`there is a collection ${chunks}_then already`);
  await expect(restore({ aside: 'then' }, 'op_2')).rejects.toThrow(/already/);
  for (const name of [chunks, entities, notes]) qdrant.collections.delete(`${name}_then`);
  expect(qdrant.content()).toEqual(before);
});

test.each([
  'qdrant:staged',
  'qdrant:prepared',
  'qdrant:begun',
  'qdrant:exchanged',
  'qdrant:moving',
  'qdrant:committed',
])('killed at %s it is undone to the last point, by a later life as well, and twice', async (step) => {
  change();
  const before = qdrant.content();
  const dying = contextOf(folder, captured, { step, time: 1 });
  await inScratch(dying.context, async () => {
    await expect(
      restorer.prepare(request(), dying.context).then(() => restorer.commit(request(), dying.context)),
    ).rejects.toBe(killed);
  });
  const { context } = contextOf(folder, captured);
  const committed = step === 'qdrant:committed';
  expect(await restorer.state(request(), never)).toBe(
    step === 'qdrant:staged' ? 'none' : committed ? 'committed' : 'prepared',
  );
  for (let again = 0; again < 2; again += 1) await restorer.undo(request(), context);
  // An alias that was missing was made; it leads where it led at the point.
  qdrant.aliases.delete('vectors');
  expect(qdrant.content()).toEqual(before);
  expect(leftAtServer()).toEqual(nothing);
  expect(await restorer.state(request(), never)).toBe('none');
});

test('killed in the middle it is also gone on with, and an undo that was killed is done again', async () => {
  change();
  const before = qdrant.content();
  const dying = contextOf(folder, captured, { step: 'qdrant:exchanged', time: 1 });
  await inScratch(dying.context, async () => {
    await restorer.prepare(request(), dying.context);
    await expect(restorer.commit(request(), dying.context)).rejects.toBe(killed);
  });
  const { context } = contextOf(folder, captured);
  await restorer.commit(request(), context);
  await restorer.commit(request(), context);
  await restorer.verify(request(), context);
  const undoing = contextOf(folder, captured, { step: 'qdrant:exchanged', time: 1 });
  await expect(restorer.undo(request(), undoing.context)).rejects.toBe(killed);
  await restorer.undo(request(), context);
  qdrant.aliases.delete('vectors');
  expect(qdrant.content()).toEqual(before);
});

test('a server that reads something else out of a snapshot has nothing living touched', async () => {
  change();
  const before = qdrant.content();
  qdrant.mishaps.answer = (method, path) =>
    method === 'POST' && path === '/collections/ragwarden_op_1_0/points/count'
      ? { status: 200, body: { result: { count: 1 }, status: 'ok', time: 0 } }
      : undefined;
  await expect(restore()).rejects.toThrow(/made 1 points of the snapshot of .*, which holds 9/);
  qdrant.mishaps = {};
  await restorer.undo(request(), contextOf(folder, captured).context);
  expect(qdrant.content()).toEqual(before);
  expect(leftAtServer()).toEqual(nothing);
});

test('what others began to use after the preparation is not taken from them, by the restore or by its undo', async () => {
  fill('changed');
  qdrant.collections.delete(chunks);
  const { context } = contextOf(folder, captured);
  await inScratch(context, async () => {
    await restorer.prepare(request(), context);
    // One is the target's alone no more, and one that was not there is there.
    qdrant.fill(entities, 'others', ['ent-others']);
    qdrant.fill(chunks, 'others', ['chunk-others']);
    await restorer.commit(request(), context);
    await restorer.verify(request(), context);
  });
  const strangers = () => [pointsOf(entities, 'others').length, pointsOf(chunks, 'others').length];
  expect([pointsOf(entities, 'library').length, pointsOf(chunks, 'library').length]).toEqual([2, 3]);
  expect(strangers()).toEqual([1, 1]);
  await restorer.undo(request(), context);
  expect(strangers()).toEqual([1, 1]);
  expect(pointsOf(entities, 'library').join()).toContain('changed');
  expect(pointsOf(chunks, 'library')).toEqual([]);
  expect(leftAtServer()).toEqual(nothing);
});

test('of a collection that the restore made its undo leaves what others put there since', async () => {
  qdrant.collections.clear();
  qdrant.aliases.clear();
  const { context } = contextOf(folder, captured);
  await inScratch(context, async () => {
    await restorer.prepare(request(), context);
    await restorer.commit(request(), context);
  });
  qdrant.fill(chunks, 'others', ['chunk-others']);
  await restorer.undo(request(), context);
  expect([pointsOf(chunks, 'others').length, pointsOf(chunks, 'library').length]).toEqual([1, 0]);
  expect([qdrant.collections.has(entities), qdrant.collections.has(notes)]).toEqual([false, false]);
});

test('points that are gone after the exchange are found', async () => {
  const { context } = contextOf(folder, captured);
  qdrant.collections.get(entities)?.clear();
  await expect(restorer.verify(request(), context)).rejects.toThrow(
    /lightrag_vdb_entities\S+ has 0 points instead of 2/,
  );
});

test('the next restore takes away what the one before kept', async () => {
  await restore();
  await restore({}, 'op_2');
  expect(readdirSync(join(undo, 'qdrant'))).toEqual(['op_2']);
});

test('a rehearsal compares every byte, and says that no server read it', async () => {
  const { context } = contextOf(folder, captured);
  mkdirSync(context.scratchDir, { recursive: true });
  const good = await restorer.rehearse(request(), context);
  expect(good).toMatchObject({ problems: [], facts: { rehearsed: expect.stringContaining('only a Qdrant reads') } });
  const [first = ''] = captured.streams.keys();
  const spoilt = { ...captured, streams: new Map([...captured.streams, [first, Buffer.from('other')]]) };
  const bad = await restorer.rehearse(request(), {
    ...contextOf(folder, spoilt).context,
    scratchDir: context.scratchDir,
  });
  expect(bad.problems).toHaveLength(1);
  expect(qdrant.content()).toEqual(atCapture);
});

test.each<[string, string, 'blocker' | 'warning' | undefined]>([
  ['1.15.4', '1.15.0', undefined],
  ['1.16.0', '1.15.4', undefined],
  ['1.17.0', '1.15.4', 'warning'],
  ['2.0.0', '1.15.4', 'warning'],
  ['1.14.9', '1.15.4', 'blocker'],
])('a server %s and a point of %s: %s', (server, point, found) => {
  expect(Object.keys(judgeVersions(server, point))).toEqual(found === undefined ? [] : [found]);
});

test('an older server and a spread one are refused before anything is done', async () => {
  qdrant.version = '1.10.0';
  qdrant.peers = 2;
  const { blockers } = await restorer.plan(request({ workspace: 'library' }), never);
  expect(blockers.join('; ')).toMatch(/notes is not told apart by workspace.*older server.*spread over 2 servers/);
});
