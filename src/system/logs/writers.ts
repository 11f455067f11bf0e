import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

export type LogWriter = {
  readonly pid: number;
  /** Whether each of its writes goes to the end, wherever that is by then. */
  readonly appends: boolean;
};

const writeOnly = 0o1;
const readWrite = 0o2;
const appendFlag = 0o2000;

/**
 * Other processes that have a file open for writing, as far as `/proc` shows them to us: those of other users only to root.
 * @returns undefined where there is no `/proc`
 */
export async function findWriters(file: { device: number; inode: number }): Promise<readonly LogWriter[] | undefined> {
  let pids: string[];
  try {
    pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  } catch {
    return undefined;
  }
  const found: LogWriter[] = [];
  for (const pid of pids) {
    if (Number(pid) === process.pid) continue;
    const fds = await readdir(join('/proc', pid, 'fd')).catch((): string[] => []);
    for (const fd of fds) {
      const opened = await stat(join('/proc', pid, 'fd', fd)).catch(() => undefined);
      if (opened?.ino !== file.inode || opened.dev !== file.device) continue;
      const info = await readFile(join('/proc', pid, 'fdinfo', fd), 'utf8').catch(() => '');
      const flags = Number.parseInt(/^flags:\s*([0-7]+)/m.exec(info)?.[1] ?? '', 8);
      // Unknown flags: taken for a writer that does not append, which is the careful guess.
      if (Number.isNaN(flags)) found.push({ pid: Number(pid), appends: false });
      else if ((flags & (writeOnly | readWrite)) !== 0)
        found.push({ pid: Number(pid), appends: (flags & appendFlag) !== 0 });
    }
  }
  return found;
}
