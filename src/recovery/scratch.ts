import { chmod, lstat, mkdir, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, systemCode } from '../platform/errors.ts';

const prefix = 'drill-';

export const scratchOf = (root: string, drillId: string): string => join(root, `${prefix}${drillId}`);

/** An empty private folder. */
export async function makeScratch(root: string, drillId: string): Promise<string> {
  const folder = scratchOf(root, drillId);
  await mkdir(root, { recursive: true, mode: 0o700 });
  await removeTree(folder);
  await mkdir(folder, { mode: 0o700 });
  return folder;
}

/** Everything below, also what a restored folder without write permission holds. */
export async function removeTree(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true });
  } catch (err) {
    if (systemCode(err) !== 'EACCES' && systemCode(err) !== 'EPERM') throw err;
    await openFolders(folder);
    await rm(folder, { recursive: true, force: true });
  }
}

async function openFolders(folder: string): Promise<void> {
  if (!(await lstat(folder)).isDirectory()) return;
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await openFolders(join(folder, entry.name));
}

/** What drills left below `root` when the process was killed. Folders that no drill made are never touched. */
export async function listScratch(root: string): Promise<string[]> {
  const names = await readdir(root).catch((err: unknown) => {
    if (systemCode(err) === 'ENOENT') return [];
    throw err;
  });
  return names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
}

export async function freeBytesAt(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Databases are loaded from their stream and stand beside it, with indexes: three times its size is assumed. */
const databaseFactor = 3;

export const neededBytes = (
  components: readonly {
    readonly bytes: number;
    readonly streams?: readonly { readonly bytes: number }[] | undefined;
  }[],
): number =>
  components.reduce(
    (sum, one) =>
      sum + one.bytes + databaseFactor * (one.streams ?? []).reduce((total, stream) => total + stream.bytes, 0),
    0,
  );

/** @throws AppError `storage/full` naming what is needed and what is there */
export function requireRoom(facts: {
  freeBytes: number;
  neededBytes: number;
  keepFreeBytes: number;
  at: string;
}): void {
  const { freeBytes, neededBytes: needed, keepFreeBytes, at } = facts;
  if (freeBytes - needed >= keepFreeBytes) return;
  throw new AppError(
    'storage/full',
    `A drill needs ${needed} bytes in ${at} and leaves ${keepFreeBytes} free (drill.min_free_bytes); ${freeBytes} are free. Free space there, or set drill.scratch_dir to another place.`,
  );
}
