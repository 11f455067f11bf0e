import { readdirSync, readFileSync, statSync } from 'node:fs';
import {
  constants,
  type IntervalHistogram,
  monitorEventLoopDelay,
  PerformanceObserver,
  performance,
} from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Part } from '../platform/lifecycle.ts';
import type { MetricRegistry } from './registry.ts';

/**
 * Of a Node.js that cannot measure each turn of its loop: how often the delay is probed, and the probe's own waiting time is taken off
 * again. What blocks the loop for longer than this is always seen, what is shorter now and then.
 */
const probeMs = 100;

/**
 * Whether this Node.js can measure each turn of its loop, which sees every delay and wakes nobody: a probe wakes the process at each of
 * its times, which was a tenth of what a quiet one cost. One that cannot takes any value of an option that it does not know.
 */
function measuresTurns(): boolean {
  try {
    monitorEventLoopDelay({ samplePerIteration: null } as object);
    return false;
  } catch {
    return true;
  }
}

/**
 * The standard `process_*` and `nodejs_*` families about this process, read when somebody asks. Only the loop delay and garbage
 * collection need watching in between, from `start` to `stop`.
 */
export function createProcessMetrics(registry: MetricRegistry): Part {
  addProcessMetrics(registry);
  addHeapMetrics(registry);
  return addLoopMetrics(registry);
}

function addProcessMetrics(registry: MetricRegistry): void {
  const cpu = registry.counter({
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time spent.',
    unit: 'seconds',
  });
  const resident = registry.gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory size.',
    unit: 'bytes',
  });
  const virtual = registry.gauge({
    name: 'process_virtual_memory_bytes',
    help: 'Virtual memory size.',
    unit: 'bytes',
  });
  const openFds = registry.gauge({ name: 'process_open_fds', help: 'Open file descriptors.' });
  const maxFds = registry.gauge({ name: 'process_max_fds', help: 'Limit of open file descriptors.' });
  const startTime = registry.gauge({
    name: 'process_start_time_seconds',
    help: 'When this process started, since the Unix epoch.',
    unit: 'seconds',
  });
  /** A process starts with it, and nothing here changes it. */
  let limit: number | undefined;
  registry.collector({
    name: 'process',
    sets: [cpu, resident, virtual, openFds, maxFds, startTime],
    collect() {
      const used = process.cpuUsage();
      cpu.mirror((used.user + used.system) / 1e6);
      startTime.set(performance.timeOrigin / 1_000);
      if (process.platform !== 'linux') {
        resident.set(process.memoryUsage.rss());
        return;
      }
      openFds.set(countOpenFds());
      // One file for both.
      const status = readFileSync('/proc/self/status', 'latin1');
      const virtualKb = /^VmSize:\s+(\d+) kB$/m.exec(status)?.[1];
      if (virtualKb !== undefined) virtual.set(Number(virtualKb) * 1024);
      const residentKb = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
      if (residentKb !== undefined) resident.set(Number(residentKb) * 1024);
      limit ??= readFdLimit();
      if (limit !== undefined) maxFds.set(limit);
    },
  });
}

/** Linux tells their number as the size of the folder since 6.2, without listing it. */
function countOpenFds(): number {
  const { size } = statSync('/proc/self/fd');
  return size > 0 ? size : readdirSync('/proc/self/fd').length;
}

function readFdLimit(): number | undefined {
  const limit = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  if (limit === undefined) return undefined;
  return limit === 'unlimited' ? Infinity : Number(limit);
}

function addHeapMetrics(registry: MetricRegistry): void {
  const gauge = (name: string, help: string) => registry.gauge({ name, help, unit: 'bytes' });
  const total = gauge('nodejs_heap_size_total_bytes', 'Size of the JavaScript heap.');
  const used = gauge('nodejs_heap_size_used_bytes', 'Used part of the JavaScript heap.');
  const external = gauge('nodejs_external_memory_bytes', 'Memory of objects outside the JavaScript heap.');
  const version = registry.gauge({
    name: 'nodejs_version_info',
    help: 'Version of Node.js; the value is always 1.',
    labels: ['version', 'major', 'minor', 'patch'],
  });
  const resources = registry.gauge({
    name: 'nodejs_active_resources',
    help: 'Resources that keep the event loop alive, by type.',
    labels: ['type'],
  });
  const [major = '', minor = '', patch = ''] = process.versions.node.split('.');
  version.labels(process.version, major, minor, patch).set(1);
  registry.collector({
    name: 'nodejs',
    sets: [total, used, external, resources],
    collect() {
      // What `process.memoryUsage` says, which reads the resident memory from a file besides.
      const heap = getHeapStatistics();
      total.set(heap.total_heap_size);
      used.set(heap.used_heap_size);
      external.set(heap.external_memory);
      const counts = new Map<string, number>();
      for (const type of process.getActiveResourcesInfo()) counts.set(type, (counts.get(type) ?? 0) + 1);
      for (const [type, count] of counts) resources.labels(type).set(count);
    },
  });
}

const gcKinds: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

/** Node gives `detail.kind` on entries of this type; the typings of the browser, which come first here, do not know it. */
function gcKind(entry: object): string {
  const detail: unknown = 'detail' in entry ? entry.detail : undefined;
  if (typeof detail !== 'object' || detail === null || !('kind' in detail)) return 'other';
  return gcKinds[Number(detail.kind)] ?? 'other';
}

function addLoopMetrics(registry: MetricRegistry): Part {
  const gauge = (name: string, help: string) => registry.gauge({ name, help, unit: 'seconds' });
  const mean = gauge('nodejs_eventloop_lag_mean_seconds', 'Mean delay of the event loop since the last collection.');
  const max = gauge('nodejs_eventloop_lag_max_seconds', 'Greatest delay of the event loop since the last collection.');
  const p99 = gauge('nodejs_eventloop_lag_p99_seconds', '99th percentile of the delay since the last collection.');
  const utilization = registry.gauge({
    name: 'nodejs_eventloop_utilization_ratio',
    help: 'Share of time the event loop was busy since the last collection.',
    unit: 'ratio',
  });
  const gc = registry.histogram({
    name: 'nodejs_gc_duration_seconds',
    help: 'Time taken by garbage collection, by kind.',
    unit: 'seconds',
    labels: ['kind'],
    buckets: [0.001, 0.01, 0.1, 1, 2, 5],
  });
  let delay: IntervalHistogram | undefined;
  let observer: PerformanceObserver | undefined;
  let before = performance.eventLoopUtilization();
  const eachTurn = measuresTurns();
  const waitedMs = eachTurn ? 0 : probeMs;
  registry.collector({
    name: 'event loop',
    sets: [mean, max, p99, utilization],
    collect() {
      const now = performance.eventLoopUtilization();
      utilization.set(performance.eventLoopUtilization(now, before).utilization);
      before = now;
      if (delay === undefined || delay.count === 0) return;
      const seconds = (ns: number): number => Math.max(0, ns / 1e9 - waitedMs / 1e3);
      mean.set(seconds(delay.mean));
      max.set(seconds(delay.max));
      p99.set(seconds(delay.percentile(99)));
      delay.reset();
    },
  });
  return {
    name: 'process metrics',
    start() {
      delay = monitorEventLoopDelay(eachTurn ? ({ samplePerIteration: true } as object) : { resolution: probeMs });
      delay.enable();
      // The turn in which it is switched on counts the waiting before it as well.
      setImmediate(() => delay?.reset());
      observer = new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) {
          gc.labels(gcKind(entry)).observe(entry.duration / 1e3);
        }
      });
      observer.observe({ entryTypes: ['gc'] });
    },
    stop() {
      delay?.disable();
      observer?.disconnect();
      delay = undefined;
      observer = undefined;
    },
  };
}

/** `ragwarden_build_info`, always 1: what runs here. */
export function setBuildInfo(registry: MetricRegistry, version: string): void {
  registry
    .gauge({
      name: 'ragwarden_build_info',
      help: 'Which ragwarden this is; the value is always 1.',
      labels: ['version', 'node'],
    })
    .labels(version, process.versions.node)
    .set(1);
}
