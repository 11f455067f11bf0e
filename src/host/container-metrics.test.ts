import { expect, test } from 'vitest';
import { createMetricRegistry, createMetricsHandler } from '../metrics/index.ts';
import { systemClock } from '../platform/clock.ts';
import { containerMetrics, hostPressureMetrics } from './container-metrics.ts';
import type { HostSample } from './host.ts';

type Seen = Pick<HostSample, 'pressure' | 'container'>;
const stall = (totalUs: number) => ({ avg10: 0, avg60: 0, avg300: 0, totalUs });
const pressure = {
  cpu: { some: stall(1_500_000), full: undefined },
  memory: { some: stall(2_000_000), full: stall(500_000) },
  io: undefined,
};
const inContainer: Seen = {
  pressure,
  container: {
    path: '/',
    version: 2,
    memory: {
      limitBytes: 1_024,
      usedBytes: 512,
      percent: 50,
      swapLimitBytes: undefined,
      swapUsedBytes: 0,
      ooms: 1,
      oomKills: 3,
      newOomKills: 0,
    },
    cpu: {
      limitCores: 1.5,
      usedCores: undefined,
      percent: undefined,
      usageSeconds: 7,
      periods: 9,
      throttledPeriods: 4,
      throttledSeconds: 0.25,
    },
    processes: { count: 5, limit: undefined },
    pressure,
  },
};

async function exposed(seen: Seen): Promise<string[]> {
  const registry = createMetricRegistry({ clock: systemClock });
  const parts = [hostPressureMetrics(registry), containerMetrics(registry)];
  registry.collector({
    name: 'host',
    sets: parts.flatMap((part) => part.sets),
    // Only these two fields are read; the rest of a sample is shown by other families.
    collect() {
      for (const part of parts) part.set(seen as HostSample);
    },
  });
  const { body } = await createMetricsHandler(registry)(undefined);
  return body.split('\n').filter((line) => line.startsWith('ragwarden_'));
}

test('limits, use and waiting stand on /metrics in base units; what is not known is absent', async () => {
  expect(await exposed(inContainer)).toEqual([
    'ragwarden_container_cpu_limit_cores 1.5',
    'ragwarden_container_cpu_periods_total 9',
    'ragwarden_container_cpu_throttled_periods_total 4',
    'ragwarden_container_cpu_throttled_seconds_total 0.25',
    'ragwarden_container_cpu_usage_seconds_total 7',
    'ragwarden_container_memory_limit_bytes 1024',
    'ragwarden_container_memory_oom_kills_total 3',
    'ragwarden_container_memory_working_set_bytes 512',
    'ragwarden_container_pressure_stalled_seconds_total{resource="memory"} 0.5',
    'ragwarden_container_pressure_waiting_seconds_total{resource="cpu"} 1.5',
    'ragwarden_container_pressure_waiting_seconds_total{resource="memory"} 2',
    'ragwarden_container_processes 5',
    'ragwarden_container_swap_used_bytes 0',
    'ragwarden_host_pressure_stalled_seconds_total{resource="memory"} 0.5',
    'ragwarden_host_pressure_waiting_seconds_total{resource="cpu"} 1.5',
    'ragwarden_host_pressure_waiting_seconds_total{resource="memory"} 2',
  ]);
});

test('on the bare machine, and where the kernel keeps no account, nothing of it is there', async () => {
  expect(await exposed({ pressure: undefined, container: undefined })).toEqual([]);
});
