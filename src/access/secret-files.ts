import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { storageError } from '../platform/errors.ts';

/** Lets the user who owns the data folder in, while ragwarden runs. */
export const localTokenFile = (dataDir: string): string => join(dataDir, 'local-token');
/** Where the first admin token goes when there is no terminal to print it on. */
export const adminTokenFile = (dataDir: string): string => join(dataDir, 'admin-token');

/** Replaces a file that only its owner may read, at once: a reader sees the old or the new text. */
export async function writeSecretFile(path: string, secret: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(`${secret}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (err) {
    await rm(temporary, { force: true });
    throw storageError(err, 'writing a secret file');
  }
}
