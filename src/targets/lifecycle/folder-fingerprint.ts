import { createHash } from 'node:crypto';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../platform/errors.ts';

/**
 * One digest over names, inodes, sizes and change times below a folder: equal digests mean that nothing moved.
 * Our own `.ragwarden` folder is left out; a folder that does not exist has a digest too.
 */
export async function fingerprintFolder(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const walk = async (path: string, depth: number): Promise<void> => {
    const names: string[] = [];
    try {
      for await (const entry of await opendir(path)) names.push(entry.name);
    } catch (err) {
      if (systemCode(err) === 'ENOENT' || systemCode(err) === 'ENOTDIR') return;
      throw err;
    }
    for (const name of names.sort()) {
      if (depth === 0 && name === '.ragwarden') continue;
      const inner = join(path, name);
      const stat = await lstat(inner, { bigint: true }).catch(() => undefined);
      if (!stat) continue;
      hash.update(`${inner}\0${stat.ino}\0${stat.size}\0${stat.mtimeNs}\0${stat.ctimeNs}\n`);
      if (stat.isDirectory()) await walk(inner, depth + 1);
    }
  };
  await walk(folder, 0);
  return hash.digest('hex');
}
