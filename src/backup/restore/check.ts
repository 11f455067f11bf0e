import { isUtf8 } from 'node:buffer';
import type { Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { AppError, type Violation } from '../../platform/errors.ts';
import { digestFile } from '../sources/file-digest.ts';
import { entryProblems, ownFolder, type TreeEntry } from '../sources/tree.ts';

export type CheckOptions = {
  readonly signal?: AbortSignal;
  /** Bytes read so far, over all files. */
  readonly onProgress?: (bytes: number) => void;
};

const mostTold = 50;

/** Refuses a list of entries that could write outside its folder or set an id. @throws AppError `restore/unsafe-entry` */
export function requireSafeEntries(entries: readonly TreeEntry[]): void {
  const found = entryProblems(entries).map(({ path, problem }) => ({ at: told(path), message: problem }));
  if (found.length > 0) throw unsafe(found);
}

/**
 * Whether what lies staged has the shape of its entries: plain files, folders and links in their places, no set-id bits on
 * files. To be asked before anything staged is touched by its path: a link in the place of a folder would lead outside.
 * What is missing or extra is told by {@link checkStaged}.
 * @throws AppError `restore/unsafe-entry`, with up to 50 places
 */
export async function requirePlain(dir: string, entries: readonly TreeEntry[]): Promise<void> {
  requireSafeEntries(entries);
  if (!(await lstat(dir)).isDirectory()) throw unsafe([{ at: told('.'), message: 'it is not a folder' }]);
  const found: Violation[] = [];
  const foldersFirst = entries.toSorted((a, b) => a.path.split('/').length - b.path.split('/').length);
  for (const entry of foldersFirst) {
    const stat = await lstat(`${dir}/${entry.path}`).catch(() => undefined);
    const problem = stat && unsafeKind(entry, stat, true);
    if (problem === undefined) continue;
    found.push({ at: told(entry.path), message: problem });
    // What lies below it is somewhere else.
    if (entry.kind === 'dir') break;
  }
  if (found.length > 0) throw unsafe(found);
}

/**
 * Holds a staged tree against the entries of its manifest: nothing missing, nothing extra, every name inside, plain files,
 * folders and inner links only, no set-id bits, every size and digest equal. Reads every byte.
 * @throws AppError `restore/unsafe-entry` or `restore/digest-mismatch`, with up to 50 places
 */
export async function checkStaged(
  dir: string,
  entries: readonly TreeEntry[],
  options: CheckOptions = {},
): Promise<void> {
  await checkTree(dir, entries, new Set(), options);
}

/**
 * The same after the swap, over the live folder; `keep` holds the top-level names that were left alone.
 * @throws AppError like {@link checkStaged}
 */
export async function verifyRestored(
  root: string,
  entries: readonly TreeEntry[],
  options: CheckOptions & { readonly keep?: readonly string[] } = {},
): Promise<void> {
  await checkTree(root, entries, new Set([ownFolder, ...(options.keep ?? [])]), options);
}

async function checkTree(
  dir: string,
  entries: readonly TreeEntry[],
  ignoredAtTop: ReadonlySet<string>,
  options: CheckOptions,
): Promise<void> {
  requireSafeEntries(entries);
  const wanted = new Map(entries.map((entry) => [entry.path, entry]));
  const isGroupInherited = ((await lstat(dir)).mode & 0o2000) !== 0;
  const unsafeFound: Violation[] = [];
  const differing: Violation[] = [];
  const ahead = [''];
  let bytes = 0;
  for (let below = ahead.pop(); below !== undefined; below = ahead.pop()) {
    const prefix = below === '' ? '' : `${below}/`;
    for (const raw of await readdir(below === '' ? dir : `${dir}/${below}`, { encoding: 'buffer' })) {
      options.signal?.throwIfAborted();
      const path = prefix + raw.toString();
      if (below === '' && ignoredAtTop.has(path)) continue;
      const entry = isUtf8(raw) ? wanted.get(path) : undefined;
      if (entry === undefined) {
        unsafeFound.push({ at: told(path), message: 'it is not part of the recovery point' });
        continue;
      }
      wanted.delete(path);
      const stat = await lstat(`${dir}/${path}`);
      const kindProblem = unsafeKind(entry, stat, isGroupInherited);
      if (kindProblem !== undefined) {
        unsafeFound.push({ at: told(path), message: kindProblem });
        continue;
      }
      if (entry.kind === 'dir') ahead.push(path);
      if (entry.kind === 'symlink' && (await readlink(`${dir}/${path}`)) !== entry.linkTarget)
        unsafeFound.push({ at: told(path), message: 'the link leads elsewhere than recorded' });
      if (entry.kind !== 'file') continue;
      const read = await digestFile(`${dir}/${path}`, {
        signal: options.signal,
        onBytes: (piece) => {
          bytes += piece;
          options.onProgress?.(bytes);
        },
      });
      if (read.bytes !== entry.bytes || read.sha256 !== entry.sha256)
        differing.push({
          at: told(path),
          message: `${read.bytes} of ${entry.bytes} bytes, other digest than recorded`,
        });
    }
  }
  for (const path of wanted.keys()) differing.push({ at: told(path), message: 'it is missing' });
  if (unsafeFound.length > 0) throw unsafe(unsafeFound);
  if (differing.length > 0)
    throw new AppError(
      'restore/digest-mismatch',
      `${differing.length} entries differ from the recovery point, the first is ${differing[0]?.at}. Choose another point, or verify the repository.`,
      { violations: differing.slice(0, mostTold) },
    );
}

/** A folder may inherit its group from a root that does so; nothing else may carry a set-id bit. */
function unsafeKind(entry: TreeEntry, stat: Stats, isGroupInherited: boolean): string | undefined {
  const isKind =
    (entry.kind === 'file' && stat.isFile()) ||
    (entry.kind === 'dir' && stat.isDirectory()) ||
    (entry.kind === 'symlink' && stat.isSymbolicLink());
  if (!isKind) return `it is not the ${entry.kind} that was recorded`;
  if (entry.kind === 'symlink') return undefined;
  const setIds = stat.mode & (entry.kind === 'dir' && isGroupInherited ? 0o4000 : 0o6000);
  return setIds === 0 ? undefined : 'it carries a set-id bit';
}

function unsafe(found: readonly Violation[]): AppError {
  return new AppError(
    'restore/unsafe-entry',
    `${found.length} entries must not be restored, the first is ${found[0]?.at}: ${found[0]?.message}.`,
    { violations: found.slice(0, mostTold) },
  );
}

/** Names from outside may be of any length and hold line feeds. */
const told = (path: string): string => JSON.stringify(path.length > 300 ? `${path.slice(0, 300)}…` : path);
