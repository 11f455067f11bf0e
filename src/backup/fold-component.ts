import { join } from 'node:path';
import type { BackupDeps } from './backup-deps.ts';
import type { ManifestComponent } from './manifest.ts';
import { requirePlain } from './restore/index.ts';
import type { FileEntry, TreeEntry } from './sources/tree.ts';
import { componentPath, unfoldedPath } from './staging.ts';

const isUnfolded = (entry: TreeEntry): entry is FileEntry => entry.kind === 'file' && entry.stored === 'unfolded';

/** What the repository must be asked for to get a component's files; {@link foldComponent} then puts them together. */
export const includesOf = (component: Pick<ManifestComponent, 'name' | 'unfolded'>): string[] => [
  `/${componentPath(component.name)}`,
  ...(component.unfolded === undefined ? [] : [`/${unfoldedPath(component.name)}`]),
];

/**
 * Puts the unfolded files of a component into their places among the others that came out of the repository, and removes the
 * unfolded state. Points that hold none cost nothing here. What came is then checked as ever.
 * @param arrived the folder that the repository wrote into
 * @throws AppError `restore/unsafe-entry`, `restore/digest-mismatch`, `storage/full`; the signal's reason
 */
export async function foldComponent(
  deps: Pick<BackupDeps, 'unfolder'>,
  request: {
    arrived: string;
    component: string;
    /** Folder within the component that the entries are relative to; '' is the whole. */
    below?: string;
    entries: readonly TreeEntry[];
    signal: AbortSignal;
    onProgress?: (progress: { readonly bytesDone: number; readonly bytesTotal: number }) => void;
  },
): Promise<void> {
  const { arrived, component, below = '', entries, signal, onProgress } = request;
  const files = entries.filter(isUnfolded);
  if (files.length === 0) return;
  const to = join(arrived, componentPath(component), below);
  // Before anything is written below it: a link in the place of a folder would lead outside.
  await requirePlain(to, entries);
  await deps.unfolder.fold({ from: join(arrived, unfoldedPath(component), below), to, files }, { signal, onProgress });
}

/** Bytes that folding needs beside the files themselves: their unfolded state as far as it is larger, and one file twice. */
export function foldingBytes(component: Pick<ManifestComponent, 'unfolded'>, entries: readonly TreeEntry[]): number {
  const sizes = entries.filter(isUnfolded).map(({ bytes }) => bytes);
  const together = sizes.reduce((sum, bytes) => sum + bytes, 0);
  return Math.max(0, (component.unfolded?.bytes ?? 0) - together) + Math.max(0, ...sizes);
}
