import { afterEach, expect, test } from 'vitest';
import { openTestState, type TestState } from '../../migrations/test-state.ts';
import { createDocumentStore } from './document-store.ts';

let state: TestState;
afterEach(() => state.remove());

test('counts add up by outcome and cause, and go no further than what was counted, each workspace for itself', async () => {
  state = await openTestState();
  const store = createDocumentStore(state.db);
  const [here, there] = ['', 'other'].map((workspace) => ({ targetId: 'default', workspace }));
  if (!here || !there) throw new Error('two places');
  expect(await store.read(here)).toBeUndefined();
  const write = (upToMs: number, documents: number, nowMs: number) =>
    state.db.unit((tx) =>
      store.write(
        tx,
        here,
        { upToMs, recent: [`${upToMs} doc-ü`] },
        [
          { outcome: 'processed', cause: null, documents },
          { outcome: 'failed', cause: 'timeout', documents: 1 },
        ],
        nowMs,
      ),
    );
  await write(1_790_000_000_000, 2, 7);
  await write(1_790_000_000_123, 3, 8);
  await state.db.unit((tx) => store.write(tx, there, { upToMs: 0, recent: [] }, [], 9));
  const found = await store.read(here);
  expect(found).toMatchObject({
    counted: { upToMs: 1_790_000_000_123, recent: ['1790000000123 doc-ü'] },
    // Since the first look, whatever comes later.
    sinceMs: 7,
  });
  expect(found?.totals).toHaveLength(2);
  expect(found?.totals).toEqual(
    expect.arrayContaining([
      { outcome: 'processed', cause: null, documents: 5 },
      { outcome: 'failed', cause: 'timeout', documents: 2 },
    ]),
  );
  expect(await store.read(there)).toEqual({ counted: { upToMs: 0, recent: [] }, sinceMs: 9, totals: [] });
});

test('what a unit of work took back was not counted', async () => {
  state = await openTestState();
  const store = createDocumentStore(state.db);
  const place = { targetId: 'default', workspace: '' };
  const ended = [{ outcome: 'processed' as const, cause: null, documents: 1 }];
  await expect(
    state.db.unit(async (tx) => {
      await store.write(tx, place, { upToMs: 5, recent: [] }, ended, 1);
      throw new Error('the disk is full');
    }),
  ).rejects.toThrow('the disk is full');
  expect(await store.read(place)).toBeUndefined();
});
