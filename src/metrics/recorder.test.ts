import { expect, test, vi } from 'vitest';
import { silentLogger } from '../platform/logging.ts';
import { exposeName } from './exposed-name.ts';
import { renderExposition } from './exposition.ts';
import { CounterHandle } from './handles.ts';
import { inferDefinition } from './metric-definition.ts';
import { createRecorder, type Recording } from './recorder.ts';
import { createMetricRegistry } from './registry.ts';
import { heldClock } from './test-metrics.ts';
import { createValueLog } from './value-log.ts';

const now = 1_700_000_000_000;
function newRecorder(options: { maxSeriesPerMetric?: number; maxSeries?: number; maxMetrics?: number } = {}) {
  const clock = heldClock(now);
  const warn = vi.fn();
  const info = vi.fn();
  const log = { ...silentLogger, warn, info, child: () => silentLogger };
  const registry = createMetricRegistry({ clock, log, maxSeriesPerMetric: options.maxSeriesPerMetric });
  const values = createValueLog();
  const recorder = createRecorder({ registry, clock, log, values, ...options });
  const record = (name: string, value: number, more: Partial<Recording> = {}) =>
    recorder.record({ name, value, use: 'value', ...more });
  const lines = (name: string): string[] =>
    renderExposition(registry.families(), 'text')
      .split('\n')
      .filter((line) => line.startsWith(name));
  return { clock, registry, recorder, record, values, lines, warn, info };
}

test.each([
  ['request_duration', 'value', 'timer', 'unknown', 'performance'],
  ['request_duration_ms', 'value', 'timer', 'ms', 'performance'],
  ['requests_processed', 'counter', 'counter', 'unknown', 'performance'],
  ['active_connections', 'gauge', 'gauge', 'unknown', 'resource'],
  ['database_query', 'timer', 'timer', 'ms', 'performance'],
  ['cache_size_bytes', 'value', 'gauge', 'bytes', 'system'],
  ['llm_cost_usd', 'counter', 'counter', 'usd', 'business'],
  ['login_failures', 'counter', 'counter', 'unknown', 'security'],
  ['whatever', 'value', 'gauge', 'unknown', 'system'],
] as const)('%s, first used as %s, is a %s in %s of %s', (name, use, type, unit, category) => {
  expect(inferDefinition(name, use)).toMatchObject({ name, type, unit, category, definedBy: 'use' });
});

test('a metric that nobody defined defines itself, and that is said once', () => {
  const { recorder, record, info } = newRecorder();
  expect(record('queue_length', 3)).toBeUndefined();
  record('queue_length', 4);
  expect(recorder.definition('queue_length')).toMatchObject({ type: 'gauge', definedBy: 'use' });
  expect(info).toHaveBeenCalledTimes(1);
  recorder.define({ name: 'queue_length', type: 'gauge', description: 'Waiting documents.' });
  expect(recorder.definition('queue_length')).toMatchObject({
    description: 'Waiting documents.',
    definedBy: 'definition',
  });
});

test('a call with labels and a handle that was taken once write the same series', () => {
  const { recorder, record, lines } = newRecorder();
  const processed = recorder.counter({ name: 'requests_processed' });
  const handle = processed.labels({ endpoint: '/search', method: 'GET' });
  handle.inc();
  record('requests_processed', 2, { use: 'counter', labels: { method: 'GET', endpoint: '/search' } });
  expect(processed.labels({ method: 'GET', endpoint: '/search' })).toBe(handle);
  expect(lines('ragwarden_app_requests')).toEqual([
    'ragwarden_app_requests_processed_total{endpoint="/search",method="GET"} 3',
  ]);
});

test.each([
  ['a name outside the grammar', { name: 'a-b' }, 'name'],
  ['a name that begins with a digit', { name: '1a' }, 'name'],
  ['a name without end', { name: 'a'.repeat(10_000) }, 'name'],
  ['NaN', { value: Number.NaN }, 'value'],
  ['an infinity', { value: Infinity }, 'value'],
  ['a counter that shrinks', { value: -1, use: 'counter' }, 'value'],
  ['a duration below zero', { value: -1, use: 'timer' }, 'value'],
  ['a label outside the grammar', { labels: { 'a-b': 'x' } }, 'labels'],
  ['a reserved label', { labels: { __name__: 'x' } }, 'labels'],
  ['a label of histograms', { labels: { le: '1' } }, 'labels'],
  ['ten megabytes of label', { labels: { user: 'x'.repeat(10_000_000) } }, 'labels'],
  ['a label that is no text', { labels: { user: 3 as unknown as string } }, 'labels'],
  [
    'more labels than can be told apart',
    { labels: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`l${i}`, 'x'])) },
    'labels',
  ],
  ['a value whose sums would have no end', { value: 1.7e308 }, 'value'],
  ['a name that is as long as a book', { name: 'n'.repeat(1_000_000) }, 'name'],
  ['a time long past', { atMs: now - 3_600_001 }, 'time'],
  ['a time far ahead', { atMs: now + 300_001 }, 'time'],
  ['a time that is none', { atMs: Number.NaN }, 'time'],
  ['metadata without end', { metadata: { text: 'x'.repeat(5_000) } }, 'metadata'],
] as const)('%s is refused with a reason and counted; its neighbours are taken', (_, bad, reason) => {
  const { record, recorder, registry, values, warn } = newRecorder();
  const good: Partial<Recording> = { use: 'counter', labels: { user: 'a' } };
  expect(record('taken', 1, good)).toBeUndefined();
  for (let i = 0; i < 2; i += 1) {
    const refusal = recorder.record({ name: 'other', value: 1, use: 'value', ...bad });
    expect(refusal?.reason).toBe(reason);
    expect(refusal?.detail.length).toBeLessThan(300);
    expect(JSON.stringify(warn.mock.lastCall).length).toBeLessThan(1_000);
  }
  expect(record('taken', 2, good)).toBeUndefined();
  expect(values.take().map(({ name, value }) => [name, value])).toEqual([
    ['taken', 1],
    ['taken', 2],
  ]);
  const refused = registry.families().find(({ definition }) => definition.name === 'ragwarden_metrics_refused_total');
  expect(refused?.labelValuesOf(1)).toEqual([reason]);
  expect(refused?.values[1]).toBe(2);
  expect(warn).toHaveBeenCalledTimes(1);
  recorder.setDebugMode(true);
  recorder.record({ name: 'other', value: 1, use: 'value', ...bad });
  expect(warn).toHaveBeenCalledTimes(2);
});

test('a call that does not fit the type of a metric is refused, and so is one of a metric that is switched off', () => {
  const { recorder, record } = newRecorder();
  recorder.define({ name: 'level', type: 'gauge' });
  expect(record('level', 1, { use: 'counter' })?.reason).toBe('type');
  recorder.define({ name: 'level', type: 'gauge', enabled: false });
  expect(record('level', 1)?.reason).toBe('disabled');
  expect(() => recorder.define({ name: 'level', type: 'counter' })).toThrow(/is a gauge already/);
  expect(() => recorder.define({ name: 'level', type: 'gauge', unit: 'ms' })).toThrow(/already/);
});

test('series without number are bounded: per metric, in total, and in memory', () => {
  const { recorder, record, lines, warn } = newRecorder({ maxSeriesPerMetric: 100, maxSeries: 150 });
  for (let i = 0; i < 50_000; i += 1) record('seen', 1, { use: 'counter', labels: { user: `u${i}` } });
  const [overflow, ...others] = lines('ragwarden_app_seen_total')
    .reverse()
    .sort((a, b) => Number(b.includes('overflow')) - Number(a.includes('overflow')));
  expect(overflow).toBe('ragwarden_app_seen_total{overflow="true"} 49900');
  expect(others).toHaveLength(100);
  for (let i = 0; i < 100; i += 1) record('other', 1, { use: 'counter', labels: { user: `u${i}` } });
  expect(lines('ragwarden_app_other_total')).toHaveLength(50);
  // Once per metric.
  expect(warn).toHaveBeenCalledTimes(2);
  expect(recorder.stats.recorded).toBe(50_100);
});

test('what a caller wrote reaches log and answer only in part', () => {
  const { recorder, warn } = newRecorder();
  const refusal = recorder.refuse('level', `Unrecognized key: ${'k'.repeat(900_000)}`);
  expect(refusal.detail).toHaveLength(500);
  expect(JSON.stringify(warn.mock.calls).length).toBeLessThan(1_000);
});

test('refused names are not remembered at any length', () => {
  const { recorder, warn } = newRecorder();
  for (let i = 0; i < 5; i += 1) recorder.refuse('n'.repeat(201 + i), 'too long', 'name');
  expect(warn).toHaveBeenCalledTimes(1);
});

test('buckets with times of their own wait up to a number of them; beyond it they count as of now, none is lost', () => {
  const { recorder } = newRecorder();
  const handle = recorder.histogram({ name: 'took' }).labels();
  const values = Array.from({ length: 4_000 }, (_, i) => i);
  const batch = { count: 4_000, sum: 1, min: 0, max: 3_999, values, counts: values.map(() => 1) };
  for (let i = 0; i < 1_002; i += 1) recorder.take(handle, now - 60_000, batch);
  expect(recorder.fullness()).toBe(1);
  expect(recorder.takePending()).toHaveLength(1_000);
  expect(handle.count()).toBe(2 * 4_000);
  expect(recorder.fullness()).toBe(0);
});

test('more metrics than are allowed are refused, those that are there go on', () => {
  const { record } = newRecorder({ maxMetrics: 2 });
  record('a', 1);
  record('b', 1);
  expect(record('c', 1)?.reason).toBe('too-many');
  expect(record('a', 2)).toBeUndefined();
});

test('a handle of a series that was ended writes into nothing, and a new one begins at zero', () => {
  const { recorder } = newRecorder();
  const runs = recorder.counter({ name: 'runs' });
  const old = runs.labels({ agent_id: 'a' });
  old.inc(5);
  expect(recorder.reset({ agent_id: 'a' })).toBe(1);
  old.inc(5);
  const fresh = runs.labels({ agent_id: 'a' });
  expect(fresh).not.toBe(old);
  expect(fresh.value()).toBe(0);
});

test.each([
  ['request_duration_ms', 'timer', 'ms', 'ragwarden_app_request_duration_seconds', 0.001],
  ['request_duration', 'timer', 'ms', 'ragwarden_app_request_duration_seconds', 0.001],
  ['system_cpu_percent', 'gauge', 'percent', 'ragwarden_app_system_cpu_ratio', 0.01],
  ['requests_total', 'counter', 'unknown', 'ragwarden_app_requests_total', 1],
  ['system_network_bytes_sent', 'counter', 'bytes', 'ragwarden_app_system_network_bytes_sent_bytes_total', 1],
  ['resource_count', 'gauge', 'resources', 'ragwarden_app_resource_number', 1],
  ['queueLength:now', 'gauge', 'unknown', 'ragwarden_app_queue_length_now', 1],
  ['x_total', 'gauge', 'unknown', 'ragwarden_app_x_all', 1],
] as const)('%s, a %s in %s, is shown as %s', (name, type, unit, shown, scale) => {
  expect(exposeName({ name, type, unit })).toMatchObject({ name: shown, scale });
});

test('two recorded names that mean one in base units are told apart', () => {
  const { record, lines } = newRecorder();
  record('wait_ms', 5, { use: 'gauge' });
  record('wait_seconds', 5, { use: 'gauge' });
  expect(lines('ragwarden_app_wait')).toEqual(['ragwarden_app_wait_seconds 0.005', 'ragwarden_app_wait_seconds_2 5']);
});

test('recording on handles that were taken once does not allocate', () => {
  const { recorder } = newRecorder();
  const counter = recorder.counter({ name: 'runs' }).labels({ x: 'a' });
  const gauge = recorder.gauge({ name: 'level' }).labels({ x: 'a' });
  const timer = recorder.timer({ name: 'took_ms' }).labels({ x: 'a' });
  expect(counter).toBeInstanceOf(CounterHandle);
  const round = (): void => {
    for (let i = 0; i < 200_000; i += 1) {
      counter.inc(0.5);
      gauge.set(i / 3);
      timer.observe(i / 1e4);
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
