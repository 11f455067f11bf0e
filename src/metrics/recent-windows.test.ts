import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestMetrics } from '../migrations/test-state.ts';
import type { Database } from '../platform/database/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { createMetricHistory, type MetricHistory } from './history.ts';
import type { Aggregation, Labels } from './metric-definition.ts';
import { createMetricRegistry } from './registry.ts';
import { heldClock } from './test-metrics.ts';

let store: { db: Database; remove(): Promise<void> };
beforeAll(async () => {
  store = await openTestMetrics();
});
afterAll(() => store.remove());

const day = 86_400_000;
const start = Date.UTC(2026, 0, 5);
let lives = 0;

/** A process of its own, at a time that no other one had: what the others stored is far away. */
function newLife() {
  lives += 1;
  const atMs = start + lives * day;
  const clock = heldClock(atMs);
  const instance = `i${lives}`;
  let registry = createMetricRegistry({ clock });
  let history: MetricHistory;
  let level: ReturnType<typeof makeSeries>['level'];
  let runs: ReturnType<typeof makeSeries>['runs'];
  let mirrored: ReturnType<typeof makeSeries>['mirrored'];
  const makeSeries = () => ({
    level: registry.gauge({ name: 'level', help: 'A level.', labels: ['target'] }),
    runs: registry.counter({ name: 'runs_total', help: 'Runs.', labels: ['target'] }),
    mirrored: registry.counter({ name: 'mirrored_total', help: 'Of somebody else.', labels: ['target'] }),
  });
  const begin = (): void => {
    registry = createMetricRegistry({ clock });
    history = createMetricHistory({ registry, db: store.db, clock, log: silentLogger, instance });
    ({ level, runs, mirrored } = makeSeries());
  };
  begin();
  return {
    clock,
    instance,
    level: () => level,
    runs: () => runs,
    mirrored: () => mirrored,
    history: () => history,
    async sample(afterMs = 1_000) {
      clock.at += afterMs;
      await history.sampleOnce();
    },
    async restart() {
      await history.flushOnce();
      begin();
    },
    /** What is read at once, and what the question answers; both in the order of their labels. */
    async both(
      name: string,
      aggregation: Aggregation,
      windowMs: number,
      wants: (labels: Labels) => boolean = () => true,
    ) {
      const [fromMs, toMs] = [clock.at - windowMs + 1, clock.at];
      const recent = history.recent.choose({ name, wants, aggregation }).read(fromMs, toMs);
      const where = (labels: Labels): boolean => labels.instance === instance && wants(labels);
      const { series } = await history.view().query({ name, where, aggregation, fromMs, toMs });
      return {
        recent: recent && byLabels(recent.map(({ labels, value }) => ({ labels, value }))),
        asked: byLabels(series.flatMap(({ labels, values: [value] }) => (value == null ? [] : [{ labels, value }]))),
      };
    },
  };
}
const byLabels = (all: readonly { labels: Labels; value: number }[]) =>
  all.toSorted((a, b) => ((a.labels.target ?? '') < (b.labels.target ?? '') ? -1 : 1));

const targets = ['a', 'b', 'c'];
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('set' as const),
      target: fc.nat(2),
      value: fc.oneof(fc.double({ noDefaultInfinity: true, min: -1e9, max: 1e9 }), fc.constant(Number.NaN)),
    }),
  },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('count' as const), target: fc.nat(2), value: fc.nat(50) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      what: fc.constant('sample' as const),
      afterMs: fc.constantFrom(0, 1, 1_000, 1_000, 5_000, 30_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('end' as const), target: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('flush' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('restart' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('jump' as const),
      byMs: fc.constantFrom(-700_000, -20_000, 200_000, 400_000, 700_000),
    }),
  },
);

test('what is read at once is what the question answers, over gaps, ends, resets of counters, restarts and clocks that jump', async () => {
  let read = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const life = newLife();
      for (const one of steps) {
        const target = 'target' in one ? targets[one.target]! : '';
        if (one.what === 'set') life.level().labels(target).set(one.value);
        else if (one.what === 'count') life.runs().labels(target).inc(one.value);
        else if (one.what === 'sample') await life.sample(one.afterMs);
        else if (one.what === 'jump') await life.sample(one.byMs);
        else if (one.what === 'flush') await life.history().flushOnce();
        else if (one.what === 'restart') await life.restart();
        else {
          life.level().remove(target);
          life.runs().remove(target);
        }
        if (one.what !== 'sample' && one.what !== 'restart') continue;
        for (const [name, aggregation] of [
          ...(['average', 'sum', 'min', 'max', 'last', 'count'] as const).map((each) => ['level', each] as const),
          ...(['average', 'increase', 'rate', 'last'] as const).map((each) => ['runs_total', each] as const),
        ])
          for (const windowMs of [1, 3_000, 60_000]) {
            const { recent, asked } = await life.both(name, aggregation, windowMs);
            if (recent === undefined) continue;
            read += 1;
            expect({ name, aggregation, windowMs, recent }).toEqual({ name, aggregation, windowMs, recent: asked });
          }
      }
    }),
    { numRuns: 25 },
  );
  expect(read).toBeGreaterThan(0);
});

test('a minute of samples is read without a question, also after ten minutes, and by the next life once it has a minute of its own', async () => {
  const life = newLife();
  const read = async () => {
    const { recent, asked } = await life.both('level', 'average', 60_000, ({ target }) => target !== 'b');
    if (recent !== undefined) expect(recent).toEqual(asked);
    return recent?.map(({ labels }) => labels.target);
  };
  const sampleFor = async (seconds: number): Promise<void> => {
    for (let i = 0; i < seconds; i += 5) {
      for (const target of targets) life.level().labels(target).set(i);
      await life.sample(5_000);
    }
  };
  await sampleFor(60);
  expect(await read()).toEqual(['a', 'c']);
  // Another block: for a minute a part of the window lies in the one before.
  await sampleFor(560);
  expect(await read()).toBeUndefined();
  await sampleFor(60);
  expect(await read()).toEqual(['a', 'c']);
  await life.restart();
  await sampleFor(30);
  expect(await read()).toBeUndefined();
  await sampleFor(60);
  expect(await read()).toEqual(['a', 'c']);
});

test('a series that ended and began anew within a block is put together by the question', async () => {
  const life = newLife();
  for (const value of [1, 2]) {
    life.level().labels('a').set(value);
    await life.sample();
    life.level().remove('a');
    life.level().labels('b').set(value);
    await life.sample();
  }
  expect(await life.both('level', 'sum', 60_000)).toMatchObject({ recent: undefined, asked: [{ value: 3 }, {}] });
  const alone = await life.both('level', 'sum', 60_000, ({ target }) => target === 'b');
  expect(alone.recent).toMatchObject([{ value: 4 }]);
  expect(alone.recent).toEqual(alone.asked);
});

test('a counter that goes on from a sample in an earlier block is left to the question while that sample counts', async () => {
  const life = newLife();
  // As somebody else counts it: its first value here is not what it grew by.
  life.mirrored().labels('a').mirror(5);
  await life.sample(590_000);
  await life.sample(595_000);
  life.mirrored().remove('a');
  await life.sample(100_000);
  life.mirrored().labels('a').mirror(12);
  await life.sample(100_000);
  const increase = () => life.both('mirrored_total', 'increase', 60_000);
  expect(await increase()).toMatchObject({ recent: undefined, asked: [{ value: 7 }] });
  life.mirrored().labels('a').mirror(15);
  await life.sample(50_000);
  expect(await increase()).toMatchObject({ recent: undefined, asked: [{ value: 10 }] });
  await life.sample(50_000);
  expect(await increase()).toMatchObject({ recent: [{ value: 3 }], asked: [{ value: 3 }] });
});

test('what makes no sense of a series, and what no total tells, is left to the question', async () => {
  const life = newLife();
  life.level().labels('a').set(1);
  await life.sample();
  const read = (name: string, aggregation: Aggregation) =>
    life
      .history()
      .recent.choose({ name, wants: () => true, aggregation })
      .read(life.clock.at - 59_999, life.clock.at);
  expect(read('level', 'average')).toMatchObject([{ value: 1 }]);
  for (const aggregation of ['p95', 'rate', 'increase'] as const) expect(read('level', aggregation)).toBeUndefined();
  expect(read('unknown', 'average')).toBeUndefined();
});

test('a label of which few values are wanted finds what all of them would find', async () => {
  const life = newLife();
  for (const target of targets) life.level().labels(target).set(1);
  await life.sample();
  for (const values of [['a'], ['c', 'a', 'c'], ['none'], ['', 'b']]) {
    const wants = ({ target = '' }: Labels): boolean => values.includes(target);
    const [near, all] = [{ label: 'target', values }, undefined].map((one) =>
      life
        .history()
        .recent.choose({ name: 'level', wants, near: one, aggregation: 'last' })
        .read(life.clock.at - 999, life.clock.at),
    );
    expect(byLabels(near ?? [])).toEqual(byLabels(all ?? []));
    expect(near).toHaveLength(targets.filter((target) => values.includes(target)).length);
  }
});
