import { chmod, lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A folder outside of every data folder, for what has to be reached by another user or over a short path. It carries its
 * operation, so that a life after a kill finds it: nothing else would ever remove it.
 */
export async function makeOutside(operationId: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), beginning(operationId)));
  // Others pass to what is theirs below it; only we name what is in it.
  await chmod(folder, 0o711);
  return folder;
}

/** What a killed operation left outside; folders that are not ours, whatever they are called, stay. */
export async function removeOutside(operationId: string): Promise<void> {
  for (const name of await readdir(tmpdir()).catch(() => [])) {
    if (!name.startsWith(beginning(operationId))) continue;
    const folder = join(tmpdir(), name);
    const found = await lstat(folder).catch(() => undefined);
    if (found?.isDirectory() && found.uid === process.getuid?.()) await rm(folder, { recursive: true, force: true });
  }
}

const beginning = (operationId: string): string => `rw-${operationId}-`;
