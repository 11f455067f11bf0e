import { createHash } from 'node:crypto';
import { chown, open, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { AppError, describeError, storageError, systemCode } from '../../platform/errors.ts';

export const digestOf = (content: string): string => createHash('sha256').update(content).digest('hex');

/** @throws AppError `conflict/state` where it is not there or may not be read */
export async function readPlainFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (err) {
    if (systemCode(err) === undefined) throw err;
    throw new AppError('conflict/state', `The environment file ${file} cannot be read: ${describeError(err)}.`, {
      cause: err,
    });
  }
}

/**
 * Puts other content in the place of a file, whole or not at all, with the same owner and mode, on the disk before it counts. Through a
 * link: what it leads to is replaced.
 * @param expected what it has to be until then; somebody else's change is not written over
 * @throws AppError `conflict/state` when it changed under the hand or may not be written, `storage/full`
 */
export async function rewriteFile(file: string, expected: string, content: string, suffix: string): Promise<void> {
  const beside = `${file}.${suffix}`;
  try {
    const { mode, uid, gid } = await stat(file);
    await writeWhole(beside, content, mode, uid, gid);
    if ((await readPlainFile(file)) !== expected)
      throw new AppError(
        'conflict/state',
        `${file} was changed by somebody else meanwhile. Nothing was written; look at the plan again.`,
      );
    await rename(beside, file);
    await syncFolder(path.dirname(file));
  } catch (err) {
    await rm(beside, { force: true }).catch(() => undefined);
    throw cannotWrite(err, file);
  }
}

/** A copy with the same owner and mode, on the disk when this resolves. @throws as `rewriteFile` */
export async function keepCopy(file: string, copy: string): Promise<void> {
  try {
    const { mode, uid, gid } = await stat(file);
    await writeWhole(copy, await readPlainFile(file), mode & 0o600, uid, gid);
    await syncFolder(path.dirname(copy));
  } catch (err) {
    await rm(copy, { force: true }).catch(() => undefined);
    throw cannotWrite(err, copy);
  }
}

async function writeWhole(file: string, content: string, mode: number, uid: number, gid: number): Promise<void> {
  // Nobody else reads it before it has its owner and mode.
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    const made = await handle.stat();
    if (made.uid !== uid || made.gid !== gid) await chown(file, uid, gid);
    await handle.chmod(mode & 0o777);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function cannotWrite(err: unknown, file: string): unknown {
  const code = systemCode(err);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return new AppError('conflict/state', `${file} may not be written (${code}). Nothing was changed.`, { cause: err });
  return storageError(err, `writing ${file}`);
}
