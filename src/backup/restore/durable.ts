import { constants } from 'node:fs';
import { lstat, open, readdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCode } from '../../platform/errors.ts';

/** Some network and user-space file systems refuse to flush a folder; they offer nothing better in its place. */
const refusals = new Set(['EINVAL', 'ENOTSUP', 'EBADF', 'ENOSYS']);

/** Brings the names of a folder, or the bytes of a file, to the disk. */
export async function flush(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    await handle.sync();
  } catch (err) {
    if (!refusals.has(systemCode(err) ?? '')) throw err;
  } finally {
    await handle.close();
  }
}

/** Replaces a small file so that after a crash it holds the old text or the new one, both whole. */
export async function writeDurably(
  path: string,
  text: string,
  step: (name: string) => void | Promise<void>,
): Promise<void> {
  const fresh = `${path}.new`;
  const handle = await open(fresh, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await step('flushed');
  await rename(fresh, path);
  await step('renamed');
  await flush(dirname(path));
}

/** Flushes every file and folder below, children first, so that a later rename never publishes bytes that can be lost. */
export async function flushTree(folder: string, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await flushTree(path, signal);
    else if (entry.isFile()) await flush(path);
  }
  await flush(folder);
}

/** Whether a name is taken, by a link too. */
export async function isPresent(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (err) {
    if (systemCode(err) === 'ENOENT') return false;
    throw err;
  }
}
