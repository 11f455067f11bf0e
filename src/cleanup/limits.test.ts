import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { createFakeClock } from '../platform/fake-clock.ts';
import type { Budget, Containment, PlanItem } from './plan.ts';
import { noBudget, notData } from './plan.ts';
import { type CleanupStrategy, notItsTurn } from './strategy.ts';
import { holds, openTestCleanup, type TestCleanup } from './test-cleanup.ts';

let opened: TestCleanup | undefined;
afterEach(async () => {
  await opened?.remove();
  opened = undefined;
});

type Batch = readonly string[];

/** Items of a hundred bytes each; what was carried out together, and what `meanwhile` does before a batch ends. */
async function open(
  count: number,
  more: {
    contained?: (n: number) => Containment;
    meanwhile?: (batch: Batch, signal: AbortSignal) => Promise<unknown> | unknown;
    /** Has this target for itself. */
    target?: string;
    end?: () => Promise<void>;
  } = {},
) {
  const clock = createFakeClock();
  const batches: Batch[] = [];
  const strategy: CleanupStrategy = {
    ...{ name: 'made-up', about: '', undo: 'none', params: z.object({}) },
    target: () => more.target,
    find: async () => ({
      items: Array.from(
        { length: count },
        (_, n): PlanItem => ({
          ...{ key: `${n}`, what: `item ${n}`, why: 'old', bytes: 100, risk: 'low', seen: {} },
          contained: more.contained?.(n) ?? notData,
        }),
      ),
      kept: [],
      complete: true,
    }),
    begin: async (_, { signal }) => ({
      async carryOut(items) {
        const batch = items.map(({ key }) => key);
        batches.push(batch);
        await more.meanwhile?.(batch, signal);
        return items.map((_, at) => (signal.aborted && at > 0 ? notItsTurn : { done: true, bytes: 100 }));
      },
      end: more.end ?? (async () => undefined),
    }),
  };
  opened = await openTestCleanup(() => ({ strategies: [strategy] }), { clock });
  opened.settings = { ...opened.settings, batchSize: 3 };
  const { operations, cleanup, store, settings } = opened;
  const begin = (options: Partial<Parameters<typeof cleanup.run>[1]> = {}) =>
    cleanup.run({ strategy: 'made-up', params: {} }, { requestedBy: 'tester', ...options });
  const ended = async (id: string) => {
    await operations.wait(id);
    const [run] = await store.listRuns({ limit: 1 });
    return run;
  };
  return { ...opened, clock, batches, begin, ended, settings };
}
const budget = (given: Partial<Budget>): { budget: Budget } => ({ budget: { ...noBudget, ...given } });

test('a plan is carried out in batches of the size that is set', async () => {
  const { batches, begin, ended } = await open(8);
  expect(await ended((await begin()).id)).toMatchObject({ cleaned: 8, outcome: 'success', bytesFreed: 800 });
  expect(batches).toEqual([
    ['0', '1', '2'],
    ['3', '4', '5'],
    ['6', '7'],
  ]);
});

test.each<[string, Partial<Budget>, number]>([
  ['items', { items: 4 }, 4],
  ['bytes', { bytes: 550 }, 5],
])('a budget of %s is kept to the item, and the rest is handed to the next run', async (_, given, cleaned) => {
  const { begin, ended } = await open(8);
  const run = await ended((await begin(budget(given))).id);
  expect(run).toMatchObject({ cleaned, leftOver: 8 - cleaned, outcome: 'success' });
  expect(run?.message).toMatch(/handed back because its budget is spent/);
});

test('a budget in time begins no batch later than it says', async () => {
  const { begin, ended, clock, batches } = await open(8, { meanwhile: () => clock.advance(4_000) });
  const run = await ended((await begin(budget({ seconds: 8 }))).id);
  expect(batches).toHaveLength(2);
  expect(run).toMatchObject({ cleaned: 6, leftOver: 2 });
});

test('a budget in bytes a second rests after each batch for as long as it takes', async () => {
  const { begin, operations, clock, batches } = await open(8);
  const { id } = await begin(budget({ bytesPerSecond: 100 }));
  const beganMs = clock.monotonic();
  // Three hundred bytes at a hundred a second; only time that passes lets the next batch begin.
  const at: number[] = [];
  for (let seconds = 0; seconds <= 8; seconds += 1) {
    await expect.poll(() => batches.length).toBeGreaterThanOrEqual(Math.min(3, 1 + Math.floor(seconds / 3)));
    at.push(batches.length);
    await clock.advance(1_000);
  }
  expect(at).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3]);
  expect((await operations.wait(id)).state).toBe('succeeded');
  expect(clock.monotonic() - beganMs).toBeGreaterThanOrEqual(8_000);
});

test('with `only_contained` what the newest verified recovery point does not hold stays, and why is said', async () => {
  const states: readonly Containment[] = [
    holds,
    { state: 'missing', reason: 'it is younger' },
    { state: 'unknown', reason: 'nobody can tell' },
    notData,
  ];
  const { begin, operations, batches } = await open(4, { contained: (n) => states[n] ?? holds });
  const { result } = await operations.wait((await begin({ onlyContained: true })).id);
  expect(batches).toEqual([['0', '3']]);
  expect(result).toMatchObject({
    ...{ cleaned: 2, skipped: 2, failed: 0 },
    notes: [
      { what: 'item 1', why: 'not in the newest verified recovery point: it is younger' },
      { what: 'item 2', why: 'not in the newest verified recovery point: nobody can tell' },
    ],
  });
});

test('stopped, it finishes what is under way, hands the rest back, and the history says how far it came', async () => {
  let reached = (): void => undefined;
  const second = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const { begin, ended, operations, batches } = await open(8, {
    meanwhile(batch, signal) {
      if (batch[0] !== '3') return undefined;
      reached();
      return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    },
  });
  const { id } = await begin();
  await second;
  await operations.cancel(id);
  // Of the second batch the first was under way.
  expect(await ended(id)).toMatchObject({ outcome: 'cancelled', cleaned: 4, leftOver: 4, bytesFreed: 400 });
  expect(batches).toHaveLength(2);
});

test('whoever does not stop when told keeps its place: the same is not begun beside it, nor tried again', async () => {
  let let_go = (): void => undefined;
  let begun = false;
  const hangs = new Promise<void>((resolve) => {
    let_go = resolve;
  });
  const { begin, operations, clock, batches } = await open(1, {
    meanwhile() {
      begun = true;
      return hangs;
    },
  });
  const { id } = await begin({ timeoutMs: 30_000, retries: 3, retryDelayMs: 0 });
  await expect.poll(() => begun).toBe(true);
  await expect.poll(() => clock.advance(30_000).then(async () => (await operations.require(id)).state)).toBe('failed');
  await expect(begin()).rejects.toMatchObject({ code: 'operation/busy' });
  expect(batches).toHaveLength(1);
  let_go();
  await expect
    .poll(() =>
      begin().then(
        ({ state }) => state,
        () => undefined,
      ),
    )
    .toBeDefined();
});

test('stopped, it keeps its target until its end is through: nobody else works on it while the backend is being started', async () => {
  let started = (): void => undefined;
  const starts = new Promise<void>((resolve) => {
    started = resolve;
  });
  let ending = false;
  const { begin, operations, store, clock } = await open(1, {
    target: 'default',
    end() {
      ending = true;
      return starts;
    },
  });
  const other = () =>
    operations.start({
      ...{ kind: 'backup.create', targetId: 'default', input: {}, requestedBy: 'tester', run: async () => null },
    });
  const { id } = await begin();
  await expect.poll(() => ending).toBe(true);
  await operations.cancel(id);
  // Longer than anybody waits for it: the history has its end.
  await expect
    .poll(() => clock.advance(10_000).then(async () => (await store.listRuns({ limit: 1 }))[0]?.outcome))
    .not.toBeNull();
  for (let looks = 0; looks < 20; looks += 1) {
    await clock.advance(1_000);
    expect((await operations.require(id)).state).toBe('running');
  }
  await expect(other()).rejects.toMatchObject({ code: 'operation/busy' });
  started();
  await operations.wait(id);
  expect(await operations.wait((await other()).id)).toMatchObject({ state: 'succeeded' });
});

test('it pauses while the backend is under pressure, and goes on when that is over', async () => {
  const { begin, ended, clock, batches, operations } = await open(8, {
    meanwhile() {
      if (opened && batches.length === 1) opened.pressure = 'the backend answers slowly';
    },
  });
  const { id } = await begin({ cause: 'scheduled' });
  await expect.poll(async () => (await operations.require(id)).phase).toBe('paused');
  await clock.advance(10_000);
  expect(batches).toHaveLength(1);
  if (opened) opened.pressure = undefined;
  await expect
    .poll(() => clock.advance(1_000).then(async () => (await operations.require(id)).state))
    .toBe('succeeded');
  expect(await ended(id)).toMatchObject({ cleaned: 8, leftOver: 0 });
});
