import { mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const memory = '/dev/shm';
let place: string | undefined;

/**
 * A new temporary folder in memory, where there is room: what is synced again and again, as a database, a repository and a restore are,
 * waits for no disk there, and the crash of a process loses nothing either. Not for what is about the file system itself.
 */
export function memoryFolder(name: string): string {
  place ??= findPlace();
  return mkdtempSync(join(place, `rw-${process.pid}-${name}-`));
}

function findPlace(): string {
  const found = hasRoom() ? memory : tmpdir();
  if (found === memory) removeLeftBehind();
  return found;
}

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(memory);
    // Tests write small programs and start them.
    const mount = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .find((line) => line.split(' ')[1] === memory);
    // More than a drill asks for as free space, and than all tests at once ever hold.
    return bavail * bsize > 3 * 2 ** 30 && mount !== undefined && !/\bnoexec\b/.test(mount);
  } catch {
    return false;
  }
}

/** What a test run that was killed left in memory, where nothing else would ever remove it. */
function removeLeftBehind(): void {
  for (const name of readdirSync(memory)) {
    const owner = /^rw-(\d+)-/.exec(name)?.[1];
    if (owner === undefined || isAlive(Number(owner))) continue;
    try {
      rmSync(join(memory, name), { recursive: true, force: true });
    } catch {
      // Of another user, or being removed by another run.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (err) {
    return (err as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
