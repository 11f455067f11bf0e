import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../platform/errors.ts';
import { type OrphanFinding, orphanReasons } from './orphan.ts';

/** An update that began less than this ago may still be running. */
const settledAfterMs = 3_600_000;
const mostNamed = 100;

/**
 * Folders that GraphRAG's `update` leaves: `update_output/<date>-<time>` in a project. The newest stays out: it is the only copy of the
 * tables from before the last update.
 * @param project the folder that holds `settings.yaml`; one without `update_output` has none
 */
export async function findUpdateFolders(options: {
  project: string;
  targetId: string;
  nowMs: number;
  signal: AbortSignal;
}): Promise<OrphanFinding[]> {
  const { project, targetId, nowMs, signal } = options;
  const place = 'update_output';
  const names = (await directories(join(project, place))).filter((name) => /^\d{8}-\d{6}$/.test(name)).sort();
  const superseded: string[] = [];
  let bytes = 0;
  for (const name of names.slice(0, -1)) {
    const folder = join(project, place, name);
    const { mtimeMs } = await lstat(folder);
    if (nowMs - mtimeMs < settledAfterMs) continue;
    superseded.push(name);
    bytes += await bytesBelow(folder, signal);
  }
  if (superseded.length === 0) return [];
  return [
    {
      ...{ targetId, workspace: '', store: 'files', kind: 'graphrag-update-folder', place },
      ...{ count: superseded.length, bytes, examples: superseded.slice(0, mostNamed) },
      ...orphanReasons['graphrag-update-folder'],
    },
  ];
}

async function directories(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder, { withFileTypes: true })).filter((one) => one.isDirectory()).map(({ name }) => name);
  } catch (err) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemCode(err) ?? '')) return [];
    throw err;
  }
}

/** Links count as themselves and lead nowhere. */
async function bytesBelow(folder: string, signal: AbortSignal): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    signal.throwIfAborted();
    const path = join(folder, entry.name);
    sum += entry.isDirectory() ? await bytesBelow(path, signal) : (await lstat(path)).size;
  }
  return sum;
}
