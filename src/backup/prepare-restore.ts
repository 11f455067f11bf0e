import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../platform/errors.ts';
import type { BackupDeps } from './backup-deps.ts';
import type { Manifest } from './manifest.ts';
import type { RecoveryPoint } from './point.ts';
import { requireSafeEntries } from './restore/index.ts';
import type { TreeEntry } from './sources/tree.ts';
import { readEntries } from './staging.ts';
import { findManifestSnapshot } from './verify-point.ts';

/** Everything a restore needs to know about a point, read from the repository once: opening one takes a moment each time. */
export type PreparedRestore = {
  readonly manifest: Manifest;
  readonly snapshotId: string;
  /** By component; those without files have none. */
  readonly entries: ReadonlyMap<string, readonly TreeEntry[]>;
};

/** @throws AppError `backup/unknown-point`, `restore/unsafe-entry`, `restore/digest-mismatch` */
export async function prepareRestore(
  deps: Pick<BackupDeps, 'repository' | 'stagingDir'>,
  point: Pick<RecoveryPoint, 'id'>,
): Promise<PreparedRestore> {
  const found = await findManifestSnapshot(deps, point.id);
  if (!found) throw new AppError('backup/unknown-point', `The repository does not hold ${point.id} any more.`);
  const { manifest, snapshotId } = found;
  const listed = manifest.components.filter((one) => one.files > 0 || one.restore.by === 'folder-swap');
  await mkdir(deps.stagingDir, { recursive: true, mode: 0o700 });
  // Of its own: two may ask for the plan of one point at once.
  const scratch = await mkdtemp(join(deps.stagingDir, `entries-${point.id}-`));
  try {
    if (listed.length > 0)
      await deps.repository.restore({
        snapshotId,
        target: scratch,
        include: listed.map((one) => `/${one.entries_file}`),
      });
    const entries = new Map<string, readonly TreeEntry[]>();
    for (const component of listed) {
      const read = await readEntries(join(scratch, component.entries_file), component.entries_sha256);
      requireSafeEntries(read);
      entries.set(component.name, read);
    }
    return { manifest, snapshotId, entries };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
