import { lstat } from 'node:fs/promises';
import type { Clock } from '../../platform/clock.ts';
import { systemCode } from '../../platform/errors.ts';
import type { FolderFault, FolderFile, FolderInspection } from '../folder-inspection.ts';
import { measureFolder } from '../folder-sizes.ts';
import type { TargetFact } from '../observation.ts';
import type { Store } from '../target.ts';

/** Sizes and counts of the folders that an operator named; what lies in them is nobody's business here. */
export async function inspectFolders(
  stores: readonly Pick<Store, 'name' | 'path'>[],
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<FolderInspection> {
  const atMs = clock.now();
  const startedAt = clock.monotonic();
  const files: FolderFile[] = [];
  const faults: FolderFault[] = [];
  const facts: TargetFact[] = [];
  const counts: Record<string, number> = {};
  for (const { name, path } of stores) {
    const hindrance = await lstat(path).then(
      (found) => (found.isDirectory() || found.isSymbolicLink() ? undefined : 'it is no folder'),
      (err: unknown) => systemCode(err) ?? 'unknown error',
    );
    if (hindrance !== undefined) {
      const missing = hindrance === 'ENOENT';
      files.push({ name, kind: 'folder', bytes: 0, state: missing ? 'missing' : 'unreadable', detail: hindrance });
      faults.push({
        code: missing ? 'folder-missing' : 'folder-unreadable',
        severity: 'critical',
        message: missing
          ? `The folder ${name} (${path}) does not exist.`
          : `The folder ${name} (${path}) cannot be read: ${hindrance}.`,
      });
      continue;
    }
    const measured = await measureFolder(path, signal);
    files.push({ name, kind: 'folder', bytes: measured.bytes, state: measured.files === 0 ? 'empty' : 'ok' });
    counts[`${name}_files`] = measured.files;
    facts.push({ name: `${name}_bytes`, value: measured.bytes, unit: 'bytes' });
  }
  return {
    kind: 'custom',
    folder: stores[0]?.path ?? '',
    atMs,
    durationMs: clock.monotonic() - startedAt,
    bytesRead: 0,
    isFresh: files.every(({ state }) => state === 'empty'),
    files,
    counts,
    facts,
    leftOver: { total: 0, bytes: 0 },
    faults,
    outside: [],
  };
}
