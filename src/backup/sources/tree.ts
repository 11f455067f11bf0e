import { createHash } from 'node:crypto';

/**
 * One name of a captured tree. `path` is relative to the captured folder, with `/` between its parts and exactly the
 * characters the file system holds: composed and decomposed letters stay what they are. `mode` holds the permission bits
 * alone (`mode & 0o777`), so set-id and sticky bits never travel. `mtimeMs` is whole epoch milliseconds.
 */
export type FileEntry = {
  readonly path: string;
  readonly kind: 'file';
  readonly bytes: number;
  readonly sha256: string;
  /** The point holds its unfolded state (docs/formats/unfold.md) in its place; absent: the file itself. */
  readonly stored?: 'unfolded' | undefined;
  readonly mode: number;
  readonly mtimeMs: number;
};
export type FolderEntry = {
  readonly path: string;
  readonly kind: 'dir';
  readonly mode: number;
  readonly mtimeMs: number;
};
export type LinkEntry = {
  readonly path: string;
  readonly kind: 'symlink';
  readonly linkTarget: string;
  readonly mode: number;
  readonly mtimeMs: number;
};
export type TreeEntry = FileEntry | FolderEntry | LinkEntry;

/** The folder ragwarden keeps for itself inside a folder it restores into; never captured, never restored. */
export const ownFolder = '.ragwarden';

/** Order of UTF-8 bytes, which is what `LC_ALL=C sort` gives; code units would put some emoji elsewhere. */
export const byPath = (left: { path: string }, right: { path: string }): number =>
  Buffer.compare(Buffer.from(left.path), Buffer.from(right.path));

export const sortEntries = (entries: readonly TreeEntry[]): TreeEntry[] => [...entries].sort(byPath);

/**
 * SHA-256 over the whole tree, as lower-case hex: one line of JSON per entry in the order of {@link byPath}, each ended by
 * a line feed, `["file",path,mode,bytes,sha256]`, `["dir",path,mode]` or `["symlink",path,linkTarget]`. Times are left
 * out, since the moves of a restore change the times of folders.
 */
export function treeDigest(entries: readonly TreeEntry[]): string {
  const hash = createHash('sha256');
  for (const entry of sortEntries(entries)) hash.update(`${JSON.stringify(canonical(entry))}\n`);
  return hash.digest('hex');
}

function canonical(entry: TreeEntry): readonly (string | number)[] {
  switch (entry.kind) {
    case 'file':
      return ['file', entry.path, entry.mode, entry.bytes, entry.sha256];
    case 'dir':
      return ['dir', entry.path, entry.mode];
    case 'symlink':
      return ['symlink', entry.path, entry.linkTarget];
  }
}

const longestName = 255;
// Room is left for the folder in front: PATH_MAX is 4096 bytes with the closing NUL.
const longestPath = 3500;

/** Why a single name cannot stand in a folder; undefined when it can. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'a name is empty';
  if (name === '.' || name === '..') return `a name is "${name}"`;
  if (name.includes('/')) return 'a name holds a slash';
  if (name.includes('\0')) return 'a name holds a NUL character';
  if (!name.isWellFormed()) return 'a name is not valid Unicode';
  if (Buffer.byteLength(name) > longestName) return `a name is longer than ${longestName} bytes`;
  if (name === ownFolder) return `${ownFolder} belongs to ragwarden`;
  return undefined;
}

/** Why a path of a tree must be refused; undefined when it is a plain relative path that cannot leave its folder. */
export function pathProblem(path: string): string | undefined {
  if (path.startsWith('/')) return 'the path is absolute';
  if (Buffer.byteLength(path) > longestPath) return `the path is longer than ${longestPath} bytes`;
  for (const name of path.split('/')) {
    const problem = nameProblem(name);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** As many links as Linux follows before it gives up (ELOOP). */
const mostLinksFollowed = 40;

/**
 * Whether a link leads out of its folder, walked as the kernel would walk it: reading the text alone is not enough, since
 * `a/../x` means something else when `a` is itself a link.
 * @param path  the link's own path; no parent of it may be a link
 * @param links every link of the tree, path to target
 */
export function leadsOutside(path: string, target: string, links: ReadonlyMap<string, string>): boolean {
  if (target.startsWith('/')) return true;
  const at = path.split('/').slice(0, -1);
  const ahead = target.split('/').reverse();
  let followed = 0;
  for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (at.pop() === undefined) return true;
      continue;
    }
    at.push(name);
    const next = links.get(at.join('/'));
    if (next === undefined) continue;
    if (next.startsWith('/')) return true;
    followed += 1;
    if (followed > mostLinksFollowed) return false; // The kernel refuses it too, so it leads nowhere.
    at.pop();
    ahead.push(...next.split('/').reverse());
  }
  return false;
}

export type EntryProblem = { readonly path: string; readonly problem: string };

/**
 * What is wrong with the entries of a manifest before anything is written: paths that leave, names twice, entries below
 * something that is no folder, links that lead out, set-id bits, sizes and digests that cannot be. Empty means sound.
 */
export function entryProblems(entries: readonly TreeEntry[]): EntryProblem[] {
  const problems: EntryProblem[] = [];
  const kinds = new Map<string, TreeEntry['kind']>();
  const links = new Map<string, string>();
  for (const entry of entries) {
    const problem = kinds.has(entry.path) ? 'the path is listed twice' : (pathProblem(entry.path) ?? ownProblem(entry));
    if (problem !== undefined) problems.push({ path: entry.path, problem });
    kinds.set(entry.path, entry.kind);
    if (entry.kind === 'symlink') links.set(entry.path, entry.linkTarget);
  }
  for (const entry of entries) {
    const parent = entry.path.slice(0, Math.max(0, entry.path.lastIndexOf('/')));
    if (parent !== '' && kinds.get(parent) !== 'dir')
      problems.push({ path: entry.path, problem: 'it lies below something that is not a listed folder' });
    else if (entry.kind === 'symlink' && leadsOutside(entry.path, entry.linkTarget, links))
      problems.push({ path: entry.path, problem: 'the link leads out of the folder' });
  }
  return problems;
}

function ownProblem(entry: TreeEntry): string | undefined {
  if (!Number.isInteger(entry.mode) || entry.mode < 0 || (entry.mode & ~0o777) !== 0)
    return 'the mode holds more than permission bits';
  if (entry.kind === 'symlink')
    return entry.linkTarget === '' || entry.linkTarget.includes('\0') ? 'the link has no valid target' : undefined;
  if (entry.kind === 'dir') return undefined;
  if (!Number.isSafeInteger(entry.bytes) || entry.bytes < 0) return 'the size is not a whole number of bytes';
  return /^[0-9a-f]{64}$/.test(entry.sha256) ? undefined : 'the digest is not a SHA-256';
}
