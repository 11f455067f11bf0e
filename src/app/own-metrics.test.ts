import { expect, test } from 'vitest';
import type { HostSample, HostSampler } from '../host/index.ts';
import { createMetricRegistry, createMetrics } from '../metrics/index.ts';
import { openTestMetrics } from '../migrations/test-state.ts';
import { systemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { createOwnMetrics } from './own-metrics.ts';

/** As far as it is looked at here; CPU and memory of the host are nothing like those of this process. */
const sampleAt = (takenAtMs: number, percent: number) =>
  ({
    takenAtMs,
    cpu: { percent },
    memory: { percent: 91.5, usedBytes: 12_345 },
    dataDisk: { percent: 40 },
    network: { total: { bytesSent: 1_000 + percent, bytesReceived: 2_000 } },
    process: { threads: 11, openDescriptors: 23 },
  }) as unknown as HostSample; // the rest of a sample has nothing to do with it

test('the metrics that are there from the start tell of the host, of requests and of users', async () => {
  const { db, remove } = await openTestMetrics();
  let now = Date.UTC(2026, 0, 5);
  let monotonic = 0;
  const clock = { ...systemClock, now: () => now, monotonic: () => monotonic };
  const registry = createMetricRegistry({ clock });
  const { recorder, history } = await createMetrics({ registry, db, clock, log: silentLogger, instance: 'i1' });
  let latest: HostSample | undefined;
  const sampler = { latest: () => latest } as HostSampler; // all that is asked of it
  const own = createOwnMetrics({ recorder, registry, sampler, clock });
  expect(recorder.definitions().map(({ name }) => name)).toEqual([
    'active_users',
    'agent_executions',
    'request_duration_ms',
    'request_rate',
    'resource_count',
    'resource_leaks',
    'system_cpu_percent',
    'system_disk_usage_percent',
    'system_memory_bytes',
    'system_memory_percent',
    'system_network_bytes_recv',
    'system_network_bytes_sent',
    'system_open_files',
    'system_threads',
  ]);
  // Nothing was seen yet, so nothing is claimed.
  await history.sampleOnce();
  const ask = async (name: string, aggregation: 'average' | 'max' | 'sum' | 'last' | 'count') =>
    (await history.query({ name, aggregation, fromMs: now - 600_000, toMs: now, groupBy: [] })).series[0]?.values[0];
  expect(await ask('system_cpu_percent', 'last')).toBeUndefined();
  for (const percent of [60, 96]) {
    now += 5_000;
    monotonic += 5_000;
    latest = sampleAt(now, percent);
    own.asked('alice');
    own.asked('bob');
    for (let i = 0; i < 10; i += 1) own.answered({ method: 'GET', route: '/x', status: 200, durationMs: percent });
    await history.sampleOnce();
  }
  // The same sample once more is no other value.
  now += 1_000;
  await history.sampleOnce();
  expect(await ask('system_cpu_percent', 'average')).toBe(78);
  expect(await ask('system_cpu_percent', 'count')).toBe(2);
  expect(await ask('system_memory_percent', 'max')).toBe(91.5);
  expect(await ask('system_memory_bytes', 'last')).toBe(12_345);
  expect(await ask('system_disk_usage_percent', 'last')).toBe(40);
  expect(await ask('system_threads', 'last')).toBe(11);
  expect(await ask('system_open_files', 'last')).toBe(23);
  // Totals since the host started are not growth since we did.
  expect(await ask('system_network_bytes_sent', 'sum')).toBe(36);
  expect(await ask('request_duration_ms', 'average')).toBe(78);
  expect(await ask('request_rate', 'max')).toBe(2);
  expect(await ask('active_users', 'max')).toBe(2);
  await remove();
});
