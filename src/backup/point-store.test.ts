import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { idMeantBy, type RecoveryPoint } from './point.ts';
import { createPointStore, type PointStore } from './point-store.ts';

let state: TestState;
let points: PointStore;
beforeEach(async () => {
  state = await openTestState();
  points = createPointStore(state.db);
});
afterEach(() => state.remove());

const point = (id: string, more: Partial<RecoveryPoint> = {}): RecoveryPoint => ({
  id,
  targetId: 'default',
  scope: 'target',
  workspace: null,
  cause: 'manual',
  status: 'success',
  grade: 'consistent',
  takenMs: 1_000,
  startedMs: 900,
  finishedMs: 1_200,
  verifiedMs: 1_300,
  forgottenMs: null,
  repositoryId: 'r1',
  treeId: 't1',
  logicalBytes: 9_007_199_254_740_991,
  storedBytes: 5,
  manifest: null,
  error: null,
  pinned: true,
  operationId: 'op_1',
  ...more,
});
const insert = (...many: RecoveryPoint[]): Promise<void> =>
  state.db.unit(async (tx) => {
    for (const one of many) await points.insert(tx, one);
  });
const ids = (found: readonly RecoveryPoint[]): string[] => found.map((one) => one.id);

test('a point comes back as it was written, also after a restart', async () => {
  const empty = point('b', { grade: null, finishedMs: null, verifiedMs: null, treeId: null, pinned: false });
  await insert(point('a'), empty);
  points = createPointStore(await state.reopen());
  expect(await points.find('a')).toEqual(point('a'));
  expect(await points.find('b')).toEqual(empty);
  expect(await points.find('c')).toBeUndefined();
});

test('points are listed newest first, those of one moment by id byte by byte, page by page', async () => {
  await insert(point('a_1'), point('aB1'), point('ab1'), point('a-1'), point('z', { takenMs: 2_000 }));
  const all = await points.list({ limit: 10 });
  expect(ids(all)).toEqual(['z', 'ab1', 'a_1', 'aB1', 'a-1']);
  const paged: string[] = [];
  for (let before: { atMs: number; id: string } | undefined; ; ) {
    const page = await points.list({ limit: 2, before });
    paged.push(...ids(page));
    const last = page.at(-1);
    if (!last) break;
    before = { atMs: last.takenMs, id: last.id };
  }
  expect(paged).toEqual(ids(all));
});

test('lists, counts and the newest keep to the target, to what exists and to what is not forgotten', async () => {
  await insert(
    point('old', { takenMs: 1 }),
    point('other', { targetId: 'b', takenMs: 9 }),
    point('failed', { status: 'error', takenMs: 8 }),
    point('gone', { forgottenMs: 1, takenMs: 7 }),
    point('partial', { status: 'partial', takenMs: 6 }),
    point('unverified', { verifiedMs: null, takenMs: 5 }),
  );
  expect(await points.count('default')).toBe(3);
  expect((await points.newest('default'))?.id).toBe('partial');
  expect((await points.newest('default', 'good'))?.id).toBe('old');
  // What a restore gave up is good, and not what anybody wants back unasked.
  await insert(point('given-up', { cause: 'safety', takenMs: 2 }), point('of-b', { targetId: 'b', cause: 'safety' }));
  expect((await points.newest('default', 'good'))?.id).toBe('given-up');
  expect((await points.newest('default', 'wanted'))?.id).toBe('old');
  await state.db.unit(async (tx) => {
    for (const id of ['given-up', 'of-b']) await points.update(tx, id, { forgottenMs: 1 });
  });
  expect(ids(await points.list({ targetId: 'default', limit: 10 }))).toEqual([
    'failed',
    'partial',
    'unverified',
    'old',
  ]);
  expect(ids(await points.list({ statuses: ['error'], limit: 10 }))).toEqual(['failed']);
  expect(ids(await points.list({ targetId: 'default', withForgotten: true, limit: 2 }))).toEqual(['failed', 'gone']);
});

test('what was begun in a second is found by it, as the documents write ids', async () => {
  const second = 'backup_20261122_093000';
  await insert(...[`${second}_x7k2`, `${second}_b000`, 'backup_20261122_093001_x7k2'].map((id) => point(id)));
  expect(await points.idsBegunIn(second)).toEqual([`${second}_b000`, `${second}_x7k2`]);
  const meant = async (asked: string) => idMeantBy(asked, await points.idsBegunIn(asked));
  expect(await meant('backup_20261122_093001')).toBe('backup_20261122_093001_x7k2');
  expect(await meant('backup_20230101_120000')).toBe('backup_20230101_120000');
  await expect(meant(second)).rejects.toThrow(/name one: backup_20261122_093000_b000, backup_20261122_093000_x7k2/);
});

test('a change touches what it names, in the unit it belongs to', async () => {
  await insert(point('a'), point('b'));
  await state.db.unit((tx) =>
    points.update(tx, 'a', { status: 'partial', pinned: false, error: 'ünï \0 🗂', grade: null }),
  );
  await state.db.unit((tx) => points.update(tx, 'a', {}));
  const undone = state.db.unit(async (tx) => {
    await points.update(tx, 'b', { forgottenMs: 5 });
    throw new Error('undone');
  });
  await expect(undone).rejects.toThrow('undone');
  expect(await points.find('a')).toEqual(
    point('a', { status: 'partial', pinned: false, error: 'ünï \0 🗂', grade: null }),
  );
  expect(await points.find('b')).toEqual(point('b'));
});

test('a setting is written over, read after a restart, and can be taken away', async () => {
  await state.db.unit((tx) => points.writeSetting(tx, 'schedule', 'on'));
  await state.db.unit((tx) => points.writeSetting(tx, 'schedule', 'off'));
  points = createPointStore(await state.reopen());
  expect(await points.readSetting('schedule')).toBe('off');
  await state.db.unit((tx) => points.deleteSetting(tx, 'schedule'));
  expect(await points.readSetting('schedule')).toBeUndefined();
});

test('the timeline has every run since then, newest first, whatever became of it', async () => {
  await insert(
    point('backup_a', { takenMs: 1_000 }),
    point('backup_b', { takenMs: 2_000, status: 'error', grade: null, verifiedMs: null, pinned: false }),
    point('backup_c', { takenMs: 3_000, forgottenMs: 4_000 }),
    point('backup_d', { takenMs: 3_500, targetId: 'other' }),
  );
  const rows = await points.timeline({ targetId: 'default', fromMs: 2_000, limit: 10 });
  expect(rows).toEqual([
    expect.objectContaining({
      id: 'backup_c',
      status: 'success',
      grade: 'consistent',
      pinned: true,
      forgottenMs: 4_000,
    }),
    expect.objectContaining({ id: 'backup_b', status: 'error', grade: null, pinned: false, verifiedMs: null }),
  ]);
  expect(await points.timeline({ targetId: 'default', fromMs: 0, limit: 1 })).toHaveLength(1);
});

test('the newest is none that is dated in the future, unless there is no other', async () => {
  let nowMs = 1_000_000;
  points = createPointStore(state.db, () => nowMs);
  await insert(point('ahead', { takenMs: 9_000_000 }), point('doubtful', { verifiedMs: null, takenMs: 3_000 }));
  expect((await points.newest('default', 'good'))?.id).toBe('ahead');
  expect((await points.newest('default'))?.id).toBe('doubtful');
  await insert(point('good'));
  expect((await points.newest('default', 'good'))?.id).toBe('good');
  nowMs = 10_000_000;
  expect((await points.newest('default', 'good'))?.id).toBe('ahead');
});
