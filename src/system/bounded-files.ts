import { lstat, opendir, readdir, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bounded } from '../platform/bounded.ts';
import { systemCode } from '../platform/errors.ts';

type Found = { readonly path: string; readonly bytes: number; readonly usedMs: number };

/** Every plain file below a folder; what comes and goes meanwhile is passed over. */
async function filesBelow(folder: string): Promise<Found[]> {
  const found: Found[] = [];
  const walk = async (path: string): Promise<void> => {
    let names: string[];
    try {
      names = [];
      for await (const entry of await opendir(path)) names.push(entry.name);
    } catch (err) {
      if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemCode(err) ?? '')) return;
      throw err;
    }
    for (const name of names) {
      const inner = join(path, name);
      const stat = await lstat(inner).catch(() => undefined);
      if (stat?.isDirectory()) await walk(inner);
      else if (stat?.isFile())
        found.push({ path: inner, bytes: stat.size, usedMs: Math.max(stat.atimeMs, stat.mtimeMs) });
    }
  };
  await walk(folder);
  return found;
}

/** Bytes of the plain files below a folder; 0 when it does not exist. */
export const folderBytes = async (folder: string): Promise<number> =>
  (await filesBelow(folder)).reduce((sum, file) => sum + file.bytes, 0);

/** How much lies below a folder. */
export async function folderUse(folder: string): Promise<{ readonly bytes: number; readonly entries: number }> {
  const files = await filesBelow(folder);
  return { bytes: files.reduce((sum, file) => sum + file.bytes, 0), entries: files.length };
}

/** A cache: whatever goes is fetched again. Files that were not used longest go first. */
export const boundedCache = (folder: string, idle: () => Promise<boolean>): Bounded => ({
  measure: () => folderBytes(folder),
  async trim(cap, batch) {
    if (!(await idle())) return 0;
    const files = (await filesBelow(folder)).sort((a, b) => a.usedMs - b.usedMs);
    let excess = files.reduce((sum, file) => sum + file.bytes, 0) - cap;
    let gone = 0;
    for (const file of files.slice(0, batch)) {
      if (excess <= 0) break;
      await unlink(file.path).catch(() => undefined);
      excess -= file.bytes;
      gone += file.bytes;
    }
    return gone;
  },
});

/** Staging: scratch of verifications that ended without removing it, then whole trees, the largest first. */
export const boundedStaging = (folder: string, idle: () => Promise<boolean>): Bounded => ({
  measure: () => folderBytes(folder),
  async trim(cap) {
    if (!(await idle())) return 0;
    const names = await readdir(folder).catch((): string[] => []);
    const sized = await Promise.all(
      names.map(async (name) => ({
        name,
        bytes: await folderBytes(join(folder, name)),
        scratch: name.startsWith('verify-'),
      })),
    );
    sized.sort((a, b) => Number(b.scratch) - Number(a.scratch) || b.bytes - a.bytes);
    const [first] = sized;
    if (!first || sized.reduce((sum, one) => sum + one.bytes, 0) <= cap) return 0;
    await rm(join(folder, first.name), { recursive: true, force: true });
    return first.bytes;
  },
});

const copyShape = /\.sqlite\.before-/;

/** Copies of the databases beside them; their names sort by time. */
export const boundedStateCopies = (dataDir: string): Bounded => {
  const copies = async (): Promise<string[]> =>
    (await readdir(dataDir).catch((): string[] => [])).filter((name) => copyShape.test(name)).sort();
  return {
    measure: async () => (await copies()).length,
    async trim(cap, batch) {
      const doomed = (await copies()).slice(0, -cap).slice(0, batch);
      for (const name of doomed) await unlink(join(dataDir, name)).catch(() => undefined);
      return doomed.length;
    },
  };
};

/**
 * What a data folder holds, by what it is, read from the files alone: for a data folder whose ragwarden does not run.
 * @returns bytes; in the order in which people look for them
 */
export async function measureGrowth(
  dataDir: string,
): Promise<readonly { readonly what: string; readonly bytes: number }[]> {
  const size = async (name: string): Promise<number> =>
    (await lstat(join(dataDir, name)).catch(() => undefined))?.size ?? 0;
  const database = async (name: string): Promise<number> =>
    (await size(`${name}.sqlite`)) + (await size(`${name}.sqlite-wal`)) + (await size(`${name}.sqlite-shm`));
  const copies = (await readdir(dataDir).catch((): string[] => [])).filter((name) => copyShape.test(name));
  return [
    { what: 'state', bytes: await database('state') },
    { what: 'samples', bytes: await database('metrics') },
    {
      what: 'copies of the databases',
      bytes: (await Promise.all(copies.map(size))).reduce((sum, one) => sum + one, 0),
    },
    { what: 'staging', bytes: await folderBytes(join(dataDir, 'staging')) },
    { what: 'cache of the repository', bytes: await folderBytes(join(dataDir, 'cache')) },
    { what: 'repository', bytes: await folderBytes(join(dataDir, 'repository')) },
  ];
}
