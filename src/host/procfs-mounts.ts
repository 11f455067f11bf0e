export type Mount = {
  readonly mountPoint: string;
  /** `ext4`, `xfs`, … */
  readonly fileSystem: string;
  /** `major:minor`: the same file system mounted twice has it twice. */
  readonly device: string;
};

/** Images that are always full and say nothing about space. */
const readOnlyImages = new Set(['squashfs', 'iso9660', 'udf', 'erofs', 'cramfs']);
/** On no single block device, yet real places for data. */
const realWithoutDevice = new Set(['zfs', 'overlay']);

/** `/proc/self/mountinfo`, in the order of mounting (proc_pid_mountinfo(5)). */
export function parseMounts(mountinfo: string): readonly Mount[] {
  const mounts: Mount[] = [];
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ');
    const fields = before?.split(' ') ?? [];
    const fileSystem = after?.split(' ')[0];
    const [device, mountPoint] = [fields[2], fields[4]];
    if (device === undefined || mountPoint === undefined || fileSystem === undefined) continue;
    mounts.push({ mountPoint: unescapeOctal(mountPoint), fileSystem, device });
  }
  return mounts;
}

/** Blanks, tabs, line ends and backslashes stand as three octal digits of the byte. */
const unescapeOctal = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** File systems that live on a block device, from `/proc/filesystems`. */
export function parseBlockFileSystems(filesystems: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const line of filesystems.split('\n')) {
    const [flag, name] = line.split('\t');
    if (flag === '' && name !== undefined && name !== '' && !readOnlyImages.has(name)) names.add(name);
  }
  return names;
}

/** Mounts that hold data, each file system once, at the shortest of its mount points. Network file systems are left out: they can hang. */
export function realMounts(mounts: readonly Mount[], blockFileSystems: ReadonlySet<string>): readonly Mount[] {
  const byDevice = new Map<string, Mount>();
  for (const mount of mounts) {
    if (!blockFileSystems.has(mount.fileSystem) && !realWithoutDevice.has(mount.fileSystem)) continue;
    // Layers of containers that run beside us lie on file systems that are listed themselves.
    if (mount.fileSystem === 'overlay' && mount.mountPoint !== '/') continue;
    const known = byDevice.get(mount.device);
    if (known === undefined || mount.mountPoint.length < known.mountPoint.length) byDevice.set(mount.device, mount);
  }
  return [...byDevice.values()];
}
