import type { MetricRegistry } from '../metrics/index.ts';
import type { Clock } from '../platform/clock.ts';
import { containerMetrics, hostPressureMetrics } from './container-metrics.ts';
import type { HostSample, ProcessSample } from './host.ts';
import type { HostSampler } from './host-sampler.ts';
import type { NetworkCounters } from './procfs-network.ts';

/** The host's families, in base units, from the latest sample; absent while there is none that tells about now. Names of users are never labels. */
export function registerHostMetrics(registry: MetricRegistry, sampler: HostSampler, clock: Clock): void {
  const set = [
    cpuMetrics(registry),
    memoryMetrics(registry),
    diskMetrics(registry),
    networkMetrics(registry),
    targetMetrics(registry),
    hostPressureMetrics(registry),
    containerMetrics(registry),
  ];
  registry.collector({
    name: 'host',
    sets: set.flatMap((part) => part.sets),
    collect() {
      const sample = sampler.latest();
      if (sample === undefined || clock.now() - sample.takenAtMs > sampler.staleAfterMs()) return;
      for (const part of set) part.set(sample);
    },
  });
}

export type Families = { readonly sets: readonly { readonly family: MetricFamily }[]; set(sample: HostSample): void };
type MetricFamily = ReturnType<MetricRegistry['families']>[number];

function cpuMetrics(registry: MetricRegistry): Families {
  const gauge = (name: string, help: string) => registry.gauge({ name: `ragwarden_host_${name}`, help });
  const usage = gauge('cpu_usage_ratio', 'Share of CPU time that was not idle, over all cores.');
  const perCore = registry.gauge({
    name: 'ragwarden_host_cpu_core_usage_ratio',
    help: 'Share of CPU time that was not idle, per core.',
    labels: ['core'],
  });
  const seconds = registry.counter({
    name: 'ragwarden_host_cpu_seconds_total',
    help: 'CPU time since boot, over all cores, by what it was spent on.',
    unit: 'seconds',
    labels: ['mode'],
  });
  const logical = gauge('cpu_cores_logical', 'Cores as the kernel schedules them.');
  const physical = gauge('cpu_cores_physical', 'Physical cores.');
  const loads = [1, 5, 15].map((n) => gauge(`load${n}`, `Runnable tasks, averaged over ${n} min.`));
  const boot = gauge('boot_time_seconds', 'When the host started, since the Unix epoch.');
  const taken = gauge('sample_timestamp_seconds', 'When the host was last sampled, since the Unix epoch.');
  return {
    sets: [usage, perCore, seconds, logical, physical, ...loads, boot, taken],
    set({ cpu, bootTimeMs, takenAtMs }) {
      usage.set(cpu.percent / 100);
      for (const { core, percent } of cpu.perCore)
        if (percent !== undefined) perCore.labels(String(core)).set(percent / 100);
      for (const [mode, value] of Object.entries(cpu.seconds)) seconds.labels(mode).mirror(value);
      logical.set(cpu.logicalCount);
      if (cpu.physicalCount !== undefined) physical.set(cpu.physicalCount);
      loads.forEach((load, i) => {
        load.set(cpu.loadAverage[i] ?? Number.NaN);
      });
      boot.set(bootTimeMs / 1_000);
      taken.set(takenAtMs / 1_000);
    },
  };
}

function memoryMetrics(registry: MetricRegistry): Families {
  const gauge = (name: string, help: string) => registry.gauge({ name: `ragwarden_host_${name}`, help });
  const size = gauge('memory_size_bytes', 'Memory of the host.');
  const available = gauge('memory_available_bytes', 'Memory that can be given out without swapping.');
  const used = gauge('memory_used_bytes', 'Memory that is not available.');
  const usage = gauge('memory_usage_ratio', 'Used share of the memory.');
  const swapSize = gauge('swap_size_bytes', 'Swap space.');
  const swapUsed = gauge('swap_used_bytes', 'Used swap space.');
  return {
    sets: [size, available, used, usage, swapSize, swapUsed],
    set({ memory }) {
      size.set(memory.totalBytes);
      available.set(memory.availableBytes);
      used.set(memory.usedBytes);
      usage.set(memory.percent / 100);
      swapSize.set(memory.swapTotalBytes);
      swapUsed.set(memory.swapUsedBytes);
    },
  };
}

function diskMetrics(registry: MetricRegistry): Families {
  const gauge = (name: string, help: string) =>
    registry.gauge({ name: `ragwarden_host_filesystem_${name}`, help, labels: ['path'] });
  const size = gauge('size_bytes', 'Size of the file system.');
  const used = gauge('used_bytes', 'Used bytes of the file system.');
  const free = gauge('free_bytes', 'Bytes an ordinary user may still write.');
  const usage = gauge('usage_ratio', 'Used share of what an ordinary user may use.');
  return {
    sets: [size, used, free, usage],
    set({ disks, dataDisk }) {
      for (const disk of dataDisk === undefined ? disks : [...disks, dataDisk]) {
        size.labels(disk.path).set(disk.totalBytes);
        used.labels(disk.path).set(disk.usedBytes);
        free.labels(disk.path).set(disk.freeBytes);
        usage.labels(disk.path).set(disk.percent / 100);
      }
    },
  };
}

function networkMetrics(registry: MetricRegistry): Families {
  const counters = (
    [
      ['receive_bytes', 'bytesReceived', 'Bytes received'],
      ['transmit_bytes', 'bytesSent', 'Bytes sent'],
      ['receive_packets', 'packetsReceived', 'Packets received'],
      ['transmit_packets', 'packetsSent', 'Packets sent'],
      ['receive_errors', 'errorsIn', 'Receive errors'],
      ['transmit_errors', 'errorsOut', 'Transmit errors'],
      ['receive_drops', 'dropsIn', 'Received packets that were dropped'],
      ['transmit_drops', 'dropsOut', 'Packets that were dropped instead of sent'],
    ] as const satisfies readonly (readonly [string, keyof NetworkCounters, string])[]
  ).map(([name, field, help]) => ({
    field,
    counter: registry.counter({
      name: `ragwarden_host_network_${name}_total`,
      help: `${help}, by interface, the loopback included.`,
      labels: ['interface'],
    }),
  }));
  return {
    sets: counters.map(({ counter }) => counter),
    set({ network }) {
      for (const [name, values] of network?.interfaces ?? [])
        for (const { field, counter } of counters) {
          const value = values[field];
          if (value !== undefined) counter.labels(name).mirror(value);
        }
    },
  };
}

function targetMetrics(registry: MetricRegistry): Families {
  const gauge = (name: string, help: string, value: (process: ProcessSample) => number | undefined) => ({
    value,
    gauge: registry.gauge({ name: `ragwarden_target_process_${name}`, help }),
  });
  const gauges = [
    gauge('cpu_usage_ratio', "CPU time of the backend's process; 1 is one core.", (p) =>
      p.cpuPercent === undefined ? undefined : p.cpuPercent / 100,
    ),
    gauge('resident_memory_bytes', "Resident memory of the backend's process.", (p) => p.residentBytes),
    gauge('virtual_memory_bytes', "Virtual memory of the backend's process.", (p) => p.virtualBytes),
    gauge('threads', "Threads of the backend's process.", (p) => p.threads),
    gauge('open_fds', "Open file descriptors of the backend's process.", (p) => p.openDescriptors),
    gauge('sockets', "Open sockets of the backend's process.", (p) => p.connections),
    gauge('start_time_seconds', "When the backend's process started.", (p) => p.startedAtMs / 1_000),
  ];
  // They begin anew with a new process, as counters may.
  const counters = (
    [
      ['cpu_seconds', 'cpuSeconds', "CPU time of the backend's process since it started."],
      ['read_bytes', 'readBytes', "Bytes that the backend's process had to fetch from a disk."],
      ['written_bytes', 'writtenBytes', "Bytes that the backend's process caused to be written to a disk."],
    ] as const
  ).map(([name, field, help]) => ({
    field,
    counter: registry.counter({ name: `ragwarden_target_process_${name}_total`, help }),
  }));
  return {
    sets: [...gauges.map((g) => g.gauge), ...counters.map((c) => c.counter)],
    set({ targetProcess }) {
      if (targetProcess === undefined) return;
      for (const { gauge: metric, value } of gauges) {
        const now = value(targetProcess);
        if (now !== undefined) metric.set(now);
      }
      for (const { field, counter } of counters) {
        const now = targetProcess[field];
        if (now !== undefined) counter.mirror(now);
      }
    },
  };
}
