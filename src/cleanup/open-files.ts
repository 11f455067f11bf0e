import { readdirSync, readlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';

/**
 * Paths below the folders that some process has open or stands in, as far as `/proc` shows them to us; our own process too.
 * @param folders absolute, without links in them
 * @returns undefined where there is no `/proc`
 */
export async function findOpenPaths(folders: readonly string[]): Promise<ReadonlySet<string> | undefined> {
  let pids: string[];
  try {
    pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  } catch {
    return undefined;
  }
  const found = new Set<string>();
  const inside = (path: string): boolean => folders.some((one) => path === one || path.startsWith(`${one}/`));
  const look = (link: string): void => {
    try {
      const path = readlinkSync(link);
      if (inside(path)) found.add(path);
    } catch {
      // Closed meanwhile.
    }
  };
  for (const [at, pid] of pids.entries()) {
    look(`/proc/${pid}/cwd`);
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) look(`/proc/${pid}/fd/${fd}`);
    } catch {
      // Another user's process, or one that just ended: what it holds is not shown to us.
    }
    // Each is looked at in one go, which is quick; all of them together would hold up who asks us something.
    if (at % 16 === 15) await setImmediate();
  }
  return found;
}

/** Whether it, or for a folder something in it, is open. */
export function findOpen(path: string, open: ReadonlySet<string>): string | undefined {
  if (open.has(path)) return path;
  for (const one of open) if (one.startsWith(`${path}/`)) return one;
  return undefined;
}
