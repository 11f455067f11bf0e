import type { Clock } from '../platform/clock.ts';
import type { Part } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type ReconcilerState } from '../platform/reconciler.ts';
import { createDiskReader, type DiskSample } from './disk-reader.ts';
import { measureFolders } from './folder-sizes.ts';
import type { HostSample, UserDirectorySizes } from './host.ts';
import type { HostLoad } from './host-health.ts';
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

export type HostSampler = Part & {
  /** Undefined until the host was read twice, which is what a share of CPU time takes. */
  latest(): HostSample | undefined;
  /** A sample older than this says nothing about now: two minutes, or three intervals where that is longer. */
  staleAfterMs(): number;
  /** Load of the last hour, oldest first, the latest sample included. */
  recent(): readonly HostLoad[];
  /** Undefined until the first walk is over, and without a data folder. */
  userDirectories(): UserDirectorySizes | undefined;
  /** Why nothing can be sampled on this machine; undefined where it can. */
  unavailable(): string | undefined;
  /** Called after each sample; the returned function ends that. */
  onSample(callback: (sample: HostSample) => void): () => void;
  /** Takes one sample now. Undefined when it was the first reading. */
  sampleOnce(): Promise<HostSample | undefined>;
  measureDirectoriesOnce(): Promise<void>;
  setIntervalMs(ms: number): void;
  /** State of the two background jobs. */
  jobs(): readonly ReconcilerState[];
};

export type HostSamplerOptions = {
  clock: Clock;
  log: Logger;
  /** Default 1 s: a sample costs a fifth of a millisecond. */
  intervalMs?: number;
  /** The target's data folder; its first-level folders are what users' storage is told by. */
  dataDir?: string | undefined;
  /** Folders whose file systems are watched besides the mounted ones (repository, own data). */
  diskPaths?: readonly string[];
  /** How often user directories are walked; default 5 min. */
  directoriesIntervalMs?: number;
  /** The backend's process, where it is known. */
  targetPid?: () => number | undefined;
  reader?: ProcfsReader;
  platform?: NodeJS.Platform;
};

/** So soon after the baseline comes the first sample: long enough for 25 ticks per core. */
const firstSampleMs = 250;
const mountsEveryMs = 30_000;
const keptLoadMs = 3_600_000;

/** Samples in the background; whoever asks reads what was last seen, so that asking costs nothing. */
export function createHostSampler(options: HostSamplerOptions): HostSampler {
  const { clock, log, dataDir, intervalMs = 1_000, platform = process.platform } = options;
  const reason =
    platform === 'linux' ? undefined : `Host figures are read from /proc, which ${platform} does not have.`;
  const callbacks = new Set<(sample: HostSample) => void>();
  const loads: HostLoad[] = [];
  let wantedIntervalMs = intervalMs;
  let latest: HostSample | undefined;
  let directories: UserDirectorySizes | undefined;
  let take: ReturnType<typeof createTaker> | undefined;

  const sampleOnce = async (): Promise<HostSample | undefined> => {
    if (reason !== undefined) return undefined;
    take ??= createTaker(options);
    const sample = await take.sample();
    if (sample === undefined) return undefined;
    latest = sample;
    loads.push({ takenAtMs: sample.takenAtMs, cpuPercent: sample.cpu.percent, memoryPercent: sample.memory.percent });
    while (loads[0] !== undefined && sample.takenAtMs - loads[0].takenAtMs > keptLoadMs) loads.shift();
    for (const callback of callbacks)
      try {
        callback(sample);
      } catch (err) {
        log.error({ err }, 'a listener of host samples failed');
      }
    return sample;
  };

  const sampling = createReconciler({
    name: 'host sampler',
    intervalMs: Math.min(intervalMs, firstSampleMs),
    clock,
    log,
    async run() {
      if ((await sampleOnce()) !== undefined) sampling.setIntervalMs(wantedIntervalMs);
    },
  });
  const walking = createReconciler({
    name: 'user directories',
    intervalMs: options.directoriesIntervalMs ?? 300_000,
    clock,
    log,
    async run(signal) {
      if (dataDir !== undefined) directories = await measureFolders(dataDir, clock, signal);
    },
  });

  return {
    name: 'host sampler',
    async start(signal) {
      if (dataDir !== undefined) await walking.start?.(signal);
      if (reason !== undefined) log.warn(reason);
      else await sampling.start?.(signal);
    },
    async stop() {
      await Promise.all([sampling.stop?.(), walking.stop?.()]);
      take?.close();
      take = undefined;
    },
    latest: () => latest,
    staleAfterMs: () => Math.max(120_000, 3 * wantedIntervalMs),
    recent: () => loads,
    userDirectories: () => directories,
    unavailable: () => reason,
    onSample(callback) {
      callbacks.add(callback);
      return () => callbacks.delete(callback);
    },
    sampleOnce,
    measureDirectoriesOnce: () => walking.runOnce(),
    setIntervalMs(ms) {
      wantedIntervalMs = ms;
      if (latest !== undefined) sampling.setIntervalMs(ms);
    },
    jobs: () => [sampling.state(), walking.state()],
  };
}

type Baseline = { readonly times: CpuTimes; readonly monotonicMs: number };

function createTaker(options: HostSamplerOptions) {
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
  let before: Baseline | undefined;
  let mountPoints: readonly string[] = [];
  let mountsReadAtMs = Number.NEGATIVE_INFINITY;

  const required = (path: string): string => {
    const text = reader.text(path);
    if (text === undefined) throw new Error(`${path} cannot be read`);
    return text;
  };

  const refreshMounts = (monotonicMs: number): void => {
    if (monotonicMs - mountsReadAtMs < mountsEveryMs) return;
    mountsReadAtMs = monotonicMs;
    const block = parseBlockFileSystems(reader.text('/proc/filesystems') ?? '');
    const points = realMounts(parseMounts(reader.text('/proc/self/mountinfo') ?? ''), block).map((m) => m.mountPoint);
    mountPoints = [...new Set(['/', ...points, ...diskPaths])];
  };

  const readDisks = async (): Promise<ReadonlyMap<string, DiskSample>> => {
    const paths = dataDir === undefined ? mountPoints : [...new Set([...mountPoints, dataDir])];
    const read = await Promise.all(paths.map((path) => disks.read(path)));
    const found = new Map<string, DiskSample>();
    paths.forEach((path, i) => {
      const disk = read[i];
      if (disk !== undefined) found.set(path, disk);
    });
    return found;
  };

  return {
    async sample(): Promise<HostSample | undefined> {
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
      const found = await readDisks();
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
