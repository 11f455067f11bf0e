import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readlink, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, systemCode } from '../platform/errors.ts';
import { flushHandle } from './durable.ts';
import { foreign, requirePlain } from './safe-path.ts';

/**
 * A folder that is held open: what is named through it lies in that very folder, whatever somebody puts in its place, or on the way
 * to it, meanwhile. So the way is looked at once, for all that is done in the folder.
 */
export type HeldFolder = {
  /** What to call an entry directly in it when the system is asked. Not for people. */
  at(name: string): string;
  /** An error of the system, with the folder as people know it. */
  tell(err: unknown): string;
  /** Brings its names to the disk. */
  flush(): Promise<void>;
  close(): Promise<void>;
};

const ownHandles = '/proc/self/fd';

/**
 * Opens a folder below a registered one, or that one itself where `relative` is empty. Every part of the way is a folder of its own,
 * never a link, on the file system of the registered folder.
 * @param root as it is really called, without a link in it
 * @param handles where the system shows what this process has open. Without it the folder goes by its path, and a link that is put in its place
 *   after this look is followed: what was moved is compared with what was planned all the same.
 * @throws AppError `target/foreign-path`
 */
export async function holdFolder(root: string, relative: string, handles = ownHandles): Promise<HeldFolder> {
  if (relative !== '') requirePlain(relative);
  const path = join(root, relative);
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW).catch(
    (err: unknown) => {
      if (['ELOOP', 'ENOTDIR'].includes(systemCode(err) ?? '')) throw foreign(relative);
      throw err;
    },
  );
  try {
    const link = `${handles}/${handle.fd}`;
    const shown = await findShown(link);
    const [own, top] = await Promise.all([handle.stat({ bigint: true }), lstat(root, { bigint: true })]);
    const isThere = shown === undefined ? await isAt(path, own.ino) : shown === path;
    if (!isThere || own.dev !== top.dev) throw foreign(relative);
    return heldAs(handle, shown === undefined ? path : link, path);
  } catch (err) {
    await handle.close();
    throw err;
  }
}

const heldAs = (handle: FileHandle, name: string, path: string): HeldFolder => ({
  at: (entry) => `${name}/${entry}`,
  tell: (err) => describeError(err).replaceAll(`'${name}/`, `'${path}/`),
  flush: () => flushHandle(handle),
  close: () => handle.close(),
});

/** Where the system says that an open folder lies; undefined where it does not say so. */
async function findShown(link: string): Promise<string | undefined> {
  try {
    return await readlink(link);
  } catch (err) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'EINVAL'].includes(systemCode(err) ?? '')) return undefined;
    throw err;
  }
}

const isAt = async (path: string, inode: bigint): Promise<boolean> =>
  (await realpath(path)) === path && (await lstat(path, { bigint: true })).ino === inode;
