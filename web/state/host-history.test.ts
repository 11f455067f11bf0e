import { expect, test } from 'vitest';
import type { System } from '../api/wire.ts';
import { curvePaths } from '../parts/gauge.tsx';
import { appendHostPoint, type HostPoint, historyMs } from './host-history.ts';

const startMs = Date.parse('2026-11-22T04:00:00Z');

/** Only what the history reads is varied. */
const system = (afterMs: number, received: number, sent = received): System => ({
  timestamp: new Date(startMs + afterMs).toISOString(),
  uptime_seconds: 1,
  cpu: { percent: 10, count: 1, physical_count: null, load_avg: [0, 0, 0], per_cpu: [10] },
  memory: { total: 1, available: 1, used: 0, percent: 20, swap_total: 0, swap_used: 0, swap_percent: 0 },
  disk: null,
  network: { bytes_recv: received, bytes_sent: sent, errin: 0, errout: 0, dropin: 0, dropout: 0 },
  process: {
    pid: 1,
    cpu_percent: null,
    memory_percent: 0,
    memory_info: { rss: 0, vms: 0 },
    threads: 1,
    open_files: null,
    connections: null,
  },
  target_process: null,
  pressure: null,
  container: null,
  target_container: null,
});

const collect = (...samples: System[]): readonly HostPoint[] => samples.reduce(appendHostPoint, []);

test('rates come from two samples and their own times', () => {
  const [first, second] = collect(system(0, 1_000, 0), system(2_000, 5_000, 500));
  expect(first?.receivedPerSecond).toBeUndefined();
  expect(second).toMatchObject({ receivedPerSecond: 2_000, sentPerSecond: 250 });
});

test('the same sample counts once', () => {
  expect(collect(system(0, 1), system(0, 1), system(1_000, 1))).toHaveLength(2);
});

test('counters that fell and long gaps give no rate', () => {
  const points = collect(system(0, 9_000), system(1_000, 100), system(100_000, 5_000));
  expect(points.map((point) => point.receivedPerSecond)).toEqual([undefined, undefined, undefined]);
});

test('only the span of the curves is kept', () => {
  expect(collect(system(0, 1), system(historyMs + 1, 2))).toHaveLength(1);
});

test('a curve has a gap where nothing is known', () => {
  const at = (atMs: number, value: number | undefined) => ({ atMs, value });
  const points = [at(0, undefined), at(10, 0), at(20, 100), at(30, undefined), at(100, 250)];
  expect(curvePaths(points, { fromMs: 0, toMs: 100, greatest: 100 })).toEqual([
    'M10.00 23.00L20.00 1.00',
    'M100.00 1.00',
  ]);
});
