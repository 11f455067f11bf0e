import { cpus, loadavg, networkInterfaces, uptime } from 'node:os';
import { createDiskReader } from './disk-reader.ts';
import type { HostSample, ProcessSample } from './host.ts';
import type { HostReader, HostReaderOptions } from './host-reader.ts';
import { type CpuTicks, cpuPercent } from './procfs-cpu.ts';
import type { MemoryReading } from './procfs-memory.ts';
import { type NetworkCounters, sumNetwork } from './procfs-network.ts';

/** What is taken of the package; units as it has them (bytes, but KiB for processes). */
export type SystemLibrary = Pick<
  typeof import('systeminformation'),
  'mem' | 'fsSize' | 'networkStats' | 'cpu' | 'processes'
>;

/**
 * The package starts a program for nearly every figure, and asked again within a second it answers from its memory: what it told is
 * used that long.
 */
const askEveryMs = 2_000;
/** The list of all processes is its dearest answer, the mounts and the number of cores hardly change. */
const processesEveryMs = 10_000;
const mountsEveryMs = 30_000;
const coresEveryMs = 86_400_000;

/**
 * Reads machines that have no `/proc`: CPU time from Node.js itself, memory, mounts, network and the backend's process through the
 * package. Packets, threads, descriptors, pressure and containers are unknown here.
 * @param options.timeoutMs a program that does not end: the figure stays unknown until it does
 */
export function createLibraryHostReader(
  options: HostReaderOptions & { readonly library: SystemLibrary; readonly timeoutMs?: number },
): HostReader {
  const { clock, dataDir, diskPaths = [], targetPid, library, timeoutMs = 10_000 } = options;
  const disks = createDiskReader({ clock });
  const kept = <T>(ask: () => Promise<T>, everyMs: number) => createKept(ask, { everyMs, timeoutMs });
  const askMemory = kept(async () => memoryOf(await library.mem()), askEveryMs);
  const askNetwork = kept(async () => interfacesOf(await library.networkStats('*')), askEveryMs);
  const askMounts = kept(async () => (await library.fsSize()).map((one) => one.mount), mountsEveryMs);
  const askCores = kept(async () => (await library.cpu()).physicalCores, coresEveryMs);
  const askProcesses = kept(async () => (await library.processes()).list, processesEveryMs);
  let before: { cores: readonly CpuTicks[]; cpuSeconds: number; monotonicMs: number } | undefined;

  const readTarget = async (monotonicMs: number, memoryBytes: number): Promise<ProcessSample | undefined> => {
    const pid = targetPid?.();
    if (pid === undefined || !isAlive(pid)) return undefined;
    const seen = (await askProcesses(monotonicMs))?.find((one) => one.pid === pid);
    if (seen === undefined) return undefined;
    const residentBytes = seen.memRss * 1_024;
    return {
      pid,
      cpuPercent: seen.cpu,
      cpuSeconds: undefined,
      memoryPercent: (100 * residentBytes) / memoryBytes,
      residentBytes,
      virtualBytes: seen.memVsz * 1_024,
      startedAtMs: Date.parse(seen.started),
      ...unseen,
    };
  };

  return {
    async read(): Promise<HostSample | undefined> {
      const takenAtMs = clock.now();
      const monotonicMs = clock.monotonic();
      const cores = cpus().map(({ times }) => ticksOf(times));
      const { user, system } = process.cpuUsage();
      const cpuSeconds = (user + system) / 1e6;
      const memory = await askMemory(monotonicMs);
      if (memory === undefined) throw new Error('the memory of this machine cannot be read');
      const interfaces = await askNetwork(monotonicMs);
      const mounts = (await askMounts(monotonicMs)) ?? [];
      const physicalCount = await askCores(monotonicMs);
      const percent = before && cpuPercent(sumOf(before.cores), sumOf(cores));
      if (before === undefined || percent === undefined) {
        before ??= { cores, cpuSeconds, monotonicMs };
        return undefined;
      }
      const earlier = before;
      before = { cores, cpuSeconds, monotonicMs };
      const overMs = monotonicMs - earlier.monotonicMs;
      const targetProcess = await readTarget(monotonicMs, memory.totalBytes);
      const mountPoints = [...new Set([...mounts, ...diskPaths])];
      const found = await disks.read(['/', ...mountPoints, ...(dataDir === undefined ? [] : [dataDir])]);
      const residentBytes = process.memoryUsage.rss();
      return {
        takenAtMs,
        overMs,
        uptimeSeconds: uptime(),
        bootTimeMs: takenAtMs - 1_000 * uptime(),
        cpu: {
          percent,
          perCore: cores.map((ticks, core) => {
            const was = earlier.cores[core];
            return { core, percent: was === undefined ? undefined : cpuPercent(was, ticks) };
          }),
          logicalCount: cores.length,
          physicalCount,
          loadAverage: loadAverage(),
          seconds: sumOf(cores),
        },
        memory,
        rootDisk: found.get('/'),
        dataDisk: dataDir === undefined ? undefined : found.get(dataDir),
        disks: mountPoints.flatMap((path) => found.get(path) ?? []),
        network: interfaces && { total: sumNetwork(interfaces), interfaces },
        process: {
          pid: process.pid,
          cpuPercent: overMs > 0 ? Math.max(0, (100_000 * (cpuSeconds - earlier.cpuSeconds)) / overMs) : undefined,
          cpuSeconds,
          memoryPercent: (100 * residentBytes) / memory.totalBytes,
          residentBytes,
          virtualBytes: undefined,
          startedAtMs: takenAtMs - 1_000 * process.uptime(),
          ...unseen,
        },
        targetProcess,
        pressure: undefined,
        container: undefined,
        targetContainer: undefined,
      };
    },
    close: () => undefined,
  };
}

const unseen = {
  threads: undefined,
  openFiles: undefined,
  connections: undefined,
  openDescriptors: undefined,
  readBytes: undefined,
  writtenBytes: undefined,
};

/** One question to the package: not asked again while it is being answered, nor before `everyMs` passed. */
function createKept<T>(ask: () => Promise<T>, limits: { everyMs: number; timeoutMs: number }) {
  let asked: Promise<T | undefined> | undefined;
  let askedMs = Number.NEGATIVE_INFINITY;
  let last: T | undefined;
  return async (monotonicMs: number): Promise<T | undefined> => {
    if (asked === undefined) {
      if (monotonicMs - askedMs < limits.everyMs) return last;
      askedMs = monotonicMs;
      asked = ask()
        .then((answer) => {
          last = answer;
          return answer;
        })
        .catch(() => {
          last = undefined;
          return undefined;
        })
        .finally(() => {
          asked = undefined;
        });
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), limits.timeoutMs);
    });
    try {
      return await Promise.race([asked, late]);
    } finally {
      clearTimeout(timer);
    }
  };
}

const ticksOf = (times: Readonly<Record<'user' | 'nice' | 'sys' | 'idle' | 'irq', number>>): CpuTicks => ({
  user: times.user / 1_000,
  nice: times.nice / 1_000,
  system: times.sys / 1_000,
  idle: times.idle / 1_000,
  irq: times.irq / 1_000,
  iowait: 0,
  softirq: 0,
  steal: 0,
});

function sumOf(cores: readonly CpuTicks[]): CpuTicks {
  const sum = { user: 0, nice: 0, system: 0, idle: 0, iowait: 0, irq: 0, softirq: 0, steal: 0 };
  for (const ticks of cores)
    for (const mode of ['user', 'nice', 'system', 'idle', 'irq'] as const) sum[mode] += ticks[mode];
  return sum;
}

function loadAverage(): readonly [number, number, number] {
  const [one = 0, five = 0, fifteen = 0] = loadavg();
  return [one, five, fifteen];
}

type Mem = Awaited<ReturnType<SystemLibrary['mem']>>;

function memoryOf({ total, available, swaptotal, swapused }: Mem): MemoryReading {
  const availableBytes = Math.min(available, total);
  return {
    totalBytes: total,
    availableBytes,
    usedBytes: total - availableBytes,
    percent: total === 0 ? 0 : (100 * (total - availableBytes)) / total,
    swapTotalBytes: swaptotal,
    swapUsedBytes: swapused,
    swapPercent: swaptotal === 0 ? 0 : (100 * swapused) / swaptotal,
  };
}

/** The loopback bears the name `lo`, as everywhere else here, whatever the system calls it (`lo0`, a long title on Windows). */
function interfacesOf(stats: Awaited<ReturnType<SystemLibrary['networkStats']>>): ReadonlyMap<string, NetworkCounters> {
  const addresses = networkInterfaces();
  const isLoopback = (name: string): boolean =>
    name === 'lo' || (addresses[name]?.every((one) => one.internal) ?? false);
  return new Map(
    stats.map((one) => [
      isLoopback(one.iface) ? 'lo' : one.iface,
      {
        bytesSent: one.tx_bytes,
        bytesReceived: one.rx_bytes,
        packetsSent: undefined,
        packetsReceived: undefined,
        errorsIn: one.rx_errors,
        errorsOut: one.tx_errors,
        dropsIn: one.rx_dropped,
        dropsOut: one.tx_dropped,
      },
    ]),
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (err) {
    // Another user's process is there, too.
    return err instanceof Error && 'code' in err && err.code === 'EPERM';
  }
}
