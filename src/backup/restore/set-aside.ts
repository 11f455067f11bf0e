import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ownFolder } from '../sources/tree.ts';
import { flush } from './durable.ts';
import { makeOwnFolder, makeRoot, own, requireOperationId } from './layout.ts';

/**
 * Moves all that lies in a folder below its `.ragwarden/undo-<operation>/`, so that something else can be brought there. What an
 * earlier recovery had begun in it is given up. After a kill it goes on where it was.
 * @returns how many entries were moved
 * @throws AppError `restore/blocked`, `restore/unsafe-entry`
 */
export async function setFolderAside(folder: string, operationId: string): Promise<number> {
  const root = await makeRoot(folder);
  await makeOwnFolder(root);
  const undo = own.undo(root, requireOperationId(operationId));
  for (const begun of ['recovering', 'arriving', 'arriving.incoming'])
    await rm(join(own.base(root), begun), { recursive: true, force: true });
  const names = (await readdir(root)).filter((name) => name !== ownFolder);
  if (names.length === 0) return 0;
  await mkdir(undo, { recursive: true, mode: 0o700 });
  for (const name of names) await rename(join(root, name), join(undo, name));
  await flush(root);
  return names.length;
}
