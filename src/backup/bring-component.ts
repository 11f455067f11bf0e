import { lstat, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../platform/errors.ts';
import type { BackupDeps } from './backup-deps.ts';
import { foldComponent, includesOf } from './fold-component.ts';
import type { ManifestComponent } from './manifest.ts';
import type { Progress } from './repository/index.ts';
import { checkStaged, dressStaged, type Owner, requirePlain } from './restore/index.ts';
import { restoreSnapshot } from './restore-snapshot.ts';
import type { TreeEntry } from './sources/tree.ts';
import { componentPath } from './staging.ts';

/** The files of a component, or of one folder of it, as they are to be brought. */
export type BroughtFiles = {
  readonly pointId: string;
  /** As it was when the point was looked up. */
  readonly snapshotId: string;
  readonly component: Pick<ManifestComponent, 'name' | 'unfolded'>;
  /** Folder within the component whose contents are meant; '' is the whole. */
  readonly below: string;
  /** Relative to `below`. */
  readonly entries: readonly TreeEntry[];
  /** The entries are all that the component holds; otherwise whatever else lies there is not brought. */
  readonly whole: boolean;
};

/**
 * Brings files out of the repository into a folder of their own, gives them modes, times and an owner, and compares every
 * digest. Nothing that exists is touched besides `into`, which is replaced, and `incoming`, which is gone afterwards.
 * @param folders.into     absolute; holds exactly the entries afterwards
 * @param folders.incoming absolute, on the same file system, so that what arrived is moved and not copied
 * @throws AppError `restore/unsafe-entry`, `restore/digest-mismatch`; whatever the repository throws; the signal's reason
 */
export async function bringFiles(
  deps: Pick<BackupDeps, 'repository' | 'unfolder'>,
  files: BroughtFiles,
  folders: { into: string; incoming: string; owner: Owner | undefined },
  call: {
    signal: AbortSignal;
    operationId: string;
    onProgress?: (progress: Progress) => void;
    onChecked?: (bytesDone: number) => void;
  },
): Promise<void> {
  const { into, incoming, owner } = folders;
  const { signal, operationId, onProgress } = call;
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  try {
    await rm(into, { recursive: true, force: true });
    await mkdir(into, { mode: 0o700 });
    const { component } = files;
    const below = files.below === '' ? '' : `/${files.below}`;
    const root = `${componentPath(component.name)}${below}`;
    const names = topNamesOf(files.entries);
    if (files.whole || names.length > 0)
      await restoreSnapshot(deps.repository, files.pointId, {
        snapshotId: files.snapshotId,
        signal,
        operationId,
        target: incoming,
        include: files.whole
          ? includesOf(component)
          : names.flatMap((name) => includesOf(component).map((path) => `${path}${below}/${name}`)),
        ...(onProgress ? { onProgress } : {}),
      });
    if (!files.whole) await makePlainFolder(incoming, root);
    await foldComponent(deps, {
      arrived: incoming,
      component: component.name,
      below: files.below,
      entries: files.entries,
      signal,
      onProgress: (progress) => onProgress?.({ ...progress, filesDone: 0, filesTotal: 0 }),
    });
    if (files.whole) {
      await rm(into, { recursive: true });
      await rename(join(incoming, root), into);
    } else {
      for (const name of names)
        await rename(join(incoming, root, name), join(into, name)).catch((err: NodeJS.ErrnoException) => {
          if (err.code !== 'ENOENT') throw err; // What is missing is told by the check.
        });
    }
    await requirePlain(into, files.entries);
    await dressStaged(into, files.entries, owner);
    await checkStaged(into, files.entries, { signal, ...(call.onChecked ? { onProgress: call.onChecked } : {}) });
  } finally {
    await rm(incoming, { recursive: true, force: true });
  }
}

/** Of what was asked for alone, its folder may not have come; a link in its place would lead elsewhere. */
async function makePlainFolder(incoming: string, root: string): Promise<void> {
  let path = incoming;
  for (const name of root.split('/')) {
    path = join(path, name);
    const found = await lstat(path).catch(() => undefined);
    if (found && !found.isDirectory())
      throw new AppError('restore/unsafe-entry', `${name} of the recovery point is not a folder.`);
    if (!found) await mkdir(path, { mode: 0o700 });
  }
}

const topNamesOf = (entries: readonly TreeEntry[]): string[] => [
  ...new Set(entries.map((entry) => entry.path.split('/', 1)[0] ?? entry.path)),
];
