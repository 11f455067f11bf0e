import { readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../platform/errors.ts';

export type Holder = { readonly pid: number; readonly program: string; readonly path: string };

/**
 * Processes that hold a file below one of the folders open, map it, or stand in it, as far as `/proc` shows them to us.
 * Our own process and those in `except` are left out.
 * @returns undefined where there is no `/proc`
 */
export async function findHolders(
  folders: readonly string[],
  except: ReadonlySet<number>,
): Promise<Holder[] | undefined> {
  const roots: string[] = [];
  for (const folder of folders) {
    try {
      roots.push(await realpath(folder));
    } catch (err) {
      if (systemCode(err) !== 'ENOENT') throw err;
    }
  }
  let pids: string[];
  try {
    pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  } catch {
    return undefined;
  }
  if (roots.length === 0) return [];
  const inside = (path: string): boolean => roots.some((root) => path === root || path.startsWith(`${root}/`));
  const holders: Holder[] = [];
  for (const name of pids) {
    const pid = Number(name);
    if (pid === process.pid || except.has(pid)) continue;
    const path = await findHeldPath(`/proc/${name}`, inside);
    if (path !== undefined) holders.push({ pid, program: await programName(name), path });
  }
  return holders;
}

async function findHeldPath(proc: string, inside: (path: string) => boolean): Promise<string | undefined> {
  const links = [`${proc}/cwd`];
  try {
    for (const fd of await readdir(`${proc}/fd`)) links.push(join(proc, 'fd', fd));
  } catch {
    // Another user's process, or one that just ended: what it holds is not shown to us.
  }
  for (const link of links) {
    const path = await readlink(link).catch(() => undefined);
    if (path !== undefined && inside(path.replace(/ \(deleted\)$/, ''))) return path;
  }
  const maps = await readFile(`${proc}/maps`, 'utf8').catch(() => '');
  for (const line of maps.split('\n')) {
    const at = line.indexOf('/');
    if (at >= 0 && inside(line.slice(at))) return line.slice(at);
  }
  return undefined;
}

const programName = async (pid: string): Promise<string> =>
  (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'unknown')).trim();
