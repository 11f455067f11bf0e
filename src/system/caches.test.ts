import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEventLog, type EventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { type Cache, createCaches } from './caches.ts';

const clock = createFakeClock();
let state: TestState;
let events: EventLog;
const held = new Map<string, number>();

const cache = (id: string, more: Partial<Cache> = {}): Cache => ({
  id,
  about: id,
  consequence: `${id} is made again.`,
  dear: false,
  measure: async () => ({ bytes: held.get(id) ?? 0, entries: (held.get(id) ?? 0) / 10 }),
  async clear() {
    held.set(id, 0);
  },
  ...more,
});
const make = (...caches: Cache[]) => createCaches({ caches, db: state.db, events, clock });
const clear = (ids: string[] | undefined, confirm = false) => ({
  ids,
  confirm,
  actor: 'local:me',
  signal: new AbortController().signal,
});

beforeEach(async () => {
  state = await openTestState();
  events = createEventLog({ db: state.db, clock, instance: 'warden' });
  for (const id of ['a', 'b', 'dear']) held.set(id, 100);
});
afterEach(() => state.remove());

test('what costs nothing dear is cleared when nothing is named; what came free was measured', async () => {
  const caches = make(cache('a'), cache('b'), cache('dear', { dear: true }));
  expect(await caches.clear(clear(undefined))).toEqual([
    { id: 'a', bytesFreed: 100, entriesCleared: 10, error: null },
    { id: 'b', bytesFreed: 100, entriesCleared: 10, error: null },
  ]);
  expect(held.get('dear')).toBe(100);
  expect((await caches.list()).map(({ id, bytes, lastClearedMs }) => [id, bytes, lastClearedMs])).toEqual([
    ['a', 0, clock.now()],
    ['b', 0, clock.now()],
    ['dear', 100, null],
  ]);
  expect(await events.listAudit({ limit: 1 })).toMatchObject([
    { actor: 'local:me', action: 'system.clear-caches', object: 'a,b', outcome: 'done' },
  ]);
});

test('a dear one needs a confirmation, which tells the consequence, and nothing is cleared without it', async () => {
  const caches = make(cache('a'), cache('dear', { dear: true }));
  await expect(caches.clear(clear(['a', 'dear']))).rejects.toMatchObject({
    code: 'conflict/confirmation-required',
    detail: expect.stringContaining('dear is made again.'),
  });
  await expect(caches.clear(clear(['a', 'nothing']))).rejects.toMatchObject({ code: 'request/invalid' });
  expect([...held.values()]).toEqual([100, 100, 100]);
  expect(await caches.clear(clear(['dear'], true))).toMatchObject([{ id: 'dear', bytesFreed: 100 }]);
});

test('one that fails is told and is no success; the others are cleared; no number is invented', async () => {
  const failing = cache('a', {
    clear: () => Promise.reject(new Error('the backend is away')),
    measure: () => Promise.reject(new Error('no')),
  });
  const caches = make(failing, cache('b'));
  expect(await caches.clear(clear(undefined))).toEqual([
    { id: 'a', bytesFreed: null, entriesCleared: null, error: 'the backend is away' },
    { id: 'b', bytesFreed: 100, entriesCleared: 10, error: null },
  ]);
  expect((await caches.list())[0]).toMatchObject({ bytes: null, entries: null, lastClearedMs: null });
  expect(await events.list({ limit: 1 })).toMatchObject([{ type: 'system.caches-failed', severity: 'warning' }]);
  expect(await events.listAudit({ limit: 1 })).toMatchObject([{ outcome: 'failed' }]);
});
