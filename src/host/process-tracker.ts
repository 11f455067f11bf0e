import type { ProcessSample } from './host.ts';
import {
  countDescriptors,
  type DescriptorCounts,
  type ProcessUnits,
  parseProcessIo,
  parseProcessStat,
} from './procfs-process.ts';
import type { ProcfsReader } from './procfs-reader.ts';

/** Reading every link of a descriptor table costs some microseconds each, so it is done less often than the rest, and bounded. */
const descriptorsEveryMs = 30_000;
const mostLinks = 4_096;

export type ProcessTracker = {
  /** Undefined when there is no such process. */
  read(pid: number, host: { bootTimeMs: number; memoryBytes: number; monotonicMs: number }): ProcessSample | undefined;
};

type Earlier = { pid: number; startTicks: number; cpuSeconds: number; monotonicMs: number };
type Descriptors = (DescriptorCounts & { readonly open: number }) | undefined;

/**
 * Follows one process from sample to sample. Another process under the same pid is another process: its CPU time is not compared.
 * @param exactCpuSeconds finer than the kernel's ticks, where there is such a source
 */
export function createProcessTracker(options: {
  reader: ProcfsReader;
  units: ProcessUnits;
  exactCpuSeconds?: () => number;
}): ProcessTracker {
  const { reader, units } = options;
  let earlier: Earlier | undefined;
  let descriptors: Descriptors;
  let descriptorsAtMs = Number.NEGATIVE_INFINITY;

  const readDescriptors = (folder: string): Descriptors => {
    const numbers = reader.list(`${folder}/fd`);
    if (numbers === undefined) return undefined;
    const links: string[] = [];
    for (const number of numbers.slice(0, mostLinks)) {
      const link = reader.link(`${folder}/fd/${number}`);
      if (link !== undefined) links.push(link);
    }
    return { ...countDescriptors(links), open: links.length + Math.max(0, numbers.length - mostLinks) };
  };

  return {
    read(pid, host) {
      const folder = `/proc/${pid}`;
      const text = reader.text(`${folder}/stat`);
      if (text === undefined) {
        reader.forget(`${folder}/`);
        earlier = undefined;
        return undefined;
      }
      const stat = parseProcessStat(text);
      const cpuSeconds = options.exactCpuSeconds?.() ?? stat.cpuTicks / units.ticksPerSecond;
      const same = earlier !== undefined && earlier.pid === pid && earlier.startTicks === stat.startTicks;
      if (!same || host.monotonicMs - descriptorsAtMs >= descriptorsEveryMs) {
        if (earlier !== undefined && earlier.pid !== pid) reader.forget(`/proc/${earlier.pid}/`);
        descriptors = readDescriptors(folder);
        descriptorsAtMs = host.monotonicMs;
      }
      const overMs = same && earlier !== undefined ? host.monotonicMs - earlier.monotonicMs : 0;
      const cpuPercent =
        overMs > 0 && earlier !== undefined
          ? Math.max(0, (100_000 * (cpuSeconds - earlier.cpuSeconds)) / overMs)
          : undefined;
      earlier = { pid, startTicks: stat.startTicks, cpuSeconds, monotonicMs: host.monotonicMs };
      const residentBytes = stat.residentPages * units.pageBytes;
      // Shut to all but its own user, so it is absent for a process of somebody else.
      const io = parseProcessIo(reader.text(`${folder}/io`) ?? '');
      return {
        pid,
        cpuPercent,
        cpuSeconds,
        memoryPercent: (100 * residentBytes) / host.memoryBytes,
        residentBytes,
        virtualBytes: stat.virtualBytes,
        threads: stat.threads,
        startedAtMs: host.bootTimeMs + (1_000 * stat.startTicks) / units.ticksPerSecond,
        openFiles: descriptors?.files,
        connections: descriptors?.sockets,
        openDescriptors: descriptors?.open,
        readBytes: io?.readBytes,
        writtenBytes: io?.writtenBytes,
      };
    },
  };
}
