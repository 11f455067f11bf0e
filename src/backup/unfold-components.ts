import { readFile, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { OperationContext } from '../operations/index.ts';
import { AppError } from '../platform/errors.ts';
import type { BackupDeps } from './backup-deps.ts';
import type { SnapshotEntry } from './repository/index.ts';
import type { CaptureResult } from './sources/source.ts';
import type { FileEntry, TreeEntry } from './sources/tree.ts';
import { componentPath, type Staging, unfoldedPath, writeWhole } from './staging.ts';
import { foldProgram, foldProgramName, formOf, type UnfoldedEntry } from './unfold/index.ts';

/** Smaller files cost less than the pieces of their own that a folder of them takes in the repository. Bytes. */
const leastBytes = 65_536;
/** Each is an argument of the repository tool, and a pattern that it holds every path against. */
const mostFiles = 400;

/** How the files of a point are stored. */
export type StoredPoint = {
  /** As captured, with each unfolded file marked in its entries. */
  readonly captured: readonly CaptureResult[];
  /** By component: files that are there, and their bytes, in place of the captured ones. */
  readonly unfolded: ReadonlyMap<string, readonly UnfoldedEntry[]>;
  /** Paths of the staging tree that go into the snapshot beside the components themselves. */
  readonly paths: readonly string[];
  /** Paths of it that stay out, since they are there unfolded. */
  readonly excludes: readonly string[];
};

/**
 * Unfolds what is worth it of the captured folders, and lays the program beside that folds it without us. Whatever cannot be
 * unfolded is stored as it was captured: this never makes a point fail, but by the signal.
 */
export async function unfoldComponents(
  deps: Pick<BackupDeps, 'unfolder' | 'unfold' | 'clock' | 'log'>,
  request: { captured: readonly CaptureResult[]; staging: Staging; context: OperationContext },
): Promise<StoredPoint> {
  const { captured, staging, context } = request;
  const unfolded = new Map<string, readonly UnfoldedEntry[]>();
  const excludes: string[] = [];
  let budget = deps.unfold.enabled ? await spareBytes(staging.root) : 0;
  let left = deps.unfold.enabled ? mostFiles : 0;
  for (const one of captured) {
    const to = staging.unfoldedFolder(one.name);
    const files = one.kind === 'files' ? chooseFiles(one.entries).slice(0, left) : [];
    if (files.length === 0) {
      await rm(to, { recursive: true, force: true });
      continue;
    }
    const entries = await tryToUnfold(deps, { from: staging.componentFolder(one.name), to, files, budget }, context);
    const done = entries.filter((entry) => entry.state !== 'plain');
    for (const entry of entries)
      if (entry.state === 'plain')
        deps.log.info({ component: one.name, path: entry.path, reason: entry.reason }, 'a file is stored as it is');
    budget -= done.reduce((sum, entry) => sum + (entry.state === 'unfolded' ? bytesOf([entry]) : 0), 0);
    left -= done.length;
    if (done.length === 0) continue;
    unfolded.set(one.name, done);
    for (const { path } of done) excludes.push(`${componentPath(one.name)}/${path}`);
  }
  const marked = captured.map((one) => ({ ...one, entries: markUnfolded(one.entries, unfolded.get(one.name) ?? []) }));
  if (unfolded.size === 0) return { captured: marked, unfolded, paths: [], excludes };
  await layProgram(join(staging.root, foldProgramName));
  return { captured: marked, unfolded, paths: [...[...unfolded.keys()].map(unfoldedPath), foldProgramName], excludes };
}

/** Largest first: where not all can be unfolded, those that gain most are. */
const chooseFiles = (entries: readonly TreeEntry[]): FileEntry[] =>
  entries
    .filter((entry): entry is FileEntry => entry.kind === 'file' && entry.bytes >= leastBytes)
    .filter(({ path }) => formOf(path) !== undefined)
    .toSorted((a, b) => b.bytes - a.bytes || (a.path < b.path ? -1 : 1));

async function tryToUnfold(
  deps: Pick<BackupDeps, 'unfolder' | 'clock' | 'log'>,
  request: { from: string; to: string; files: readonly FileEntry[]; budget: number },
  context: OperationContext,
): Promise<readonly UnfoldedEntry[]> {
  const { from, to, files, budget } = request;
  try {
    const options = {
      signal: context.signal,
      onProgress: (progress: { bytesDone: number; bytesTotal: number }) => context.progress(progress),
    };
    return await deps.unfolder.unfold({ from, to, files, spareBytes: budget, nowMs: deps.clock.now() }, options);
  } catch (err) {
    context.signal.throwIfAborted();
    deps.log.warn({ err }, 'unfolding broke off; the files are stored as they are');
    await rm(to, { recursive: true, force: true });
    return [];
  }
}

/** Half of what is free: unfolding must not be what fills the disk. */
async function spareBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return (bavail * bsize) / 2;
}

function markUnfolded(entries: readonly TreeEntry[], unfolded: readonly UnfoldedEntry[]): readonly TreeEntry[] {
  const paths = new Set(unfolded.map(({ path }) => path));
  return entries.map((entry) =>
    entry.kind === 'file' && paths.has(entry.path) ? { ...entry, stored: 'unfolded' as const } : entry,
  );
}

/** Left alone when it is the same, so that the repository need not read it again. */
async function layProgram(path: string): Promise<void> {
  const text = await foldProgram();
  if ((await readFile(path, 'utf8').catch(() => undefined)) !== text) await writeWhole(path, [text]);
}

/** Bytes that these files take in the staging tree and, before it compresses them, in the repository. */
export const bytesOf = (entries: readonly UnfoldedEntry[]): number =>
  entries.reduce(
    (sum, one) => sum + (one.state === 'plain' ? 0 : one.files.reduce((all, { bytes }) => all + bytes, 0)),
    0,
  );

/** @throws AppError `backup/verification-failed` when the snapshot holds anything else unfolded than what was */
export function compareUnfolded(
  name: string,
  entries: readonly UnfoldedEntry[],
  listed: ReadonlyMap<string, SnapshotEntry>,
): void {
  const prefix = `/${unfoldedPath(name)}/`;
  const expected = new Map<string, number>();
  for (const entry of entries)
    if (entry.state !== 'plain')
      for (const file of entry.files) expected.set(`${prefix}${entry.path}/${file.name}`, file.bytes);
  const differs = (path: string, what: string): AppError =>
    new AppError('backup/verification-failed', `${name}: ${path.slice(prefix.length)} ${what} in the repository.`);
  for (const [path, bytes] of expected) {
    const found = listed.get(path);
    if (found?.type !== 'file') throw differs(path, 'is missing');
    if (found.sizeBytes !== bytes) throw differs(path, `has ${found.sizeBytes} bytes instead of ${bytes}`);
  }
  for (const [path, { type }] of listed)
    if (type !== 'dir' && path.startsWith(prefix) && !expected.has(path)) throw differs(path, 'is extra');
}
