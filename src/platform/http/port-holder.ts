import { readdir, readFile, readlink } from 'node:fs/promises';

export type PortHolder = { readonly pid: number; readonly name: string };

/**
 * Who listens on a TCP port of this machine, found through procfs.
 * Undefined where that cannot be seen: no procfs, another user's process, another network namespace.
 */
export async function findPortHolder(port: number): Promise<PortHolder | undefined> {
  try {
    const inodes = await listeningInodes(port);
    if (inodes.size === 0) return undefined;
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      if (!(await holdsOneOf(pid, inodes))) continue;
      return { pid: Number(pid), name: (await readFile(`/proc/${pid}/comm`, 'utf8')).trim() };
    }
  } catch {
    // The process ended while it was looked at, or procfs is closed to us.
    return undefined;
  }
  return undefined;
}

/** The same as `node (pid 4711)`. */
export async function describePortHolder(port: number): Promise<string | undefined> {
  const holder = await findPortHolder(port);
  return holder && `${holder.name} (pid ${holder.pid})`;
}

/** Socket inodes in state LISTEN (0A) on the port. @see proc_net_tcp in the kernel's documentation */
async function listeningInodes(port: number): Promise<Set<string>> {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set<string>();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const text = await readFile(file, 'utf8').catch(() => '');
    for (const line of text.split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      const inode = fields[9];
      if (fields[1]?.endsWith(`:${wanted}`) && fields[3] === '0A' && inode) inodes.add(inode);
    }
  }
  return inodes;
}

async function holdsOneOf(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  const folder = `/proc/${pid}/fd`;
  // Another user's process, or one that has just ended.
  const fds = await readdir(folder).catch(() => []);
  for (const fd of fds) {
    const target = await readlink(`${folder}/${fd}`).catch(() => '');
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode && inodes.has(inode)) return true;
  }
  return false;
}
