import { type BigIntStats, constants } from 'node:fs';
import { chmod, chown, copyFile, lstat, rename, rm, unlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../../platform/errors.ts';
import { digestFile } from '../file-digest.ts';
import type { TreeEntry } from '../tree.ts';
import type { TakenFile } from './capture-file.ts';
import { type Stamp, scanFolder, stampOf } from './scan.ts';
import type { IndexedFile } from './staging-index.ts';

/**
 * Moves the finished part to its name, unless the staged file already holds the same bytes: then that one stays with its
 * time, so that the repository sees nothing new. Staged files are never written into, since one may be a link to a live one.
 */
export async function putInPlace(
  part: string,
  staged: string,
  present: BigIntStats | undefined,
  taken: TakenFile,
  known: IndexedFile | undefined,
): Promise<{ stamp: Stamp; renewed: boolean }> {
  const finished = await lstat(part, { bigint: true });
  if (present?.isFile()) {
    const sameInode = present.ino === finished.ino && present.dev === finished.dev;
    const untouched =
      known !== undefined && known.staged.ino === present.ino && known.staged.mtimeNs === present.mtimeNs;
    const isLiveInode = present.ino === taken.live.ino && present.dev === taken.live.dev;
    // Bytes that rotted in a file change neither its time nor its size: after anything at all was done to it, it is read again.
    const sameBytes =
      untouched &&
      known.sha256 === taken.sha256 &&
      present.size === finished.size &&
      (known.staged.ctimeNs === present.ctimeNs || (await digestFile(staged)).sha256 === taken.sha256);
    const sameDress = present.mode === finished.mode && present.uid === finished.uid && present.gid === finished.gid;
    const sameTime = present.size === finished.size && present.mtimeNs === finished.mtimeNs;
    const before = known?.sha256 ?? (sameTime && !sameInode ? (await digestFile(staged)).sha256 : undefined);
    if (sameTime && before !== undefined && before !== taken.sha256) return putAsChanged(part, staged, finished);
    if (sameInode || (sameBytes && sameDress && !isLiveInode)) {
      await unlink(part);
      return { stamp: stampOf(await lstat(staged, { bigint: true })), renewed: false };
    }
  } else if (present !== undefined) await rm(staged, { recursive: true });
  await rename(part, staged);
  return { stamp: stampOf(await lstat(staged, { bigint: true })), renewed: true };
}

/**
 * Other bytes under the same size and time, as a disk that rots or a copy that keeps times leaves them: the repository goes by both
 * and would keep the bytes from before. A copy of our own with the present time is read; the entry tells the time of the original.
 */
async function putAsChanged(
  part: string,
  staged: string,
  finished: BigIntStats,
): Promise<{ stamp: Stamp; renewed: boolean }> {
  const own = `${part}.own`;
  await rm(own, { force: true });
  await copyFile(part, own, constants.COPYFILE_EXCL);
  if (process.geteuid?.() === 0) await chown(own, Number(finished.uid), Number(finished.gid));
  await chmod(own, Number(finished.mode & 0o777n));
  await unlink(part);
  await rename(own, staged);
  return { stamp: stampOf(await lstat(staged, { bigint: true })), renewed: true };
}

/** Removes from staging what the capture no longer holds. */
export async function removeOthers(into: string, entries: ReadonlyMap<string, TreeEntry>): Promise<void> {
  const staged = await scanFolder(into, []);
  for (const entry of staged.entries) {
    if (entries.has(entry.path)) continue;
    await rm(join(into, entry.path), { recursive: true, force: true });
  }
}

/** Last, since putting files into a folder moves its time. The owner keeps full rights, or staging could not be renewed. */
export async function dressFolders(into: string, entries: ReadonlyMap<string, TreeEntry>): Promise<void> {
  for (const entry of [...entries.values()].reverse()) {
    if (entry.kind !== 'dir') continue;
    const staged = join(into, entry.path);
    const present = await lstat(staged);
    if ((present.mode & 0o777) !== (entry.mode | 0o700)) await chmod(staged, entry.mode | 0o700);
    if (Math.floor(present.mtimeMs) !== entry.mtimeMs) await utimes(staged, entry.mtimeMs / 1000, entry.mtimeMs / 1000);
  }
}

export async function statOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (err) {
    if (systemCode(err) === 'ENOENT' || systemCode(err) === 'ENOTDIR') return undefined;
    throw err;
  }
}
