import { mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../platform/errors.ts';
import { isPointId } from '../point.ts';
import { flush } from '../restore/index.ts';
import { ownFolder } from '../sources/tree.ts';

const markFile = (folder: string): string => join(folder, ownFolder, 'recovering');

/** Where files are brought to before they are checked and moved. */
export const arrivingFolder = (folder: string): string => join(folder, ownFolder, 'arriving');

/** The point whose files are being moved into the folder; what lies at its top then belongs to that point. */
export async function findMark(folder: string): Promise<string | undefined> {
  const text = await readFile(markFile(folder), 'utf8').catch((err: unknown) => {
    if (systemCode(err) === 'ENOENT' || systemCode(err) === 'ENOTDIR') return undefined;
    throw err;
  });
  const id = text?.trim();
  return id !== undefined && isPointId(id) ? id : undefined;
}

/** On the disk before anything is moved. */
export async function setMark(folder: string, pointId: string): Promise<void> {
  await mkdir(join(folder, ownFolder), { recursive: true, mode: 0o700 });
  await writeFile(markFile(folder), `${pointId}\n`, { mode: 0o600, flush: true });
  await flush(join(folder, ownFolder));
}

/** After everything is in its place and was checked. */
export async function clearMark(folder: string): Promise<void> {
  await rm(arrivingFolder(folder), { recursive: true, force: true });
  await flush(folder);
  await rm(markFile(folder), { force: true });
  await rmdir(join(folder, ownFolder)).catch(() => undefined);
}
