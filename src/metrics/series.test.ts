import { expect, test, vi } from 'vitest';
import { systemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { renderExposition } from './exposition.ts';
import { createMetricRegistry, type MetricRegistry } from './registry.ts';

const newRegistry = (maxSeriesPerMetric?: number) => createMetricRegistry({ clock: systemClock, maxSeriesPerMetric });
const linesOf = (registry: MetricRegistry, name: string): string[] =>
  renderExposition(registry.families(), 'text')
    .split('\n')
    .filter((line) => line.startsWith(name));

test('two label sets of one counter never share a value', () => {
  const runs = newRegistry().counter({ name: 'runs_total', help: 'Runs.', labels: ['target', 'outcome'] });
  runs.labels('a', 'ok').inc();
  runs.labels('b', 'ok').inc(5);
  runs.labels('a', 'ok').inc(2);
  expect(runs.labels('a', 'ok').value()).toBe(3);
  expect(runs.labels('b', 'ok').value()).toBe(5);
});

test('the same labels give the same handle', () => {
  const runs = newRegistry().counter({ name: 'runs_total', help: 'Runs.', labels: ['target'] });
  expect(runs.labels('a')).toBe(runs.labels('a'));
});

test('many series keep their own values while the columns grow', () => {
  const level = newRegistry().gauge({ name: 'level', help: 'Level.', labels: ['n'] });
  const handles = Array.from({ length: 500 }, (_, i) => level.labels(String(i)));
  handles.forEach((handle, i) => {
    handle.set(i);
  });
  expect(handles.map((handle) => handle.value())).toEqual(Array.from({ length: 500 }, (_, i) => i));
});

test('a gauge that was never set is absent, a counter begins at zero', () => {
  const registry = newRegistry();
  registry.gauge({ name: 'level', help: 'Level.' });
  registry.counter({ name: 'runs_total', help: 'Runs.' });
  expect(linesOf(registry, 'level')).toEqual([]);
  expect(linesOf(registry, 'runs_total')).toEqual(['runs_total 0']);
});

test('a counter refuses what is not growth and says how often', async () => {
  const registry = newRegistry();
  const runs = registry.counter({ name: 'runs_total', help: 'Runs.' });
  for (const amount of [Number.NaN, -1, Infinity]) runs.inc(amount);
  runs.inc(2);
  await registry.collect();
  expect(runs.value()).toBe(2);
  expect(linesOf(registry, 'ragwarden_metrics_rejected_total')).toEqual([
    'ragwarden_metrics_rejected_total{metric="runs_total"} 3',
  ]);
});

test('label sets beyond the bound are added up in one overflow series, said once', async () => {
  const warn = vi.fn();
  const registry = createMetricRegistry({
    clock: systemClock,
    maxSeriesPerMetric: 2,
    log: { ...silentLogger, warn, child: () => silentLogger },
  });
  const runs = registry.counter({ name: 'runs_total', help: 'Runs.', labels: ['user'] });
  for (const user of ['a', 'b', 'c', 'd', 'e']) runs.labels(user).inc();
  await registry.collect();
  expect(linesOf(registry, 'runs_total')).toEqual([
    'runs_total{user="_overflow"} 3',
    'runs_total{user="a"} 1',
    'runs_total{user="b"} 1',
  ]);
  expect(linesOf(registry, 'ragwarden_metrics_overflow_total')).toEqual([
    'ragwarden_metrics_overflow_total{metric="runs_total"} 3',
  ]);
  expect(warn).toHaveBeenCalledTimes(1);
});

test('a level beyond the bound is not mixed into another one', () => {
  const registry = newRegistry(1);
  const level = registry.gauge({ name: 'level', help: 'Level.', labels: ['user'] });
  level.labels('a').set(1);
  level.labels('b').set(2);
  level.labels('c').set(3);
  expect(linesOf(registry, 'level')).toEqual(['level{user="a"} 1']);
});

test('a handle of a series that ended records into nothing, not into the series that took its place', () => {
  const registry = newRegistry();
  const level = registry.gauge({ name: 'level', help: 'Level.', labels: ['user'] });
  const old = level.labels('a');
  old.set(1);
  level.remove('a');
  level.labels('b').set(2);
  old.set(99);
  expect(linesOf(registry, 'level')).toEqual(['level{user="b"} 2']);
});

test('label values are kept apart whatever they hold', () => {
  const registry = newRegistry();
  const level = registry.gauge({ name: 'level', help: 'Level.', labels: ['x', 'y'] });
  level.labels('a\0b', 'c').set(1);
  level.labels('a', 'b\0c').set(2);
  level.labels('\ud800', 'c').set(3);
  level.labels('\ud801', 'c').set(4);
  level.labels('x'.repeat(10_000_000), 'c').set(5);
  const lines = linesOf(registry, 'level');
  // Both lone surrogates become the same replacement character, so they are one series, never two with one name.
  expect(lines).toHaveLength(4);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(1_100);
});

test.each([
  ['a counter without _total', (r: MetricRegistry) => r.counter({ name: 'runs', help: 'x' })],
  ['a name outside the grammar', (r: MetricRegistry) => r.gauge({ name: 'a-b', help: 'x' })],
  ['a reserved label', (r: MetricRegistry) => r.gauge({ name: 'a', help: 'x', labels: ['__name__'] })],
  ['le on a histogram', (r: MetricRegistry) => r.histogram({ name: 'a', help: 'x', labels: ['le'] })],
  ['buckets out of order', (r: MetricRegistry) => r.histogram({ name: 'a', help: 'x', buckets: [2, 1] })],
])('%s is refused where it is defined', (_, define) => {
  expect(() => define(newRegistry())).toThrow();
});

test('defining a metric again gives the same one, otherwise it is refused', () => {
  const registry = newRegistry();
  const first = registry.counter({ name: 'runs_total', help: 'Runs.' });
  first.inc();
  expect(registry.counter({ name: 'runs_total', help: 'Runs.' }).value()).toBe(1);
  expect(() => registry.gauge({ name: 'runs_total', help: 'Runs.' })).toThrow(/already defined/);
});

test('what a collector no longer finds is absent, and so is everything when it fails', async () => {
  const registry = newRegistry();
  const points = registry.gauge({ name: 'points', help: 'Points.', labels: ['target'] });
  let targets = ['a', 'b'];
  registry.collector({
    name: 'points',
    sets: [points],
    async collect() {
      if (targets.length === 0) throw new Error('gone');
      for (const target of targets) points.labels(target).set(1);
    },
  });
  await registry.collect();
  expect(linesOf(registry, 'points')).toHaveLength(2);
  targets = ['b'];
  await registry.collect();
  expect(linesOf(registry, 'points')).toEqual(['points{target="b"} 1']);
  targets = [];
  await registry.collect();
  expect(linesOf(registry, 'points')).toEqual([]);
});

test('a collector that hangs is left out and not started twice', async () => {
  const registry = createMetricRegistry({ clock: systemClock, collectorTimeoutMs: 1 });
  const level = registry.gauge({ name: 'level', help: 'Level.' });
  const collect = vi.fn(() => new Promise<void>(() => {}));
  registry.collector({ name: 'stuck', sets: [level], collect });
  level.set(1);
  await registry.collect();
  await registry.collect();
  expect(linesOf(registry, 'level')).toEqual([]);
  expect(collect).toHaveBeenCalledTimes(1);
});

test('recording on a bound handle does not allocate', () => {
  const registry = newRegistry();
  const counter = registry.counter({ name: 'runs_total', help: 'Runs.' });
  const gauge = registry.gauge({ name: 'level', help: 'Level.', labels: ['x'] }).labels('a');
  const histogram = registry.histogram({ name: 'took_seconds', help: 'Time.', labels: ['x'] }).labels('a');
  const round = (): void => {
    for (let i = 0; i < 200_000; i += 1) {
      counter.inc(0.5);
      gauge.set(i / 3);
      histogram.observe(i / 1e4);
    }
  };
  round();
  const least = Math.min(
    ...Array.from({ length: 5 }, () => {
      const before = process.memoryUsage().heapUsed;
      round();
      return process.memoryUsage().heapUsed - before;
    }),
  );
  // 600,000 records; one boxed number each would be 9.6 MB.
  expect(least).toBeLessThan(1_000_000);
});
