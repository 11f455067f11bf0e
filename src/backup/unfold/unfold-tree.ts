import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describeError } from '../../platform/errors.ts';
import { formOf } from './cutter.ts';
import { placeFolded } from './fold.mjs';
import { type UnfoldOutcome, unfoldFile } from './unfold-file.ts';

/** One captured file that may be unfolded; `path` as in the list of entries. */
export type UnfoldCandidate = {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  /** See `UnfoldRequest`. */
  readonly isChecked: boolean;
};

export type UnfoldTreeRequest = {
  readonly kind: 'unfold';
  /** Where the captured files lie. */
  readonly from: string;
  /** Folder of the unfolded state of this component: one folder for each file, at the path of the file. */
  readonly to: string;
  readonly files: readonly UnfoldCandidate[];
  /** What may be written where nothing of a file is unfolded yet; files beyond it are stored as they are. */
  readonly spareBytes: number;
  readonly nowMs: number;
};

export type UnfoldedEntry = { readonly path: string } & UnfoldOutcome;

/**
 * Unfolds the files of one component and removes the unfolded state of all others. A file whose unfolding fails is stored as it
 * is, with the reason: a point that costs more is better than none.
 */
export function unfoldTree(request: UnfoldTreeRequest, onBytes: (done: number) => void): UnfoldedEntry[] {
  const { from, to, files, nowMs } = request;
  const results: UnfoldedEntry[] = [];
  let done = 0;
  let spare = request.spareBytes;
  removeOthers(to, '', new Set(files.map(({ path }) => path)));
  for (const { path, bytes, sha256, isChecked } of files) {
    const form = formOf(path);
    const folder = join(to, path);
    if (form === undefined) continue;
    try {
      if (!existsSync(folder)) {
        if (bytes > spare) {
          results.push({ path, state: 'plain', reason: 'there is not enough free space to unfold it', lasting: false });
          continue;
        }
        spare -= bytes;
      }
      const source = join(from, path);
      results.push({ path, ...unfoldFile({ source, bytes, sha256, form, folder, nowMs, isChecked }) });
    } catch (err) {
      rmSync(folder, { recursive: true, force: true });
      results.push({ path, state: 'plain', reason: describeError(err), lasting: false });
    }
    done += bytes;
    onBytes(done);
  }
  return results;
}

/** What is neither the folder of a wanted file nor above one goes. */
function removeOthers(root: string, below: string, wanted: ReadonlySet<string>): void {
  const above = new Set([...wanted].flatMap((path) => parentsOf(path)));
  const visit = (inside: string): void => {
    for (const name of listed(join(root, inside))) {
      const path = inside === '' ? name : `${inside}/${name}`;
      if (wanted.has(path)) continue;
      if (above.has(path)) visit(path);
      else rmSync(join(root, path), { recursive: true, force: true });
    }
  };
  visit(below);
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // Not there yet.
  }
}

const parentsOf = (path: string): string[] =>
  path.split('/').flatMap((_, at, parts) => (at === 0 ? [] : [parts.slice(0, at).join('/')]));

export type FoldTreeRequest = {
  readonly kind: 'fold';
  /** The unfolded state of one component. */
  readonly from: string;
  /** The folder in which the files belong. */
  readonly to: string;
  readonly files: readonly {
    readonly path: string;
    readonly bytes: number;
    readonly sha256: string;
    readonly mtimeMs: number;
  }[];
};

export type FoldFault = { readonly path: string; readonly reason: string };

/** Puts files back together, each held against its digest, and removes the unfolded state. Stops at the first that fails. */
export function foldIntoPlace(request: FoldTreeRequest, onBytes: (done: number) => void): FoldFault | undefined {
  const { from, to } = request;
  let done = 0;
  for (const entry of request.files) {
    try {
      placeFolded(join(from, entry.path), to, entry);
    } catch (err) {
      if (isFull(err)) throw err;
      return { path: entry.path, reason: describeError(err) };
    }
    // While a large workspace is folded it would otherwise lie there twice.
    rmSync(join(from, entry.path), { recursive: true, force: true });
    done += entry.bytes;
    onBytes(done);
  }
  return undefined;
}

const isFull = (err: unknown): boolean => err instanceof Error && 'code' in err && err.code === 'ENOSPC';
