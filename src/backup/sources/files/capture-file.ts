import { constants } from 'node:fs';
import { copyFile, link, lstat, open, rm } from 'node:fs/promises';
import type { Clock } from '../../../platform/clock.ts';
import { systemCode } from '../../../platform/errors.ts';
import { digestFile, digestHandle } from '../file-digest.ts';
import type { Writer } from './proof.ts';
import { type LiveEntry, type Stamp, sameContentStamp, sameStamp, stampOf } from './scan.ts';

/** Says why a copied file is not whole (cut JSON, unclosed GraphML), or undefined. `path` is relative to the folder. */
export type ValidateFile = (file: string, path: string) => Promise<string | undefined>;

export type CopyOptions = {
  readonly writer: Writer;
  readonly attempts: number;
  readonly validate: ValidateFile | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Remembered over all files of one capture, so that a file system without clones is asked once. */
  readonly clones: { possible: boolean };
};

/** One file lies finished at `part`. `live` is the state of the file that was taken. */
export type TakenFile = {
  readonly sha256: string;
  readonly bytes: number;
  readonly live: Stamp;
  /** It never held still: the copy may mix two states. */
  readonly torn: boolean;
  readonly damage: string | undefined;
  /** By a second name for the live file, which moved its change time. */
  readonly linked?: true;
};

/**
 * Takes a file by a second name for the same inode: no byte is copied and the capture of the file is instantaneous.
 *
 * This is right only where the writer replaces files by rename (LightRAG 1.5 and newer): the old inode is then never
 * written again. A writer that truncates and rewrites in place would destroy the captured state through the link, long
 * after the capture. So the caller says which writer it is, and an inode seen changing is reported (`in-place`).
 */
export async function linkFile(
  from: string,
  part: string,
  signal: AbortSignal,
): Promise<TakenFile | { readonly impossible: string } | { readonly inPlace: true }> {
  try {
    await link(from, part);
  } catch (err) {
    const code = systemCode(err);
    if (code === 'EXDEV') return { impossible: 'the staging folder lies on another file system' };
    if (code === 'EPERM' || code === 'EACCES') return { impossible: 'the system does not allow a hard link to it' };
    if (code === 'EMLINK') return { impossible: 'the file has as many hard links as the file system allows' };
    if (code === 'ENOTSUP' || code === 'ENOSYS') return { impossible: 'the file system has no hard links' };
    throw err;
  }
  const before = stampOf(await lstat(part, { bigint: true }));
  const { bytes, sha256 } = await digestFile(part, { signal });
  const after = stampOf(await lstat(part, { bigint: true }));
  if (!sameContentStamp(before, after) || bytes !== Number(before.size)) {
    await rm(part, { force: true });
    return { inPlace: true };
  }
  return { sha256, bytes, live: after, torn: false, damage: undefined, linked: true };
}

/**
 * Copies a file so that the copy is one state of it, trying again while it changes or while its form is broken. From a
 * writer that replaces files an inode that kept its size and time is whole even when the name meanwhile leads to a newer
 * one. When no attempt succeeds the last copy stands, said to be torn or damaged: a damaged file must still be backed up.
 */
export async function copyWhole(
  from: string,
  part: string,
  entry: LiveEntry,
  options: CopyOptions,
): Promise<TakenFile> {
  for (let attempt = 1; ; attempt += 1) {
    options.signal.throwIfAborted();
    await rm(part, { force: true });
    const taken = await copyOnce(from, part, entry, options);
    if ((!taken.torn && taken.damage === undefined) || attempt >= options.attempts) return taken;
    await options.clock.sleep(25 * 2 ** attempt, options.signal);
  }
}

async function copyOnce(from: string, part: string, entry: LiveEntry, options: CopyOptions): Promise<TakenFile> {
  const source = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const before = stampOf(await source.stat({ bigint: true }));
    const { bytes, sha256 } = await copyBytes(source, part, options);
    const after = stampOf(await source.stat({ bigint: true }));
    const whole =
      bytes === Number(before.size) &&
      (options.writer === 'atomic'
        ? sameContentStamp(before, after)
        : sameStamp(before, after) && (await lstat(from, { bigint: true })).ino === before.ino);
    await dress(part, entry, before);
    const damage = await options.validate?.(part, entry.path);
    return { sha256, bytes, live: before, torn: !whole, damage };
  } finally {
    await source.close();
  }
}

/** A clone shares its blocks with the original until one of them is written (btrfs, XFS); elsewhere bytes are copied. */
async function copyBytes(
  source: Awaited<ReturnType<typeof open>>,
  part: string,
  options: CopyOptions,
): Promise<{ bytes: number; sha256: string }> {
  if (options.clones.possible) {
    try {
      // Through the open file, so that the clone is of this inode and not of one renamed over it meanwhile.
      await copyFile(`/proc/self/fd/${source.fd}`, part, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
      return await digestFile(part, { signal: options.signal });
    } catch (err) {
      if (systemCode(err) === 'ENOSPC') throw err;
      options.clones.possible = false;
      await rm(part, { force: true });
    }
  }
  const target = await open(part, 'wx', 0o600);
  try {
    return await digestHandle(source, { write: target, signal: options.signal });
  } finally {
    await target.close();
  }
}

/** Owner (when we may), permissions and time of the original. The owner can always read it: the repository must. */
async function dress(part: string, entry: LiveEntry, live: Stamp): Promise<void> {
  const file = await open(part, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    if (process.geteuid?.() === 0) await file.chown(entry.uid, entry.gid);
    await file.chmod(entry.mode | 0o400);
    const seconds = Number(live.mtimeNs) / 1e9;
    await file.utimes(seconds, seconds);
  } finally {
    await file.close();
  }
}
