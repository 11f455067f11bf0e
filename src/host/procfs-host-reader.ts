import { type CgroupTracker, createCgroupTracker } from './cgroup-tracker.ts';
import { createDiskReader } from './disk-reader.ts';
import type { HostSample } from './host.ts';
import type { HostReader, HostReaderOptions } from './host-reader.ts';
import { createPressureReader } from './pressure.ts';
import { createProcessTracker } from './process-tracker.ts';
import {
  type CpuTicks,
  type CpuTimes,
  cpuPercent,
  parseCpuTimes,
  parseLoadAverage,
  parsePhysicalCores,
  parseUptime,
} from './procfs-cpu.ts';
import { parseMemory } from './procfs-memory.ts';
import { parseBlockFileSystems, parseMounts, realMounts } from './procfs-mounts.ts';
import { parseNetwork, sumNetwork } from './procfs-network.ts';
import { parseProcessUnits } from './procfs-process.ts';
import { createProcfsReader, type ProcfsReader } from './procfs-reader.ts';

const mountsEveryMs = 30_000;

type Baseline = { readonly times: CpuTimes; readonly monotonicMs: number };

/** Reads what the kernel of Linux tells, on descriptors that stay open: a fraction of a millisecond, and no child process. */
export function createProcfsHostReader(options: HostReaderOptions & { readonly reader?: ProcfsReader }): HostReader {
  const { clock, dataDir, diskPaths = [], targetPid } = options;
  const reader = options.reader ?? createProcfsReader();
  const disks = createDiskReader({ clock });
  const units = parseProcessUnits(reader.bytes('/proc/self/auxv') ?? Buffer.alloc(0));
  const own = createProcessTracker({
    reader,
    units,
    exactCpuSeconds() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  });
  const target = createProcessTracker({ reader, units });
  const physicalCount = parsePhysicalCores(reader.text('/proc/cpuinfo') ?? '');
  reader.forget('/proc/cpuinfo');
  const container = createCgroupTracker({ reader, who: 'self' });
  let targetContainer: { pid: number; tracker: CgroupTracker } | undefined;
  const pressure = createPressureReader(reader, (resource) => `/proc/pressure/${resource}`);
  let before: Baseline | undefined;
  let mountPoints: readonly string[] = [];
  let mountsReadAtMs = Number.NEGATIVE_INFINITY;

  const required = (path: string): string => {
    const text = reader.text(path);
    if (text === undefined) throw new Error(`${path} cannot be read`);
    return text;
  };

  const containerOf = (pid: number): CgroupTracker => {
    if (targetContainer?.pid !== pid) {
      targetContainer?.tracker.close();
      const tracker = createCgroupTracker({ reader, who: String(pid), elsewhere: container.membership });
      targetContainer = { pid, tracker };
    }
    return targetContainer.tracker;
  };

  const refreshMounts = (monotonicMs: number): void => {
    if (monotonicMs - mountsReadAtMs < mountsEveryMs) return;
    mountsReadAtMs = monotonicMs;
    const block = parseBlockFileSystems(reader.text('/proc/filesystems') ?? '');
    const points = realMounts(parseMounts(reader.text('/proc/self/mountinfo') ?? ''), block).map((m) => m.mountPoint);
    mountPoints = [...new Set(['/', ...points, ...diskPaths])];
  };

  return {
    async read(): Promise<HostSample | undefined> {
      const takenAtMs = clock.now();
      const monotonicMs = clock.monotonic();
      const times = parseCpuTimes(required('/proc/stat'));
      const percent = before === undefined ? undefined : cpuPercent(before.times.total, times.total);
      const memory = parseMemory(required('/proc/meminfo'));
      const bootTimeMs = times.bootTimeSeconds * 1_000;
      const about = { bootTimeMs, memoryBytes: memory.totalBytes, monotonicMs };
      // Read also in the baseline, so that the processes' shares are there with the first sample.
      const ownProcess = own.read(process.pid, about);
      const pid = targetPid?.();
      const targetProcess = pid === undefined ? undefined : target.read(pid, about);
      const limits = { memoryBytes: memory.totalBytes, cores: times.cores.size, monotonicMs };
      const ownContainer = container.read(limits);
      const itsContainer = targetProcess && containerOf(targetProcess.pid).read(limits);
      if (before === undefined || percent === undefined || ownProcess === undefined) {
        before ??= { times, monotonicMs };
        return undefined;
      }
      const earlier = before;
      before = { times, monotonicMs };
      const interfaces = parseNetwork(required('/proc/net/dev'));
      const loadAverage = parseLoadAverage(required('/proc/loadavg'));
      const uptimeSeconds = parseUptime(required('/proc/uptime'));
      refreshMounts(monotonicMs);
      const found = await disks.read(dataDir === undefined ? mountPoints : [...mountPoints, dataDir]);
      return {
        takenAtMs,
        overMs: monotonicMs - earlier.monotonicMs,
        uptimeSeconds,
        bootTimeMs,
        cpu: {
          percent,
          perCore: [...times.cores].map(([core, ticks]) => {
            const was = earlier.times.cores.get(core);
            return { core, percent: was === undefined ? undefined : cpuPercent(was, ticks) };
          }),
          logicalCount: times.cores.size,
          physicalCount,
          loadAverage,
          seconds: secondsOf(times.total, units.ticksPerSecond),
        },
        memory,
        rootDisk: found.get('/'),
        dataDisk: dataDir === undefined ? undefined : found.get(dataDir),
        disks: mountPoints.flatMap((path) => found.get(path) ?? []),
        network: { total: sumNetwork(interfaces), interfaces },
        process: ownProcess,
        targetProcess,
        pressure: pressure(monotonicMs),
        container: ownContainer,
        targetContainer: itsContainer?.path === ownContainer?.path ? undefined : itsContainer,
      };
    },
    close: () => reader.close(),
  };
}

const secondsOf = (ticks: CpuTicks, perSecond: number): CpuTicks => ({
  user: ticks.user / perSecond,
  nice: ticks.nice / perSecond,
  system: ticks.system / perSecond,
  idle: ticks.idle / perSecond,
  iowait: ticks.iowait / perSecond,
  irq: ticks.irq / perSecond,
  softirq: ticks.softirq / perSecond,
  steal: ticks.steal / perSecond,
});
