// What document 003 promises of the cost of metrics. Processor time, not time that passed, and bounds that lie ten times and more
// above what it takes, so that a busy machine does not decide; docs/benchmarks.md has the figures.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { encodeBlock, type Samples } from './block.ts';
import { heldClock, openMetrics, type TestMetrics } from './test-metrics.ts';

const start = Date.UTC(2026, 0, 5, 12);
let made: TestMetrics;
afterEach(() => made?.remove());

async function cpuMsOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

test('recording a value takes less than 0.1 ms', async () => {
  const clock = heldClock(start);
  made = await openMetrics({ clock });
  const { recorder } = made.metrics;
  const types = ['counter', 'gauge', 'timer'] as const;
  const took = await cpuMsOf(() => {
    for (let i = 0; i < 9_000; i += 1) {
      const use = types[i % 3]!;
      const refusal = recorder.record({ name: `a_${use}`, value: i, use, labels: { agent: `a${i % 50}` } });
      if (refusal !== undefined) throw new Error(refusal.detail);
    }
  });
  expect(took / 9_000).toBeLessThan(0.1);
});

test('aggregating 10,000 metric values takes less than 500 ms', async () => {
  const clock = heldClock(start);
  made = await openMetrics({ clock });
  const { recorder, history } = made.metrics;
  for (let i = 0; i < 10_000; i += 1) recorder.record({ name: 'level', value: i, use: 'gauge', atMs: start - i * 10 });
  for (let i = 0; i < 10_000; i += 1) recorder.record({ name: 'took_ms', value: i, use: 'timer', atMs: start });
  clock.at += 1_000;
  await history.sampleOnce();
  await history.flushOnce();
  const range = { fromMs: start - 200_000, toMs: clock.at, groupBy: [] };
  let found: (number | null | undefined)[] = [];
  const took = await cpuMsOf(async () => {
    const answers = [
      await history.query({ ...range, name: 'level', aggregation: 'average' }),
      await history.query({ ...range, name: 'level', aggregation: 'p95' }),
      await history.query({ ...range, name: 'took_ms', aggregation: 'p99' }),
    ];
    found = answers.map(({ series }) => series[0]?.values.find((value) => value !== null));
  });
  expect(found[0]).toBe(4_999.5);
  expect(found[1]).toBe(9_499);
  expect(Math.abs(found[2]! - 9_899)).toBeLessThan(9_899 / 100);
  expect(took).toBeLessThan(500);
});

test('a stored value takes less than 50 bytes, compressed', async () => {
  const text = gunzipSync(readFileSync(join(import.meta.dirname, '../../bench/data/host-series.ndjson.gz'))).toString();
  const [head = '', ...lines] = text.trimEnd().split('\n').slice(0, 121);
  const { names, kinds } = JSON.parse(head) as { names: string[]; kinds: string[] };
  const rows = lines.map((line) => JSON.parse(line) as number[]);
  const times = Float64Array.from(rows, (row) => row[0]!);
  const series = names.map(
    (name, i): Samples => ({
      ...{ name, labels: {}, type: kinds[i] === 'c' ? 'counter' : 'gauge', kind: 'samples', times },
      values: Float64Array.from(rows, (row) => row[i + 1]!),
    }),
  );
  const payload = await encodeBlock(series, 'quick');
  // Two minutes of a busy machine, names and directory included; longer blocks take less.
  expect(payload.length / (times.length * series.length)).toBeLessThan(5);
});

test('collecting takes less than 5 % of a processor', async () => {
  const clock = heldClock(start);
  made = await openMetrics({ clock });
  const { recorder, history } = made.metrics;
  const counter = recorder.counter({ name: 'runs' });
  const timer = recorder.timer({ name: 'took_ms' });
  const handles = Array.from({ length: 500 }, (_, i) => ({
    runs: counter.labels({ agent: `a${i}` }),
    took: timer.labels({ agent: `a${i}` }),
  }));
  const fiveSeconds = async (): Promise<void> => {
    for (const { runs, took } of handles)
      for (let i = 0; i < 10; i += 1) {
        runs.inc();
        took.observe(i);
      }
    clock.at += 5_000;
    await history.sampleOnce();
    await history.flushOnce();
  };
  await fiveSeconds();
  const rounds = 6;
  const took = await cpuMsOf(async () => {
    for (let round = 0; round < rounds; round += 1) await fiveSeconds();
  });
  // A thousand series with 10,000 recordings in each five seconds, sampled and stored.
  expect(took / rounds).toBeLessThan(5_000 * 0.05);
});
