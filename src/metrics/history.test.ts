import { afterEach, expect, test, vi } from 'vitest';
import { openTestMetrics } from '../migrations/test-state.ts';
import { type Clock, systemClock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { type Logger, silentLogger } from '../platform/logging.ts';
import { createBlockStore, type TierName } from './block-store.ts';
import { createMetricHistory, type HistorySettings } from './history.ts';
import { createRecorder } from './recorder.ts';
import { createMetricRegistry } from './registry.ts';
import { defaultRetention } from './tiers.ts';
import { createValueLog } from './value-log.ts';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function openMetricsDatabase(): Promise<Database> {
  const { db, remove } = await openTestMetrics();
  cleanUps.push(remove);
  return db;
}

/** A clock that stands still until it is moved. */
const heldClock = (nowMs: number): Clock & { at: number } => {
  const clock = { ...systemClock, at: nowMs, now: () => clock.at };
  return clock;
};

async function newHistory(
  options: { db?: Database; log?: Logger; clock?: Clock; settings?: Partial<HistorySettings> } = {},
) {
  const db = options.db ?? (await openMetricsDatabase());
  const clock = options.clock ?? systemClock;
  const registry = createMetricRegistry({ clock });
  const valueLog = createValueLog();
  const recorder = createRecorder({ registry, clock, values: valueLog });
  const history = createMetricHistory({
    registry,
    recorder,
    valueLog,
    db,
    clock,
    log: options.log ?? silentLogger,
    instance: 'i1',
    settings: options.settings,
  });
  return { db, registry, recorder, history };
}

const placesIn = (db: Database, tier: TierName) => createBlockStore(db).overlapping(tier, 0, 1e14);

test('what was sampled can be read, before and after it was flushed, and by another process', async () => {
  const clock = heldClock(1_000_000);
  const { db, registry, history } = await newHistory({ clock });
  const runs = registry.counter({ name: 'runs_total', help: 'Runs.', labels: ['target'] });
  const level = registry.gauge({ name: 'level', help: 'Level.' });
  const took = registry.histogram({ name: 'took_seconds', help: 'Time.' });
  runs.labels('a').inc();
  await history.sampleOnce();
  clock.at += 5_000;
  runs.labels('a').inc(2);
  runs.labels('b').inc();
  level.set(7);
  took.observe(0.25);
  await history.sampleOnce();
  const read = async () => ({
    a: (await history.readSeries('runs_total', { target: 'a' }, 0, 2_000_000)).map((s) => s.samples),
    all: (await history.readSeries('runs_total', undefined, 0, 2_000_000)).map((s) => s.labels),
    level: (await history.readSeries('level', undefined, 0, 2_000_000)).map((s) => s.samples),
    sum: (await history.readSeries('took_seconds_sum', undefined, 1_005_000, 1_005_000)).map((s) => s.samples),
    late: await history.readSeries('level', undefined, 1_005_001, 2_000_000),
  });
  const before = await read();
  expect(before).toEqual({
    a: [
      [
        // It was counted before it was first seen, and began at zero.
        { atMs: 999_999, value: 0 },
        { atMs: 1_000_000, value: 1 },
        { atMs: 1_005_000, value: 3 },
      ],
    ],
    all: [{ target: 'a' }, { target: 'b' }],
    level: [[{ atMs: 1_005_000, value: 7 }]],
    sum: [[{ atMs: 1_005_000, value: 0.25 }]],
    late: [],
  });
  await history.flushOnce();
  expect(await read()).toEqual(before);
  const later = await newHistory({ db, clock });
  expect((await later.history.readSeries('level', undefined, 0, 2_000_000)).map((s) => s.samples)).toEqual(
    before.level,
  );
});

test('what waits of a series that ends stays its own, also when another one takes its place at once', async () => {
  const clock = heldClock(1_000_000);
  const { recorder, history } = await newHistory({ clock });
  const level = recorder.gauge({ name: 'used' });
  const took = recorder.histogram({ name: 'took' });
  const batch = { count: 1, sum: 3, min: 3, max: 3, values: [3], counts: [1] };
  for (const [pod, value] of [
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ] as const) {
    recorder.take(level.labels({ pod }), 900_000 + value, value);
    recorder.take(took.labels({ pod }), 900_000, { ...batch, sum: value, min: value, max: value, values: [value] });
    if (pod !== 'c') for (const one of [level, took]) one.remove({ pod });
  }
  // Forgotten on purpose.
  recorder.reset({ pod: 'c' });
  await history.sampleOnce();
  expect(await history.readSeries('used', undefined, 0, 2_000_000)).toMatchObject([
    { labels: { pod: 'a' }, samples: [{ atMs: 900_001, value: 1 }] },
    { labels: { pod: 'b' }, samples: [{ atMs: 900_002, value: 2 }] },
  ]);
  const { series } = await history.query({ name: 'took', aggregation: 'sum', fromMs: 800_000, toMs: 1_000_000 });
  expect(series).toEqual([
    { labels: expect.objectContaining({ pod: 'a' }), values: [1] },
    { labels: expect.objectContaining({ pod: 'b' }), values: [2] },
  ]);
});

test('a restart within ten minutes continues beside the earlier block, not over it', async () => {
  const clock = heldClock(1_000_000);
  const first = await newHistory({ clock });
  first.registry.gauge({ name: 'level', help: 'Level.' }).set(1);
  await first.history.sampleOnce();
  await first.history.stop?.();
  clock.at += 20_000;
  const second = await newHistory({ clock, db: first.db });
  second.registry.gauge({ name: 'level', help: 'Level.' }).set(2);
  await second.history.sampleOnce();
  await second.history.flushOnce();
  const [series] = await second.history.readSeries('level', undefined, 0, 2_000_000);
  expect(series?.samples.map((s) => s.value)).toEqual([1, 2]);
});

test('blocks of ten minutes follow each other, also when the clock is set back', async () => {
  const clock = heldClock(10_000_000);
  const { db, registry, history } = await newHistory({ clock });
  const level = registry.gauge({ name: 'level', help: 'Level.' });
  for (const [step, value] of [
    [0, 1],
    [599_999, 2],
    [1, 3],
    [-300_000, 4],
    [0, 5],
  ] as const) {
    clock.at += step;
    level.set(value);
    await history.sampleOnce();
  }
  await history.flushOnce();
  expect((await placesIn(db, 'raw')).map((place) => place.startMs).sort()).toEqual([
    10_000_000, 10_300_000, 10_600_000,
  ]);
  const [series] = await history.readSeries('level', undefined, 0, 20_000_000);
  expect(series?.samples.map((s) => s.value)).toEqual([1, 5, 2, 3]);
});

test('a damaged block is left out, counted and said once; its neighbours are read', async () => {
  const clock = heldClock(1_000_000);
  const warn = vi.fn();
  const { db, registry, history } = await newHistory({
    clock,
    log: { ...silentLogger, warn, child: () => silentLogger },
  });
  registry.gauge({ name: 'level', help: 'Level.' }).set(1);
  await history.sampleOnce();
  await history.flushOnce();
  await createBlockStore(db).put('raw', {
    instance: 'i0',
    startMs: 900_000,
    firstMs: 900_000,
    lastMs: 1_000_000,
    items: 1,
    payload: Buffer.from('\u0001rubbish'),
  });
  for (let i = 0; i < 2; i += 1)
    expect((await history.readSeries('level', undefined, 0, 2_000_000)).map((s) => s.instance)).toEqual(['i1']);
  expect(warn).toHaveBeenCalledTimes(1);
  expect(
    registry.families().find((f) => f.definition.name === 'ragwarden_metrics_damaged_blocks_total')?.values[1],
  ).toBe(1);
});

test('what cannot be stored waits, is bounded, and is counted when it is given up', async () => {
  const clock = heldClock(1_000_000);
  const { db, registry, history } = await newHistory({ clock });
  registry.gauge({ name: 'level', help: 'Level.' }).set(1);
  await db.close();
  for (let i = 0; i < 8; i += 1) {
    clock.at += 600_000;
    await history.sampleOnce();
  }
  await expect(history.flushOnce()).rejects.toThrow();
  expect(
    registry.families().find((f) => f.definition.name === 'ragwarden_metrics_lost_samplings_total')?.values[1],
  ).toBe(2);
  await history.stop?.();
});

test('blocks past their retention are deleted', async () => {
  const clock = heldClock(1_000_000);
  const { db, registry, history } = await newHistory({
    clock,
    settings: { retention: { ...defaultRetention, raw: 1_000_000 } },
  });
  registry.gauge({ name: 'level', help: 'Level.' }).set(1);
  await history.sampleOnce();
  await history.flushOnce();
  clock.at += 1_000_001;
  await history.sampleOnce();
  await history.flushOnce();
  await history.cleanUpOnce();
  expect((await placesIn(db, 'raw')).map((place) => place.startMs)).toEqual([2_000_001]);
});

test('started, it samples by itself and stores everything when it stops', async () => {
  const { db, registry, history } = await newHistory();
  const sampled = new Promise<void>((resolve) =>
    registry.collector({ name: 'seen', sets: [], collect: () => resolve() }),
  );
  registry.gauge({ name: 'level', help: 'Level.' }).set(1);
  await history.start?.(new AbortController().signal);
  await sampled;
  await history.stop?.();
  await history.stop?.();
  expect(await placesIn(db, 'raw')).toHaveLength(1);
});
