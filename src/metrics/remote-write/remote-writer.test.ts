import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AppError } from '../../platform/errors.ts';
import { createFakeClock, type FakeClock } from '../../platform/fake-clock.ts';
import { silentLogger } from '../../platform/logging.ts';
import { renderExposition } from '../exposition.ts';
import { createMetricRegistry, type MetricRegistry } from '../registry.ts';
import { createRemoteWriteMetrics } from './remote-write-metrics.ts';
import { createRemoteWriter, type RemoteStore, type RemoteWriter } from './remote-writer.ts';
import { createTestStore, type TestStore } from './test-store.ts';

let folder: string;
let clock: FakeClock;
let store: TestStore;
let registry: MetricRegistry;
const lives: RemoteWriter[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-writer-'));
  clock = createFakeClock();
  store = createTestStore(clock);
  registry = createMetricRegistry({ clock });
});
afterEach(async () => {
  store.answer = new AppError('outgoing/failed', 'The test is over.');
  await Promise.all(lives.splice(0).map((one) => one.stop?.()));
  rmSync(folder, { recursive: true, force: true });
});

/** Nothing of it happens by itself but sending: the interval is longer than any test. */
const begin = async (given: Partial<RemoteStore> = {}): Promise<RemoteWriter> => {
  const writer = createRemoteWriter({
    store: {
      name: 's1',
      endpoint: { url: 'http://store.test/api/v1/write', headers: {}, auth: { kind: 'none' }, timeoutMs: 1_000 },
      labels: { job: 'ragwarden', instance: 'i1' },
      intervalMs: 1e9,
      maxQueueBytes: 1_000_000,
      batchSamples: 2_000,
      ...given,
    },
    folder,
    registry,
    metrics: createRemoteWriteMetrics({ registry, clock })('s1'),
    http: store,
    clock,
    // A half, so that the delays are those of the table.
    random: () => Buffer.from([0, 0, 0, 0x80]),
    log: silentLogger,
  });
  lives.push(writer);
  await writer.start?.(new AbortController().signal);
  return writer;
};

/** Real files are between us and what is waited for. */
const until = async (what: string, look: () => boolean): Promise<void> => {
  const deadline = Date.now() + 60_000;
  while (!look()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
};
const isIdle = (writer: RemoteWriter) => () => writer.status().segments === 0 && writer.jobs()[0]?.running === false;
const sampleAt = async (writer: RemoteWriter, ms: number): Promise<void> => {
  await clock.advance(ms);
  await writer.sampleOnce();
};
const valuesOf = (name: string): unknown[] =>
  store.taken.flatMap(({ timeseries }) =>
    timeseries
      .filter(({ labels }) => labels.some(({ value }) => value === name))
      .flatMap(({ samples }) => samples.map(({ value }) => value)),
  );
const shown = async (name: string): Promise<string[]> => {
  await registry.collect();
  const lines = renderExposition(registry.families(), 'text').split('\n');
  return lines.filter((line) => line.startsWith(`ragwarden_remote_write_${name}`));
};

test('sends what there is, as remote write says it is sent, and counts it', async () => {
  registry.gauge({ name: 'level', help: 'h' }).set(4);
  const writer = await begin();
  await until('the first sampling', () => store.taken.length > 0);
  await until('the queue is empty', isIdle(writer));
  const [request] = store.requests;
  expect(request).toMatchObject({
    method: 'POST',
    url: 'http://store.test/api/v1/write',
    headers: {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': '0.1.0',
    },
  });
  const level = store.taken[0]?.timeseries.find(({ labels }) => labels[0]?.value === 'level');
  expect(level).toEqual({
    labels: [
      { name: '__name__', value: 'level' },
      { name: 'instance', value: 'i1' },
      { name: 'job', value: 'ragwarden' },
    ],
    samples: [{ value: 4, timestamp: clock.now() }],
  });
  expect(store.taken[0]?.metadata.map(({ metricFamilyName }) => metricFamilyName)).toContain('level');
  expect(writer.status()).toMatchObject({ failingSinceMs: null, lastError: null, lastSuccessMs: clock.now() });
  const samples = store.taken.flatMap(({ timeseries }) => timeseries.flatMap((one) => one.samples)).length;
  expect(await shown('sent_samples_total')).toEqual([
    `ragwarden_remote_write_sent_samples_total{store="s1"} ${samples}`,
  ]);
});

test('a store that is away is tried again, ever later, and gets everything in the order it was', async () => {
  const counter = registry.counter({ name: 'done_total', help: 'h' });
  store.answer = new AppError('outgoing/failed', 'http://store.test could not be reached: nobody listens there.');
  const writer = await begin({ batchSamples: 1 });
  await until('the first attempt', () => store.requests.length === 1 && clock.sleeping() === 2);
  const atMs: number[] = [];
  for (let i = 0; i < 4; i += 1) {
    const before = clock.now();
    while (store.requests.length === i + 1) {
      await clock.advance(500);
      await until('an attempt or a sleep', () => clock.sleeping() === 2);
    }
    atMs.push(clock.now() - before);
  }
  expect(atMs).toEqual([1_000, 2_000, 4_000, 8_000]);
  for (let i = 0; i < 3; i += 1) {
    counter.inc();
    await sampleAt(writer, 10);
  }
  expect(writer.status()).toMatchObject({ lastSuccessMs: null, lastError: expect.stringContaining('nobody listens') });
  store.answer = { status: 503 };
  await clock.advance(60_000);
  await until('a refusal', () => writer.status().lastError === 'it answered 503');
  store.answer = { status: 204 };
  await clock.advance(60_000);
  await until('the queue is empty', isIdle(writer));
  expect(valuesOf('done_total')).toEqual([0, 1, 2, 3]);
  expect(store.mostAtOnce).toBe(1);
  expect(writer.status()).toMatchObject({ failingSinceMs: null, lastLoss: null, samples: 0 });
  expect(await shown('failed_requests_total')).toEqual(['ragwarden_remote_write_failed_requests_total{store="s1"} 6']);
});

test('a store that asks to wait is left alone as long as it asks', async () => {
  store.answer = { status: 429, headers: { 'retry-after': '30' }, text: 'slow down' };
  const writer = await begin();
  await until('the first attempt', () => store.requests.length === 1 && clock.sleeping() === 2);
  store.answer = { status: 204 };
  for (let second = 0; second < 31; second += 1) {
    await clock.advance(1_000);
    await until('an attempt or a sleep', () => clock.sleeping() === 2 || store.taken.length > 0);
  }
  await until('the queue is empty', isIdle(writer));
  expect(store.atMs.map((atMs) => atMs - (store.atMs[0] ?? 0))).toEqual([0, 30_000]);
});

test('what a store will never take is dropped and counted, and what comes after it is sent', async () => {
  store.answer = { status: 400, text: 'out of order\nsample' };
  const writer = await begin();
  await until('the refusal', isIdle(writer));
  const [dropped] = await shown('dropped_samples_total');
  expect(dropped).toMatch(/^ragwarden_remote_write_dropped_samples_total\{store="s1",reason="refused"\} [1-9]/);
  expect(writer.status().lastLoss).toEqual({ atMs: clock.now(), reason: 'it answered 400: out of order sample' });
  store.answer = { status: 204 };
  await sampleAt(writer, 10);
  await until('the next is sent', () => store.taken.length === 1);
});

test('a full queue gives up the oldest, counts it, and says how far behind it is', async () => {
  const counter = registry.counter({ name: 'done_total', help: 'h' });
  store.answer = new AppError('outgoing/failed', 'It is away.');
  const writer = await begin({ maxQueueBytes: 3_000 });
  await until('the first attempt', () => store.requests.length === 1);
  for (let i = 0; i < 12; i += 1) {
    counter.inc();
    await sampleAt(writer, 10);
  }
  const { bytes, oldestMs } = writer.status();
  expect(bytes).toBeLessThanOrEqual(3_000);
  expect((await shown('dropped_samples_total'))[0]).toMatch(/reason="queue-full"\} [1-9]/);
  const behind = (clock.now() - (oldestMs ?? 0)) / 1_000;
  expect(await shown('lag_seconds')).toEqual([`ragwarden_remote_write_lag_seconds{store="s1"} ${behind}`]);
  expect(await shown('queue_bytes')).toEqual([`ragwarden_remote_write_queue_bytes{store="s1"} ${bytes}`]);
  store.answer = { status: 204 };
  await clock.advance(60_000);
  await until('the queue is empty', isIdle(writer));
  // The one that was under way, then those that were left: the newest without a hole.
  const last = valuesOf('done_total').slice(1) as number[];
  expect(last.at(-1)).toBe(12);
  expect(last).toEqual(last.map((_, i) => 12 - last.length + 1 + i));
});

test('at the end every series ends, and what could not be sent by then is sent by the next life', async () => {
  registry.gauge({ name: 'level', help: 'h' }).set(4);
  const first = await begin();
  await until('the queue is empty', isIdle(first));
  await clock.advance(100);
  await first.stop?.();
  expect(valuesOf('level')).toEqual([4, 4, Number.NaN]);
  expect(first.status().segments).toBe(0);

  store.taken.length = 0;
  store.answer = new AppError('outgoing/failed', 'It is away.');
  const second = await begin();
  await until('an attempt', () => second.status().failingSinceMs !== null);
  await clock.advance(100);
  await second.stop?.();
  expect(readdirSync(join(folder, 's1')).length).toBeGreaterThan(0);
  store.answer = { status: 204 };
  await clock.advance(100);
  const third = await begin();
  await until('the queue is empty', isIdle(third));
  expect(valuesOf('level')).toEqual([4, 4, Number.NaN, 4]);
});

test('secrets are sent as they are at that moment, and nothing is queued while the disk is nearly full or cannot be written', async () => {
  const file = join(folder, 'token');
  writeFileSync(file, 'one\n');
  const endpoint = { url: 'http://store.test/', headers: { 'X-Scope-OrgID': 'rag' }, timeoutMs: 1_000 };
  const writer = await begin({ endpoint: { ...endpoint, auth: { kind: 'bearer', token: { file } } } });
  await until('the queue is empty', isIdle(writer));
  writeFileSync(file, 'two\n');
  await sampleAt(writer, 10);
  await until('the queue is empty', isIdle(writer));
  expect(store.requests.map(({ headers }) => headers?.authorization)).toEqual(['Bearer one', 'Bearer two']);
  expect(store.requests[0]?.headers).toMatchObject({ 'x-scope-orgid': 'rag' });

  writer.pause(true);
  await sampleAt(writer, 10);
  expect(writer.status().segments).toBe(0);
  expect((await shown('dropped_samples_total'))[0]).toMatch(/reason="low-disk"\} [1-9]/);
  writer.pause(false);
  rmSync(join(folder, 's1'), { recursive: true });
  writeFileSync(join(folder, 's1'), '');
  await sampleAt(writer, 10);
  expect((await shown('dropped_samples_total')).join()).toMatch(/reason="not-queued"\} [1-9]/);
  expect(writer.status().lastLoss?.reason).toContain('EEXIST');
  rmSync(join(folder, 's1'));
  await sampleAt(writer, 10);
  await until('the queue is empty', isIdle(writer));
  expect(writer.status().lastSuccessMs).toBe(clock.now());
  await writer.stop?.();
  const basic = { kind: 'basic', username: 'me', password: { value: 'p:w' } } as const;
  const other = await begin({ name: 's1', endpoint: { ...endpoint, auth: basic } });
  await until('the queue is empty', isIdle(other));
  expect(store.requests.at(-1)?.headers?.authorization).toBe(`Basic ${Buffer.from('me:p:w').toString('base64')}`);
});
