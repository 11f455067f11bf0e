import { keyedValue, parseCpuMax, parseLimit } from './cgroup-files.ts';

/** Reads a small file; undefined where it is not there. */
export type ReadText = (path: string) => string | undefined;

export type MemoryUse = {
  /** Without the file cache that can be dropped at once, which is what is compared with a limit before something is killed. */
  readonly workingSetBytes: number;
  readonly swapUsedBytes: number | undefined;
  /** How often the limit was hit with nothing left to reclaim, and how many processes were killed for it. */
  readonly ooms: number | undefined;
  readonly oomKills: number | undefined;
};
export type CpuUse = {
  readonly usageSeconds: number;
  readonly periods: number | undefined;
  readonly throttledPeriods: number | undefined;
  readonly throttledSeconds: number | undefined;
};

/** One version's way of saying the same. `folder` is that of a control group. */
export type Controllers = {
  memoryLimitBytes(read: ReadText, folder: string): number | undefined;
  swapLimitBytes(read: ReadText, folder: string): number | undefined;
  memoryUse(read: ReadText, folder: string): MemoryUse | undefined;
  /** In cores, without the CPU set. */
  cpuLimitCores(read: ReadText, folder: string): number | undefined;
  cpuUse(read: ReadText, folder: string): CpuUse | undefined;
  readonly cpusFile: string;
};

const least = (...values: (number | undefined)[]): number | undefined => {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
};

const workingSet = (used: number | undefined, inactiveFile: number | undefined): number | undefined =>
  used === undefined ? undefined : Math.max(0, used - (inactiveFile ?? 0));

export const unifiedControllers: Controllers = {
  // Above `high` everything is slowed down until it is below again: as good as a limit to whoever waits.
  memoryLimitBytes: (read, folder) =>
    least(parseLimit(read(`${folder}/memory.max`)), parseLimit(read(`${folder}/memory.high`))),
  swapLimitBytes: (read, folder) => parseLimit(read(`${folder}/memory.swap.max`)),
  memoryUse(read, folder) {
    const workingSetBytes = workingSet(
      parseLimit(read(`${folder}/memory.current`)),
      keyedValue(read(`${folder}/memory.stat`), 'inactive_file'),
    );
    if (workingSetBytes === undefined) return undefined;
    const events = read(`${folder}/memory.events`);
    return {
      workingSetBytes,
      swapUsedBytes: parseLimit(read(`${folder}/memory.swap.current`)),
      ooms: keyedValue(events, 'oom'),
      oomKills: keyedValue(events, 'oom_kill'),
    };
  },
  cpuLimitCores: (read, folder) => parseCpuMax(read(`${folder}/cpu.max`)),
  cpuUse(read, folder) {
    const stat = read(`${folder}/cpu.stat`);
    const usageUs = keyedValue(stat, 'usage_usec');
    if (usageUs === undefined) return undefined;
    const throttledUs = keyedValue(stat, 'throttled_usec');
    return {
      usageSeconds: usageUs / 1e6,
      periods: keyedValue(stat, 'nr_periods'),
      throttledPeriods: keyedValue(stat, 'nr_throttled'),
      throttledSeconds: throttledUs === undefined ? undefined : throttledUs / 1e6,
    };
  },
  cpusFile: 'cpuset.cpus.effective',
};

export const versionOneControllers: Controllers = {
  memoryLimitBytes: (read, folder) =>
    least(
      parseLimit(read(`${folder}/memory.limit_in_bytes`)),
      // Of all groups above, also of those that cannot be seen from here.
      parseLimit(String(keyedValue(read(`${folder}/memory.stat`), 'hierarchical_memory_limit'))),
    ),
  swapLimitBytes(read, folder) {
    const both = parseLimit(read(`${folder}/memory.memsw.limit_in_bytes`));
    const memory = parseLimit(read(`${folder}/memory.limit_in_bytes`));
    return both === undefined || memory === undefined ? undefined : Math.max(0, both - memory);
  },
  memoryUse(read, folder) {
    const used = parseLimit(read(`${folder}/memory.usage_in_bytes`));
    const workingSetBytes = workingSet(used, keyedValue(read(`${folder}/memory.stat`), 'total_inactive_file'));
    if (workingSetBytes === undefined || used === undefined) return undefined;
    const both = parseLimit(read(`${folder}/memory.memsw.usage_in_bytes`));
    return {
      workingSetBytes,
      swapUsedBytes: both === undefined ? undefined : Math.max(0, both - used),
      ooms: undefined,
      oomKills: keyedValue(read(`${folder}/memory.oom_control`), 'oom_kill'),
    };
  },
  cpuLimitCores: (read, folder) =>
    parseCpuMax(`${read(`${folder}/cpu.cfs_quota_us`)?.trim()} ${read(`${folder}/cpu.cfs_period_us`)?.trim()}`),
  cpuUse(read, folder) {
    // `cpu` and `cpuacct` are nearly always one hierarchy; where they are not, the accounts are not found and left out.
    const usageNs = parseLimit(read(`${folder}/cpuacct.usage`));
    if (usageNs === undefined) return undefined;
    const stat = read(`${folder}/cpu.stat`);
    const throttledNs = keyedValue(stat, 'throttled_time');
    return {
      usageSeconds: usageNs / 1e9,
      periods: keyedValue(stat, 'nr_periods'),
      throttledPeriods: keyedValue(stat, 'nr_throttled'),
      throttledSeconds: throttledNs === undefined ? undefined : throttledNs / 1e9,
    };
  },
  cpusFile: 'cpuset.effective_cpus',
};
