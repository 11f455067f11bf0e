import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { systemCode } from '../platform/errors.ts';

/** Some network and user-space file systems refuse to flush a folder; they offer nothing better in its place. */
const refusals = new Set(['EINVAL', 'ENOTSUP', 'EBADF', 'ENOSYS']);

/** Brings the names of a folder, or the bytes of a file, to the disk. */
export async function flush(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    await flushHandle(handle);
  } finally {
    await handle.close();
  }
}

export async function flushHandle(handle: FileHandle): Promise<void> {
  try {
    await handle.sync();
  } catch (err) {
    if (!refusals.has(systemCode(err) ?? '')) throw err;
  }
}
