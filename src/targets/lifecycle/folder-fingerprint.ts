import { createHash } from 'node:crypto';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../platform/errors.ts';

/** One digest per folder over names, inodes, sizes and change times of what lies directly in it. */
export type FolderFingerprint = ReadonlyMap<string, string>;

/**
 * What a later look is compared with. Our own `.ragwarden` folder is left out; a folder that does not exist has a
 * fingerprint too.
 */
export async function fingerprintFolder(folder: string): Promise<FolderFingerprint> {
  const digests = new Map<string, string>();
  const walk = async (path: string): Promise<void> => {
    const names: string[] = [];
    try {
      for await (const entry of await opendir(path)) names.push(entry.name);
    } catch (err) {
      if (systemCode(err) === 'ENOENT' || systemCode(err) === 'ENOTDIR') return;
      throw err;
    }
    const hash = createHash('sha256');
    const inner: string[] = [];
    for (const name of names.sort()) {
      if (path === folder && name === '.ragwarden') continue;
      const stat = await lstat(join(path, name), { bigint: true }).catch(() => undefined);
      if (!stat) continue;
      hash.update(`${name}\0${stat.ino}\0${stat.size}\0${stat.mtimeNs}\0${stat.ctimeNs}\n`);
      if (stat.isDirectory()) inner.push(join(path, name));
    }
    digests.set(path, hash.digest('hex'));
    for (const one of inner) await walk(one);
  };
  await walk(folder);
  return digests;
}

/** A folder in which something moved between the two looks; undefined when nothing did. */
export function findChange(before: FolderFingerprint, after: FolderFingerprint | undefined): string | undefined {
  // The deepest one comes last and says most: a change below also touches the times of what lies above.
  const changed = [...new Set([...before.keys(), ...(after?.keys() ?? [])])].filter(
    (path) => before.get(path) !== after?.get(path),
  );
  return changed.at(-1);
}
