import { type Controllers, type ReadText, unifiedControllers, versionOneControllers } from './cgroup-controllers.ts';
import {
  countCpus,
  foldersOf,
  type Membership,
  parseCgroupMounts,
  parseLimit,
  parseMembership,
} from './cgroup-files.ts';
import type { ContainerCpu, ContainerMemory, ContainerSample } from './host.ts';
import { createPressureReader } from './pressure.ts';
import type { ProcfsReader } from './procfs-reader.ts';

export type CgroupTracker = {
  /** Undefined where the process is in no group of its own: on the bare machine, or in one that cannot be seen from here. */
  read(host: { memoryBytes: number; cores: number; monotonicMs: number }): ContainerSample | undefined;
  /** What the kernel says of where the process belongs, as it was last looked up. */
  membership(): string | undefined;
  /** Closes what is kept open of the group. */
  close(): void;
};

/** Limits can be changed and processes moved while they run; where the files lie is looked up again this often. */
const placeEveryMs = 10_000;

type Place = {
  readonly path: string;
  readonly version: 1 | 2;
  readonly controllers: Controllers;
  readonly memory: { readonly folder: string; readonly limitBytes: number | undefined } | undefined;
  readonly swapLimitBytes: number | undefined;
  readonly cpu: { readonly folder: string; readonly limitCores: number | undefined } | undefined;
  readonly processes: { readonly folder: string; readonly limit: number | undefined } | undefined;
  /** Where `*.pressure` lies; only version 2 has it. */
  readonly pressureFolder: string | undefined;
};

/**
 * Follows the control group of one process from sample to sample. Limits hold for everything below the group that has them, so the
 * use that is compared with a limit is that of the same group, which in a pod may hold more than this process.
 * @param who `self` or the number of a process
 * @param elsewhere where somebody belongs whose group is read already: a process in the same group is read as one without
 */
export function createCgroupTracker(options: {
  reader: ProcfsReader;
  who: string;
  elsewhere?: () => string | undefined;
}): CgroupTracker {
  const { reader, who } = options;
  let place: Place | undefined;
  let membership: string | undefined;
  let placedMs = Number.NEGATIVE_INFINITY;
  let cpuBefore: { folder: string; usageSeconds: number; monotonicMs: number } | undefined;
  let killsBefore: { folder: string; kills: number } | undefined;
  // A file that is not there costs an exception each time it is asked for.
  const absent = new Set<string>();
  const read: ReadText = (path) => {
    if (absent.has(path)) return undefined;
    const text = reader.text(path);
    if (text === undefined) absent.add(path);
    return text;
  };
  let pressure: ReturnType<typeof createPressureReader> | undefined;

  const forget = ({ memory, cpu, processes, pressureFolder }: Place): void => {
    for (const folder of new Set([memory?.folder, cpu?.folder, processes?.folder, pressureFolder]))
      if (folder !== undefined) reader.forget(`${folder}/`);
  };

  const refresh = (host: { memoryBytes: number; cores: number; monotonicMs: number }): void => {
    if (host.monotonicMs - placedMs < placeEveryMs) return;
    placedMs = host.monotonicMs;
    absent.clear();
    membership = reader.text(`/proc/${who}/cgroup`);
    const before = place;
    const isElsewhere = membership === options.elsewhere?.();
    place = membership === undefined || isElsewhere ? undefined : findPlace(read, parseMembership(membership), host);
    // What another reads of it as well is opened again when it is asked for.
    if (before !== undefined && before.path !== place?.path) forget(before);
    const folder = place?.pressureFolder;
    if (folder === undefined) pressure = undefined;
    else if (folder !== before?.pressureFolder)
      pressure = createPressureReader(reader, (resource) => `${folder}/${resource}.pressure`);
  };

  const readMemory = ({ memory, swapLimitBytes, controllers }: Place): ContainerMemory | undefined => {
    const use = memory && controllers.memoryUse(read, memory.folder);
    if (memory === undefined || use === undefined) return undefined;
    const killsEarlier = killsBefore?.folder === memory.folder ? killsBefore.kills : use.oomKills;
    killsBefore = use.oomKills === undefined ? undefined : { folder: memory.folder, kills: use.oomKills };
    return {
      limitBytes: memory.limitBytes,
      usedBytes: use.workingSetBytes,
      percent: memory.limitBytes === undefined ? undefined : share(use.workingSetBytes, memory.limitBytes),
      swapLimitBytes,
      swapUsedBytes: use.swapUsedBytes,
      ooms: use.ooms,
      oomKills: use.oomKills,
      newOomKills: Math.max(0, (use.oomKills ?? 0) - (killsEarlier ?? 0)),
    };
  };

  const readCpu = ({ cpu, controllers }: Place, monotonicMs: number): ContainerCpu | undefined => {
    const use = cpu && controllers.cpuUse(read, cpu.folder);
    if (cpu === undefined || use === undefined) return undefined;
    const overMs = cpuBefore?.folder === cpu.folder ? monotonicMs - cpuBefore.monotonicMs : 0;
    const usedCores =
      overMs > 0 && cpuBefore !== undefined
        ? Math.max(0, (1_000 * (use.usageSeconds - cpuBefore.usageSeconds)) / overMs)
        : undefined;
    cpuBefore = { folder: cpu.folder, usageSeconds: use.usageSeconds, monotonicMs };
    return {
      ...use,
      limitCores: cpu.limitCores,
      usedCores,
      percent: usedCores === undefined || cpu.limitCores === undefined ? undefined : share(usedCores, cpu.limitCores),
    };
  };

  return {
    read(host) {
      refresh(host);
      if (place === undefined) return undefined;
      const { path, version, processes } = place;
      return {
        path,
        version,
        memory: readMemory(place),
        cpu: readCpu(place, host.monotonicMs),
        processes: processes && {
          count: parseLimit(read(`${processes.folder}/pids.current`)),
          limit: processes.limit,
        },
        pressure: pressure?.(host.monotonicMs),
      };
    },
    membership: () => membership,
    close() {
      if (place !== undefined) forget(place);
      place = undefined;
    },
  };
}

/** More than all of it can be seen for a moment, when a quota carries over or a limit was just lowered. */
const share = (used: number, limit: number): number => (limit === 0 ? 100 : Math.min(100, (100 * used) / limit));

/** Finds the groups whose limits hold for this process. Reads each file of each group once. */
function findPlace(
  read: ReadText,
  membership: Membership,
  host: { memoryBytes: number; cores: number },
): Place | undefined {
  const mounts = parseCgroupMounts(read('/proc/self/mountinfo') ?? '');
  const unified =
    membership.unified === undefined || mounts.unified === undefined
      ? []
      : foldersOf(mounts.unified, membership.unified);
  // Only the machine's own root has no such file: there is nothing above it that could limit anything.
  const groups = unified.filter((folder) => read(`${folder}/cgroup.events`) !== undefined);
  const hybrid = mounts.byController.has('memory') || mounts.byController.has('cpu');
  if (!hybrid)
    return groups.length === 0
      ? undefined
      : {
          ...placeIn(read, unifiedControllers, { memory: groups, cpu: groups, cpuset: groups, pids: groups }, host),
          path: membership.unified ?? '/',
          version: 2,
          pressureFolder: groups[0],
        };
  const folders = (controller: string): readonly string[] => {
    const mount = mounts.byController.get(controller);
    const path = membership.byController.get(controller);
    if (mount === undefined || path === undefined) return [];
    // The root of the machine accounts for everything on it and limits nothing.
    return foldersOf(mount, path).filter((folder) => path !== '/' || mount.root !== '/' || folder !== mount.mountPoint);
  };
  const found = { memory: folders('memory'), cpu: folders('cpu'), cpuset: folders('cpuset'), pids: folders('pids') };
  if (found.memory.length === 0 && found.cpu.length === 0) return undefined;
  return {
    ...placeIn(read, versionOneControllers, found, host),
    path: membership.byController.get('memory') ?? membership.byController.get('cpu') ?? '/',
    version: 1,
    pressureFolder: groups[0],
  };
}

type Folders = Readonly<Record<'memory' | 'cpu' | 'cpuset' | 'pids', readonly string[]>>;

function placeIn(
  read: ReadText,
  controllers: Controllers,
  folders: Folders,
  host: { memoryBytes: number; cores: number },
): Omit<Place, 'path' | 'version' | 'pressureFolder'> {
  const memory = folders.memory.map((folder) => {
    const limit = controllers.memoryLimitBytes(read, folder);
    return { folder, limitBytes: limit !== undefined && limit < host.memoryBytes ? limit : undefined };
  });
  // The group that has the least left is the one in which something is killed first.
  const left = (one: { folder: string; limitBytes: number | undefined }): number =>
    (one.limitBytes ?? Number.POSITIVE_INFINITY) - (controllers.memoryUse(read, one.folder)?.workingSetBytes ?? 0);
  const limited = memory.filter((one) => one.limitBytes !== undefined);
  const quotas = folders.cpu.map((folder) => ({ folder, limitCores: controllers.cpuLimitCores(read, folder) }));
  const cpus = folders.cpuset.map((folder) => countCpus(read(`${folder}/${controllers.cpusFile}`))).find(Boolean);
  const own = folders.cpu[0];
  const all = own === undefined ? quotas : [...quotas, { folder: own, limitCores: cpus }];
  const tighter = all.filter(({ limitCores }) => limitCores !== undefined && limitCores < host.cores);
  const processes = folders.pids.map((folder) => ({ folder, limit: parseLimit(read(`${folder}/pids.max`)) }));
  const swapLimits = folders.memory.flatMap((folder) => controllers.swapLimitBytes(read, folder) ?? []);
  return {
    controllers,
    memory: lowest(limited, left) ?? memory[0],
    swapLimitBytes: swapLimits.length === 0 ? undefined : Math.min(...swapLimits),
    cpu:
      lowest(tighter, (one) => one.limitCores ?? 0) ??
      (own === undefined ? undefined : { folder: own, limitCores: undefined }),
    processes:
      lowest(
        processes.filter((one) => one.limit !== undefined),
        (one) => one.limit ?? 0,
      ) ?? processes[0],
  };
}

function lowest<T>(values: readonly T[], of: (value: T) => number): T | undefined {
  let found: T | undefined;
  for (const value of values) if (found === undefined || of(value) < of(found)) found = value;
  return found;
}
