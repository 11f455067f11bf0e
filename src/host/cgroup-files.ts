/** Texts of control groups as text in, numbers out (cgroups(7), Documentation/admin-guide/cgroup-v2.rst). */

/** Where a process belongs: `/proc/<pid>/cgroup`. */
export type Membership = {
  /** Of the unified hierarchy (version 2). */
  readonly unified: string | undefined;
  /** Of version 1, by controller. */
  readonly byController: ReadonlyMap<string, string>;
};

export function parseMembership(text: string): Membership {
  const byController = new Map<string, string>();
  let unified: string | undefined;
  for (const line of text.split('\n')) {
    const [, id, controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined || controllers === undefined) continue;
    if (id === '0') unified = path;
    else for (const controller of controllers.split(',')) byController.set(controller, path);
  }
  return { unified, byController };
}

/** Which part of a hierarchy can be seen where. */
export type CgroupMount = { readonly root: string; readonly mountPoint: string };
export type CgroupMounts = {
  readonly unified: CgroupMount | undefined;
  readonly byController: ReadonlyMap<string, CgroupMount>;
};

/** From `/proc/self/mountinfo`. */
export function parseCgroupMounts(mountinfo: string): CgroupMounts {
  const byController = new Map<string, CgroupMount>();
  let unified: CgroupMount | undefined;
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ');
    const [fileSystem, , options] = after?.split(' ') ?? [];
    const [root, mountPoint] = before?.split(' ').slice(3, 5) ?? [];
    if (root === undefined || mountPoint === undefined) continue;
    if (fileSystem === 'cgroup2') unified ??= { root, mountPoint };
    if (fileSystem === 'cgroup')
      for (const controller of options?.split(',') ?? [])
        if (!byController.has(controller)) byController.set(controller, { root, mountPoint });
  }
  return { unified, byController };
}

/**
 * The folders of a group and of all groups above it that can be seen, the group itself first. Empty when it lies outside of what is
 * mounted here, as that of a process in another container does.
 */
export function foldersOf(mount: CgroupMount, path: string): readonly string[] {
  if (path.split('/').includes('..')) return [];
  const root = mount.root === '/' ? '' : mount.root;
  if (path !== root && !path.startsWith(`${root}/`)) return [];
  const folders: string[] = [];
  let rest = path.slice(root.length).replace(/\/$/, '');
  while (rest !== '') {
    folders.push(mount.mountPoint + rest);
    rest = rest.slice(0, rest.lastIndexOf('/'));
  }
  return [...folders, mount.mountPoint];
}

/** Version 1 writes "no limit" as the largest number of pages; what no machine has is no limit. */
const moreThanAnyMachine = 2 ** 60;

/** A whole number of whatever the file counts; undefined for `max`, -1 and what is not there. */
export function parseLimit(text: string | undefined): number | undefined {
  const value = text === undefined ? Number.NaN : Number.parseInt(text, 10);
  return value >= 0 && value < moreThanAnyMachine ? value : undefined;
}

/** `cpu.max`: quota and period, in cores. */
export function parseCpuMax(text: string | undefined): number | undefined {
  const [quota, period] = (text ?? '').trim().split(' ').map(Number);
  return quota !== undefined && period !== undefined && quota > 0 && period > 0 ? quota / period : undefined;
}

/** How many CPUs a list like `0-3,7` names; undefined for an empty one. */
export function countCpus(list: string | undefined): number | undefined {
  let count = 0;
  for (const range of (list ?? '').trim().split(',')) {
    const [from, to = from] = range.split('-').map(Number);
    if (range !== '' && from !== undefined && to !== undefined && to >= from) count += to - from + 1;
  }
  return count === 0 ? undefined : count;
}

/** One line of a flat keyed file (`cpu.stat`, `memory.events`); undefined when it is not there. */
export function keyedValue(text: string | undefined, key: string): number | undefined {
  if (text === undefined) return undefined;
  const at = text.startsWith(`${key} `) ? 0 : text.indexOf(`\n${key} `) + 1;
  if (at === 0 && !text.startsWith(`${key} `)) return undefined;
  const value = Number.parseInt(text.slice(at + key.length + 1, at + key.length + 25), 10);
  return Number.isFinite(value) ? value : undefined;
}
