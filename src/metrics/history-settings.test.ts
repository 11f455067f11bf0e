import { afterEach, expect, test } from 'vitest';
import { createBlockStore } from './block-store.ts';
import type { HistorySettings } from './history.ts';
import { heldClock, openMetrics, type TestMetrics } from './test-metrics.ts';

const opened: TestMetrics[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.remove();
});

const start = Date.UTC(2026, 0, 5);
async function newMetrics(settings: Partial<HistorySettings>) {
  const clock = heldClock(start);
  const made = await openMetrics({ clock, settings });
  opened.push(made);
  const { recorder, history } = made.metrics;
  return { ...made, clock, recorder, history, store: createBlockStore(made.db) };
}

test('the newest values of each metric are kept up to their number, whatever others there are', async () => {
  const { clock, recorder, history, store } = await newMetrics({ maxValues: 100 });
  for (let block = 0; block < 5; block += 1) {
    for (let i = 0; i < 60; i += 1) recorder.record({ name: 'often', value: block * 60 + i, use: 'gauge' });
    if (block === 0) recorder.record({ name: 'seldom_seen_alone', value: 1, use: 'gauge' });
    await history.flushOnce();
    clock.at += 600_001;
    // The next value begins another block.
    recorder.record({ name: 'between', value: 1, use: 'gauge' });
    await history.flushOnce();
    clock.at += 600_001;
  }
  const before = await store.items('values');
  await history.cleanUpOnce();
  const after = await store.items('values');
  expect(after).toBeLessThan(before - 100);
  const left = await history.values({ name: 'often', limit: 1_000 });
  expect(left.items.length).toBeGreaterThanOrEqual(100);
  expect(left.items.slice(0, 100).map(({ value }) => value)).toEqual(Array.from({ length: 100 }, (_, i) => 299 - i));
  // A block goes only when every metric in it has its number in younger ones.
  expect((await history.values({ name: 'seldom_seen_alone', limit: 10 })).items).toHaveLength(1);
  // However many went, the aggregates have them all.
  const count = { name: 'often', aggregation: 'count', fromMs: start - 1_000, toMs: clock.at, groupBy: [] } as const;
  expect((await history.query(count)).series[0]?.values).toEqual([300]);
});

test('compression is a choice that can change; blocks of either kind are read', async () => {
  const { clock, recorder, history, store } = await newMetrics({ compression: false });
  const bytes: number[] = [];
  for (const compression of [false, true]) {
    history.set({ compression });
    for (let i = 0; i < 200; i += 1) {
      recorder.record({ name: 'level', value: i, use: 'gauge', labels: { path: `/${i % 20}` } });
      clock.at += 1_000;
    }
    await history.sampleOnce();
    await history.flushOnce();
    clock.at += 600_000;
    await history.sampleOnce();
    await history.flushOnce();
    bytes.push((await store.bytes()) - (bytes[0] ?? 0));
  }
  expect(bytes[1]).toBeLessThan(bytes[0]! / 2);
  const count = { name: 'level', aggregation: 'count', fromMs: start, toMs: clock.at, groupBy: [] } as const;
  expect((await history.query(count)).series[0]?.values).toEqual([400]);
});

test('blocks that were read are kept for the next question, unless that is switched off', async () => {
  const { clock, recorder, history } = await newMetrics({});
  for (let i = 0; i < 5; i += 1) {
    recorder.record({ name: 'level', value: i, use: 'gauge' });
    await history.sampleOnce();
    await history.flushOnce();
    clock.at += 600_001;
  }
  await history.sampleOnce();
  await history.flushOnce();
  const ask = () => history.query({ name: 'level', aggregation: 'sum', fromMs: start, toMs: clock.at, groupBy: [] });
  const read = async (): Promise<number> => {
    const before = history.stats.blocksRead;
    expect((await ask()).series[0]?.values).toEqual([10]);
    return history.stats.blocksRead - before;
  };
  const first = await read();
  expect(first).toBeGreaterThan(4);
  expect(await read()).toBe(0);
  history.set({ caching: false });
  expect(await read()).toBe(first);
  expect(await read()).toBe(first);
});

test('each tier has its own time to live', async () => {
  const day = 86_400_000;
  const { clock, recorder, history, store } = await newMetrics({
    retention: { values: day, raw: day, '5m': 3 * day, '1h': 10 * day },
  });
  recorder.record({ name: 'level', value: 7, use: 'gauge' });
  await history.sampleOnce();
  clock.at += 7_200_000;
  await history.sampleOnce();
  await history.rollUpOnce();
  const held = async () => {
    await history.cleanUpOnce();
    const tiers = ['values', 'raw', '5m', '1h'] as const;
    const items = await Promise.all(tiers.map(async (tier) => ((await store.items(tier)) > 0 ? [tier] : [])));
    return items.flat();
  };
  expect(await held()).toEqual(['values', 'raw', '5m', '1h']);
  clock.at += 2 * day;
  expect(await held()).toEqual(['5m', '1h']);
  const sum = { name: 'level', aggregation: 'sum', fromMs: start, toMs: clock.at, groupBy: [] } as const;
  expect((await history.query(sum)).series[0]?.values).toEqual([7]);
  clock.at += 2 * day;
  expect(await held()).toEqual(['1h']);
  expect((await history.query({ ...sum, toMs: clock.at })).series[0]?.values).toEqual([7]);
  clock.at += 10 * day;
  expect(await held()).toEqual([]);
});
