import type { MetricRegistry } from '../metrics/index.ts';
import type { ContainerSample } from './host.ts';
import type { Families } from './host-metrics.ts';
import { type Pressure, pressureResources } from './pressure.ts';

function pressureMetrics(registry: MetricRegistry, subject: 'host' | 'container') {
  const where = subject === 'host' ? 'the host' : 'the container';
  const waiting = registry.counter({
    name: `ragwarden_${subject}_pressure_waiting_seconds_total`,
    help: `Time in which at least one task of ${where} waited for the resource.`,
    unit: 'seconds',
    labels: ['resource'],
  });
  const stalled = registry.counter({
    name: `ragwarden_${subject}_pressure_stalled_seconds_total`,
    help: `Time in which all tasks of ${where} waited for the resource.`,
    unit: 'seconds',
    labels: ['resource'],
  });
  return {
    sets: [waiting, stalled],
    set(pressure: Pressure | undefined) {
      for (const resource of pressureResources) {
        const reading = pressure?.[resource];
        if (reading === undefined) continue;
        waiting.labels(resource).mirror(reading.some.totalUs / 1e6);
        if (reading.full !== undefined) stalled.labels(resource).mirror(reading.full.totalUs / 1e6);
      }
    },
  };
}

export function hostPressureMetrics(registry: MetricRegistry): Families {
  const metrics = pressureMetrics(registry, 'host');
  return { sets: metrics.sets, set: ({ pressure }) => metrics.set(pressure) };
}

type Value = (container: ContainerSample) => number | undefined;

/** Of the container we run in; absent on the bare machine, limits absent where there are none. */
export function containerMetrics(registry: MetricRegistry): Families {
  const gauge = (name: string, help: string, value: Value) => ({
    value,
    gauge: registry.gauge({ name: `ragwarden_container_${name}`, help }),
  });
  const counter = (name: string, help: string, value: Value, unit?: 'seconds') => ({
    value,
    counter: registry.counter({ name: `ragwarden_container_${name}_total`, help, ...(unit && { unit }) }),
  });
  const gauges = [
    gauge('memory_limit_bytes', 'Memory that the container may use.', (c) => c.memory?.limitBytes),
    gauge(
      'memory_working_set_bytes',
      'Memory in use, without file cache that can be dropped.',
      (c) => c.memory?.usedBytes,
    ),
    gauge('swap_limit_bytes', 'Swap space that the container may use.', (c) => c.memory?.swapLimitBytes),
    gauge('swap_used_bytes', 'Swap space in use.', (c) => c.memory?.swapUsedBytes),
    gauge('cpu_limit_cores', 'CPU time per second that the container may use.', (c) => c.cpu?.limitCores),
    gauge('processes', 'Processes and threads of the container.', (c) => c.processes?.count),
    gauge('processes_limit', 'Processes and threads that the container may have.', (c) => c.processes?.limit),
  ];
  const counters = [
    counter('cpu_usage_seconds', 'CPU time of the container.', (c) => c.cpu?.usageSeconds, 'seconds'),
    counter('cpu_periods', 'Periods in which a CPU quota was kept.', (c) => c.cpu?.periods),
    counter('cpu_throttled_periods', 'Periods in which the quota was used up.', (c) => c.cpu?.throttledPeriods),
    counter(
      'cpu_throttled_seconds',
      'Time for which tasks were held back by the quota.',
      (c) => c.cpu?.throttledSeconds,
      'seconds',
    ),
    counter('memory_oom_kills', 'Processes that were ended for want of memory.', (c) => c.memory?.oomKills),
  ];
  const pressure = pressureMetrics(registry, 'container');
  return {
    sets: [...gauges.map((one) => one.gauge), ...counters.map((one) => one.counter), ...pressure.sets],
    set({ container }) {
      if (container === undefined) return;
      for (const { gauge: metric, value } of gauges) {
        const now = value(container);
        if (now !== undefined) metric.set(now);
      }
      for (const { counter: metric, value } of counters) {
        const now = value(container);
        if (now !== undefined) metric.mirror(now);
      }
      pressure.set(container.pressure);
    },
  };
}
