import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const memory = '/dev/shm';
let place: string | undefined;
/** Containers may share their memory and not their processes: number of the namespace whose process ids these are. */
const processWorld = readNamespace();
const nameStart = `rw-${processWorld}-${process.pid}-`;

/**
 * A new temporary folder in memory, where there is room: what is synced again and again, as a database, a repository and a restore are,
 * waits for no disk there, and the crash of a process loses nothing either. Not for what is about the file system itself.
 */
export function memoryFolder(name: string): string {
  place ??= findPlace();
  return mkdtempSync(join(place, `${nameStart}${name}-`));
}

function readNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';
  } catch {
    return '0';
  }
}

function findPlace(): string {
  try {
    removeLeftBehind();
    // Who may not write there finds out here.
    if (hasRoom()) rmdirSync(mkdtempSync(join(memory, nameStart)));
    else return tmpdir();
    return memory;
  } catch {
    return tmpdir();
  }
}

function hasRoom(): boolean {
  const { bavail, bsize } = statfsSync(memory);
  // Tests write small programs and start them.
  const mount = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .find((line) => line.split(' ')[1] === memory);
  // More than a drill asks for as free space, and than all tests at once ever hold; of a container's share of memory, too.
  const room = Math.min(bavail * bsize, process.availableMemory() - 3 * 2 ** 30);
  return room > 3 * 2 ** 30 && mount !== undefined && !/\bnoexec\b/.test(mount);
}

/** What a test run that was killed left in memory, where nothing else would ever remove it. */
function removeLeftBehind(): void {
  for (const name of readdirSync(memory)) {
    const [, world, owner] = /^rw-(\d+)-(\d+)-/.exec(name) ?? [];
    if (world !== processWorld || owner === undefined || isAlive(Number(owner))) continue;
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
