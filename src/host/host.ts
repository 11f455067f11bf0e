import type { CpuUse } from './cgroup-controllers.ts';
import type { DiskSample } from './disk-reader.ts';
import type { Pressure } from './pressure.ts';
import type { CpuTicks } from './procfs-cpu.ts';
import type { MemoryReading } from './procfs-memory.ts';
import type { NetworkCounters } from './procfs-network.ts';

/** What was seen of the host at one moment. Sizes in bytes, shares in percent from 0 to 100. */
export type HostSample = {
  readonly takenAtMs: number;
  /** Time between the two readings that the CPU shares are taken from. */
  readonly overMs: number;
  /** Of the machine, not of a process. */
  readonly uptimeSeconds: number;
  readonly bootTimeMs: number;
  readonly cpu: {
    readonly percent: number;
    /** In the order of the cores' numbers; undefined for one that was just switched on. */
    readonly perCore: readonly { readonly core: number; readonly percent: number | undefined }[];
    readonly logicalCount: number;
    readonly physicalCount: number | undefined;
    readonly loadAverage: readonly [number, number, number];
    /** Seconds since boot, by what they were spent on. */
    readonly seconds: CpuTicks;
  };
  readonly memory: MemoryReading;
  /** The file system of `/`. */
  readonly rootDisk: DiskSample | undefined;
  /** The file system that holds the data folder; undefined without such a folder. */
  readonly dataDisk: DiskSample | undefined;
  /** Every real file system once, and the configured paths; `path` is the mount point or the configured path. */
  readonly disks: readonly DiskSample[];
  readonly network:
    | {
        /** All interfaces but the loopback. */
        readonly total: NetworkCounters;
        readonly interfaces: ReadonlyMap<string, NetworkCounters>;
      }
    | undefined;
  readonly process: ProcessSample;
  /** The watched backend's process, where it runs on this machine and can be seen. */
  readonly targetProcess: ProcessSample | undefined;
  /** How long tasks of the whole machine waited; undefined where the kernel keeps no account of it. */
  readonly pressure: Pressure | undefined;
  /** The control group we run in; undefined on the bare machine. Everything above stays a figure of the machine. */
  readonly container: ContainerSample | undefined;
  /** That of the backend, where it is another one and can be seen. */
  readonly targetContainer: ContainerSample | undefined;
};

/** A control group: of a container, a pod, a unit of systemd. A limit that is not below what the machine has counts as none. */
export type ContainerSample = {
  /** As the kernel names it to us; `/` in a namespace of its own. */
  readonly path: string;
  /** Of control groups; hybrid machines keep these figures in version 1. */
  readonly version: 1 | 2;
  readonly memory: ContainerMemory | undefined;
  readonly cpu: ContainerCpu | undefined;
  /** Threads count too, as in the kernel. */
  readonly processes: { readonly count: number | undefined; readonly limit: number | undefined } | undefined;
  readonly pressure: Pressure | undefined;
};

export type ContainerMemory = {
  readonly limitBytes: number | undefined;
  /** The working set: what is in use without the file cache that can be dropped at once. */
  readonly usedBytes: number;
  /** Of the limit; undefined without one. */
  readonly percent: number | undefined;
  readonly swapLimitBytes: number | undefined;
  readonly swapUsedBytes: number | undefined;
  readonly ooms: number | undefined;
  /** Processes that the kernel ended for want of memory, since the group was made. */
  readonly oomKills: number | undefined;
  /** Those since the sample before. */
  readonly newOomKills: number;
};

export type ContainerCpu = CpuUse & {
  /** From quota or CPU set, whichever is less. */
  readonly limitCores: number | undefined;
  /** Undefined until it was seen twice. */
  readonly usedCores: number | undefined;
  /** Of the limit; undefined without one. */
  readonly percent: number | undefined;
};

export type ProcessSample = {
  readonly pid: number;
  /** 100 is one core; more where several threads work. Undefined until it was seen twice. */
  readonly cpuPercent: number | undefined;
  /** User and system time since it started; undefined where the system does not tell. */
  readonly cpuSeconds: number | undefined;
  readonly memoryPercent: number;
  readonly residentBytes: number;
  /** This and the figures below are undefined where the system does not tell. */
  readonly virtualBytes: number | undefined;
  readonly threads: number | undefined;
  readonly startedAtMs: number;
  /** Undefined where another user's process does not let us look. */
  readonly openFiles: number | undefined;
  /** Sockets of every kind, listening ones and those of the same machine included. */
  readonly connections: number | undefined;
  readonly openDescriptors: number | undefined;
  /** Bytes that it had to fetch from a disk, and that it caused to be written to one, since it started. */
  readonly readBytes: number | undefined;
  readonly writtenBytes: number | undefined;
};

/** Sizes of the first-level folders of the data folder, measured in the background. */
export type UserDirectorySizes = {
  readonly measuredAtMs: number;
  /** Bytes of regular files by name of folder; a file with several links counts once. */
  readonly bytesByName: ReadonlyMap<string, number>;
  /** Entries that could not be read, so that the sizes are too small by what they hold. */
  readonly unreadable: number;
};
