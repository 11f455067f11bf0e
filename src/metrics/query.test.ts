import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { createBlockStore } from './block-store.ts';
import type { QueryRequest } from './query.ts';
import { heldClock, openMetrics, type TestMetrics } from './test-metrics.ts';

const opened: TestMetrics[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.remove();
});

const start = Date.UTC(2026, 0, 5);
const hour = 3_600_000;

async function newMetrics(atMs = start) {
  const clock = heldClock(atMs);
  const made = await openMetrics({ clock });
  opened.push(made);
  const { recorder, history } = made.metrics;
  const record = (name: string, value: number, labels: Record<string, string> = {}, at?: number) =>
    recorder.record({ name, value, use: 'value', labels, atMs: at });
  const ask = (request: Omit<QueryRequest, 'fromMs' | 'toMs'> & Partial<QueryRequest>) =>
    history.query({ fromMs: start, toMs: clock.now(), groupBy: [], ...request });
  const one = async (request: Parameters<typeof ask>[0]) => (await ask(request)).series[0]?.values[0];
  return { ...made, clock, recorder, history, record, ask, one };
}

test('what was recorded a moment ago can be asked for at once, and again by the next life of the process', async () => {
  const { record, recorder, one, clock, history, restart } = await newMetrics();
  for (const value of [10, 20, 30, 40]) record('response_size_bytes', value);
  recorder.record({ name: 'requests_processed', value: 1, use: 'counter' });
  recorder.record({ name: 'database_query', value: 12, use: 'timer' });
  const answers = async () => ({
    last: await one({ name: 'response_size_bytes', aggregation: 'last' }),
    mean: await one({ name: 'response_size_bytes', aggregation: 'average', fromMs: start - 1_000 }),
    grown: await one({ name: 'requests_processed', aggregation: 'sum' }),
    took: await one({ name: 'database_query', aggregation: 'average' }),
  });
  const before = { last: 40, mean: 25, grown: 1, took: 12 };
  expect(await answers()).toEqual(before);
  clock.at += 1_000;
  recorder.record({ name: 'requests_processed', value: 2, use: 'counter' });
  expect(await one({ name: 'requests_processed', aggregation: 'increase' })).toBe(3);
  await history.flushOnce();
  const later = await restart();
  const again = await later.metrics.history.query({
    ...{ name: 'requests_processed', aggregation: 'increase', fromMs: start, toMs: clock.now(), groupBy: [] },
  });
  expect(again.series[0]?.values).toEqual([3]);
  expect(later.metrics.recorder.definition('database_query')).toMatchObject({ type: 'timer', definedBy: 'use' });
});

/** What anybody would compute with a list of values. */
function naive(values: readonly number[], aggregation: string): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (q: number) => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
  const sum = values.reduce((a, b) => a + b, 0);
  if (values.length === 0) return undefined;
  if (aggregation === 'sum') return sum;
  if (aggregation === 'average') return sum / values.length;
  if (aggregation === 'count') return values.length;
  if (aggregation === 'min') return sorted[0];
  if (aggregation === 'max') return sorted.at(-1);
  if (aggregation === 'last') return values.at(-1);
  return rank(Number(aggregation.slice(1)) / 100);
}
const kinds = ['sum', 'average', 'count', 'min', 'max', 'last', 'p50', 'p90', 'p95', 'p99'] as const;

describe('over any values and windows', () => {
  test('every aggregation says what a naive count says, from samples and from each tier', async () => {
    const sample = fc.record({
      gapMs: fc.integer({ min: 1_000, max: 400_000 }),
      value: fc.double({ min: 0.001, max: 1e6, noNaN: true }),
      series: fc.nat(2),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(sample, { minLength: 1, maxLength: 120 }),
        fc.constantFrom('took_ms', 'level'),
        async (samples, name) => {
          const { clock, record, history, ask, remove } = await newMetrics();
          opened.pop();
          const all: { atMs: number; value: number; series: number }[] = [];
          for (const { gapMs, value, series } of samples) {
            clock.at += gapMs;
            record(name, value, { series: String(series) });
            all.push({ atMs: clock.at, value, series });
            if (all.length % 10 === 0) await history.sampleOnce();
            // Taken as if it were asked, so that a distribution has the instant it was recorded at.
            else await ask({ name, aggregation: 'count' });
            if (all.length % 25 === 0) await history.rollUpOnce();
          }
          clock.at += 2 * hour;
          await history.rollUpOnce();
          const endMs = Math.ceil(clock.at / hour) * hour;
          for (const stepMs of [300_000, hour, endMs - start]) {
            for (const aggregation of kinds) {
              const answer = await ask({ name, aggregation, stepMs, fromMs: start, toMs: endMs - 1 });
              answer.times.forEach((from, i) => {
                const values = all.filter(({ atMs }) => atMs >= from && atMs < from + stepMs).map(({ value }) => value);
                const got = answer.series[0]?.values[i] ?? undefined;
                const wanted = naive(values, aggregation);
                const slack = aggregation.startsWith('p') ? 1 / 64 : 1e-9;
                if (wanted === undefined) expect(got).toBeUndefined();
                else
                  expect(Math.abs(got! - wanted), `${aggregation} of ${values}`).toBeLessThanOrEqual(
                    Math.abs(wanted) * slack,
                  );
              });
            }
          }
          await remove();
        },
      ),
      { numRuns: 4 },
    );
  });
});

test('a long range is read from the coarsest tier that fits, its end from finer ones, and the answer says so', async () => {
  const { clock, record, history, ask } = await newMetrics();
  for (let i = 0; i < 8 * 12; i += 1) {
    record('level', i);
    await history.sampleOnce();
    if (i % 10 === 0) await history.flushOnce();
    clock.at += 300_000;
  }
  await history.rollUpOnce();
  await history.rollUpOnce();
  // Two more windows of five minutes, not yet an hour.
  record('level', 500);
  clock.at += 660_000;
  await history.rollUpOnce();
  record('level', 1_000);
  const answer = await ask({ name: 'level', aggregation: 'max', stepMs: hour });
  expect(answer.sources.map(({ tier }) => tier)).toEqual(['1h', '5m', 'raw']);
  expect(answer.series[0]?.values.slice(0, 3)).toEqual([11, 23, 35]);
  expect(answer.series[0]?.values.at(-1)).toBe(1_000);
  // In full detail while the range is short.
  const short = await ask({ name: 'level', aggregation: 'p50', stepMs: 60_000, fromMs: clock.at - hour });
  expect(short.sources.map(({ tier }) => tier)).toEqual(['raw']);
  expect(short.approximate).toBe(false);
  // Raw samples go first; what they were is still known by the window.
  await history.cleanUpOnce();
  const store = createBlockStore(opened[0]!.db);
  await store.deleteBefore('raw', clock.at - 2 * hour, 1_000);
  const after = await ask({
    name: 'level',
    aggregation: 'max',
    stepMs: 60_000,
    fromMs: start,
    toMs: start + 2 * hour - 1,
  });
  expect(after.sources[0]?.tier).not.toBe('raw');
  expect(Math.max(...after.series[0]!.values.map((value) => value ?? 0))).toBe(23);
});

test('settled windows are joined into few blocks, and say the same', async () => {
  const { clock, record, history, ask, db } = await newMetrics();
  for (let i = 0; i < 6 * 12; i += 1) {
    record('took_ms', i + 1, { path: `/${i % 3}` });
    await history.sampleOnce();
    if (i % 10 === 0) await history.rollUpOnce();
    clock.at += 300_000;
  }
  await history.rollUpOnce();
  const store = createBlockStore(db);
  const starts = async () => (await store.overlapping('5m', 0, 1e14)).length;
  const many = await starts();
  const request = {
    name: 'took_ms',
    aggregation: 'p90',
    stepMs: 300_000,
    fromMs: start,
    toMs: start + 7 * hour,
  } as const;
  const before = (await ask(request)).series;
  clock.at += 4 * hour;
  await history.rollUpOnce();
  expect(await starts()).toBeLessThan(many / 4);
  expect((await ask(request)).series).toEqual(before);
});

test('a value that comes late lands in its window, also in one that was made already', async () => {
  const { clock, record, history, ask } = await newMetrics();
  record('level', 1);
  await history.sampleOnce();
  clock.at += 1_200_000;
  await history.rollUpOnce();
  expect(record('level', 9, {}, start + 60_000)).toBeUndefined();
  await history.rollUpOnce();
  clock.at += 8 * hour;
  await history.rollUpOnce();
  const answer = await ask({ name: 'level', aggregation: 'sum', stepMs: 300_000 });
  expect(answer.sources[0]?.tier).toBe('5m');
  expect(answer.series[0]?.values[0]).toBe(10);
});

test('values out of order are put in order; of one instant each is kept, and the last stands last; the same twice is one', async () => {
  const { record, clock, history } = await newMetrics();
  clock.at += 60_000;
  for (const [at, value] of [
    [30_000, 3],
    [10_000, 1],
    [20_000, 2],
    [20_000, 22],
    [30_000, 3],
  ] as const)
    record('level', value, {}, start + at);
  const samples = async () =>
    (await history.readSeries('level', undefined, 0, clock.at))[0]?.samples.map(({ atMs, value }) => [
      atMs - start,
      value,
    ]);
  const wanted = [
    [10_000, 1],
    [19_999, 2],
    [20_000, 22],
    [30_000, 3],
  ];
  expect(await samples()).toEqual(wanted);
  await history.flushOnce();
  expect(await samples()).toEqual(wanted);
});

test('a counter that begins anew is added up, whatever the tier', async () => {
  const { recorder, clock, history, ask, one, restart } = await newMetrics();
  const runs = recorder.counter({ name: 'runs' }).labels({ job: 'a' });
  await history.sampleOnce();
  for (let i = 0; i < 10; i += 1) {
    runs.inc(2);
    clock.at += 60_000;
    await history.sampleOnce();
  }
  await history.flushOnce();
  const second = await restart();
  const again = second.metrics.recorder.counter({ name: 'runs' }).labels({ job: 'a' });
  clock.at += 60_000;
  again.inc(50);
  await second.metrics.history.sampleOnce();
  const total = async () =>
    (
      await second.metrics.history.query({
        name: 'runs',
        aggregation: 'sum',
        fromMs: start,
        toMs: clock.at,
        groupBy: ['job'],
      })
    ).series;
  expect(await total()).toEqual([{ labels: { job: 'a' }, values: [70] }]);
  clock.at += 9 * hour;
  await second.metrics.history.rollUpOnce();
  const rolled = await second.metrics.history.query({
    name: 'runs',
    aggregation: 'sum',
    fromMs: start,
    toMs: clock.at,
    stepMs: 12 * hour,
    groupBy: [],
  });
  expect(rolled.sources[0]?.tier).toBe('1h');
  expect(rolled.series[0]?.values).toEqual([70]);
  expect(await one({ name: 'runs', aggregation: 'rate', toMs: start + 600_000 - 1 })).toBeCloseTo(18 / 600, 9);
  await expect(ask({ name: 'runs', aggregation: 'p95' })).rejects.toThrow(/has no percentiles/);
});

test('series are chosen and put together by their labels, and a gap is a gap', async () => {
  const { record, clock, ask } = await newMetrics();
  for (const [path, user, value] of [
    ['/a', 'x', 1],
    ['/a', 'y', 3],
    ['/b', 'x', 10],
  ] as const)
    record('level', value, { path, user });
  clock.at += 120_000;
  record('level', 5, { path: '/a', user: 'x' });
  const grouped = await ask({ name: 'level', aggregation: 'average', stepMs: 60_000, groupBy: ['path'] });
  expect(grouped.series).toEqual([
    { labels: { path: '/a' }, values: [2, null, 5] },
    { labels: { path: '/b' }, values: [10, null, null] },
  ]);
  const chosen = await ask({ name: 'level', aggregation: 'sum', match: { user: 'x', path: '/b' } });
  expect(chosen.series).toEqual([{ labels: {}, values: [10] }]);
  const apart = await ask({ name: 'level', aggregation: 'last', groupBy: undefined, limit: 2 });
  expect(apart.total).toBe(3);
  expect(apart.series.map(({ labels }) => labels)).toEqual([
    { instance: 'i1', path: '/a', user: 'x' },
    { instance: 'i1', path: '/a', user: 'y' },
  ]);
  expect((await ask({ name: 'nothing', aggregation: 'average' })).series).toEqual([]);
  await expect(ask({ name: 'level', aggregation: 'rate' })).rejects.toThrow(/has no rate/);
  await expect(ask({ name: 'level', aggregation: 'sum', stepMs: 1 })).rejects.toThrow(/longer step/);
});
