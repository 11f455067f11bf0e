import { chmod, chown, lchown, lstat, lutimes, mkdir, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../platform/errors.ts';
import type { TreeEntry } from '../sources/tree.ts';
import { blockedBy, makeOwnFolder, makeRoot, own, requireOperationId } from './layout.ts';

/**
 * Opens the staging folder of one restore: `<root>/.ragwarden/restore-<operation>/`, empty and closed to others. A root that
 * was deleted is made anew.
 * @returns the root with links followed, and the folder to fill
 * @throws AppError `restore/blocked` when the root cannot be written
 */
export async function openStage(root: string, operationId: string): Promise<{ root: string; staged: string }> {
  requireOperationId(operationId);
  const found = await makeRoot(root);
  await makeOwnFolder(found);
  const staged = own.staged(found, operationId);
  try {
    await rm(staged, { recursive: true, force: true });
    await mkdir(staged, { mode: 0o700 });
  } catch (err) {
    throw blockedBy(err, `nothing can be made in ${own.base(found)}`);
  }
  return { root: found, staged };
}

export type Owner = { readonly uid: number; readonly gid: number };

/** Who owns a folder: what is restored into it must belong to the same, or the backend could not write it. */
export async function ownerOf(folder: string): Promise<Owner> {
  const { uid, gid } = await lstat(folder);
  return { uid, gid };
}

/**
 * Gives staged files the permissions and times of their entries, and an owner when we run as root. Folders stay open to
 * their owner, since one without write permission cannot be moved to another parent, and files can be read by theirs.
 * Only for files a restore wrote itself: in a capture's staging folder this would reach through hard links to live files.
 */
export async function dressStaged(
  staged: string,
  entries: readonly TreeEntry[],
  owner: Owner | undefined,
): Promise<void> {
  const mayGive = owner !== undefined && process.geteuid?.() === 0;
  // Children before their folders: writing into a folder would move its time again.
  for (const entry of entries.toSorted((a, b) => b.path.split('/').length - a.path.split('/').length)) {
    const path = join(staged, entry.path);
    const seconds = entry.mtimeMs / 1000;
    try {
      if (entry.kind === 'symlink') {
        if (mayGive) await lchown(path, owner.uid, owner.gid);
        await lutimes(path, seconds, seconds);
        continue;
      }
      const found = await lstat(path);
      // A link in the place of a file would be followed here; the check of the staged tree reports it.
      if (entry.kind === 'dir' ? !found.isDirectory() : !found.isFile()) continue;
      if (mayGive) await chown(path, owner.uid, owner.gid);
      await chmod(path, entry.mode | (entry.kind === 'dir' ? 0o700 : 0o400));
      await utimes(path, seconds, seconds);
    } catch (err) {
      if (systemCode(err) !== 'ENOENT') throw err; // What is missing is told by the check.
    }
  }
}

/** Somebody else's file, a file system that is only read, or one that knows no permissions. */
const notOurs: ReadonlySet<string | undefined> = new Set(['EPERM', 'EROFS', 'ENOTSUP', 'EOPNOTSUPP']);

/**
 * Gives entries that lie there already, checked before, the permissions of the point, and touches nothing that has them.
 * @returns those that may not be given any: what they hold is right all the same
 */
export async function givePermissions(
  folder: string,
  entries: readonly TreeEntry[],
  change: (path: string, mode: number) => Promise<void> = chmod,
): Promise<readonly string[]> {
  const kept: string[] = [];
  for (const entry of entries) {
    if (entry.kind === 'symlink') continue;
    const path = join(folder, entry.path);
    const wanted = entry.mode | (entry.kind === 'dir' ? 0o700 : 0o400);
    if (((await lstat(path)).mode & 0o777) === wanted) continue;
    await change(path, wanted).catch((err: unknown) => {
      if (!notOurs.has(systemCode(err))) throw err;
      kept.push(`${path} (${systemCode(err)})`);
    });
  }
  return kept;
}
