import { lchown, lstat, mkdir, readlink, realpath, rm, symlink, unlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { AppError, describeError, isAppError, storageError, systemCode } from '../../../platform/errors.ts';
import type { CaptureContext, CaptureResult, FolderSource, Skipped } from '../source.ts';
import { leadsOutside, sortEntries, type TreeEntry, treeDigest } from '../tree.ts';
import { copyWhole, linkFile, type TakenFile, type ValidateFile } from './capture-file.ts';
import { type Exclusion, keptNames, ownFolderExclusion } from './exclusions.ts';
import { decideProof, movedPaths, type Writer } from './proof.ts';
import {
  type LiveEntry,
  noteUnreadable,
  type Scan,
  type Stamp,
  sameContentStamp,
  scanFolder,
  stampOf,
} from './scan.ts';
import { type IndexedFile, isUnchanged, readIndex, type StagingIndex, writeIndex } from './staging-index.ts';
import { dressFolders, putInPlace, removeOthers, statOf } from './staging-tree.ts';

export type FilesSourceOptions = {
  readonly name: string;
  /** The live folder, absolute. A link to a folder is followed once, at the start. */
  readonly folder: string;
  /** `link` is honoured only for a writer that replaces files, on one file system; otherwise it copies and says why. */
  readonly mode: 'link' | 'copy';
  readonly writer: Writer;
  /** Base names taken before all others, in this order, in whatever sub-folder they lie. */
  readonly first?: readonly string[];
  readonly exclusions?: readonly Exclusion[];
  readonly validate?: ValidateFile;
  /** `mixed`: while the backend is at work its files are of two states, moved or not. By default it takes its work up again. */
  readonly whileBusy?: 'resumed' | 'mixed';
  /** How often a file that does not hold still is copied; 6 by default, with pauses of 50 ms to 0.8 s between. */
  readonly attempts?: number;
};

/** LightRAG writes a document's text before its status, and its status last of all: taken first, a status never promises too much. */
export const lightragFirst: readonly string[] = ['kv_store_doc_status.json', 'kv_store_full_docs.json'];

export function createFilesSource(options: FilesSourceOptions): FolderSource {
  return {
    name: options.name,
    kind: 'files',
    describe: () => ({
      name: options.name,
      kind: 'files',
      online: true,
      consistent: 'when-still',
      restorableElsewhere: true,
      notes: [
        options.mode === 'link' && options.writer === 'atomic'
          ? 'taken by hard link: the backend replaces its files by rename'
          : 'taken by copy: each file is copied until it held still',
        'any name and any plain file; links only when they stay inside; no sockets, pipes or devices',
      ],
    }),
    findAltered: async (into) => findAlteredFile(into, await readIndex(into)),
    async capture(into, context) {
      try {
        return await captureFolder(options, into, context);
      } catch (err) {
        if (isAppError(err) || context.signal.aborted) throw err;
        const full = storageError(err, `capturing ${options.name}`);
        if (isAppError(full)) throw full;
        throw new AppError('backup/capture-failed', `${options.name}: ${describeError(err)}.`, { cause: err });
      }
    },
  };
}

/** The state of one running capture. */
type Run = {
  readonly options: FilesSourceOptions;
  readonly context: CaptureContext;
  readonly folder: string;
  readonly into: string;
  readonly parts: string;
  readonly known: StagingIndex;
  readonly index: StagingIndex;
  readonly entries: Map<string, TreeEntry>;
  readonly skipped: Skipped[];
  readonly damaged: { path: string; reason: string }[];
  readonly notes: Set<string>;
  readonly torn: string[];
  readonly belied: string[];
  readonly clones: { possible: boolean };
  /** What the proof compares with: the first look, moved on only by what this capture did itself. */
  readonly before: Map<string, Stamp>;
  linking: boolean;
  renewed: number;
  bytes: number;
  files: number;
};

/** New names found on a later look are taken too: an upload is moved to another folder while the first look is worked off. */
const mostLooks = 4;

async function captureFolder(
  options: FilesSourceOptions,
  wantedInto: string,
  context: CaptureContext,
): Promise<CaptureResult> {
  const folder = await requireFolder(options);
  await mkdir(wantedInto, { recursive: true, mode: 0o700 });
  const into = await realpath(wantedInto);
  requireApart(folder, into);
  const exclusions = [ownFolderExclusion, ...(options.exclusions ?? [])];

  const idleBefore = await context.idle?.();
  let scan = await scanFolder(folder, exclusions, context.signal);
  const run: Run = {
    options,
    context,
    folder,
    into,
    parts: `${into}.parts`,
    known: await readIndex(into),
    index: new Map(),
    entries: new Map(),
    skipped: [],
    damaged: [],
    notes: new Set(),
    torn: [],
    belied: [],
    clones: { possible: true },
    before: new Map(scan.entries.map((entry) => [entry.path, entry.stamp])),
    linking: options.mode === 'link' && options.writer === 'atomic',
    renewed: 0,
    bytes: 0,
    files: 0,
  };
  if (options.mode === 'link' && !run.linking) run.notes.add('copied: the backend writes into its files');

  await rm(run.parts, { recursive: true, force: true });
  await mkdir(run.parts, { mode: 0o700 });
  let orderKept = true;
  try {
    for (let look = 1; look <= mostLooks; look += 1) {
      const fresh = scan.entries.filter((entry) => isStillToTake(run, entry));
      if (fresh.length === 0) break;
      if (look > 1 && fresh.some((entry) => rankOf(entry.path, options.first) < (options.first?.length ?? 0)))
        orderKept = false;
      await takeAll(run, fresh, scan);
      scan = await scanFolder(folder, exclusions, context.signal);
    }
    const altered = await findAlteredFile(run.into, run.index);
    if (altered !== undefined) stopLinking(run, altered);
    if (run.belied.length > 0) await takeLinkedAnew(run, scan);
    for (const entry of scan.entries.filter((found) => isStillToTake(run, found)))
      run.skipped.push({ path: entry.path, reason: 'it did not hold still long enough', loss: true });
    const links = await takeLinks(run, scan);
    await removeOthers(into, run.entries);
    await dressFolders(into, run.entries);
    await writeIndex(into, run.index);
    run.skipped.push(
      ...scan.skipped.filter((item) => !run.skipped.some((known) => known.path === item.path)),
      ...links,
    );
  } finally {
    await rm(run.parts, { recursive: true, force: true });
  }
  const after = (await scanFolder(folder, exclusions, context.signal)).entries;
  const idleAfter = await context.idle?.();

  const entries = sortEntries([...run.entries.values()]);
  return {
    name: options.name,
    kind: 'files',
    entries,
    treeSha256: treeDigest(entries),
    streams: [],
    files: entries.filter((entry) => entry.kind === 'file').length,
    bytes: entries.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.bytes : 0), 0),
    renewedFiles: run.renewed,
    skipped: run.skipped,
    damaged: run.damaged,
    partial: run.skipped.some((item) => item.loss),
    notes: [...run.notes],
    proof: decideProof({
      moved: movedPaths(run.before, after),
      writer: options.writer,
      idleBefore,
      idleAfter,
      whileBusy: options.whileBusy ?? 'resumed',
      orderKept,
      torn: run.torn,
      belied: run.belied,
    }),
    restore: {
      by: 'folder-swap',
      folder,
      keep: keptNames(exclusions).filter((kept) => kept.name !== ownFolderExclusion.value),
    },
  };
}

async function requireFolder(options: FilesSourceOptions): Promise<string> {
  const found = await realpath(options.folder).catch((err: unknown) => {
    throw new AppError(
      'backup/capture-failed',
      `${options.name}: the folder ${options.folder} cannot be reached (${systemCode(err)}).`,
      {
        cause: err,
      },
    );
  });
  if ((await lstat(found)).isDirectory()) return found;
  throw new AppError('backup/capture-failed', `${options.name}: ${options.folder} is not a folder.`);
}

/** Staging inside the captured folder would capture itself; the captured folder inside staging would be emptied. */
function requireApart(folder: string, into: string): void {
  const isBelow = (inner: string, outer: string): boolean =>
    inner === outer || !relative(outer, inner).startsWith('..');
  if (isBelow(into, folder) || isBelow(folder, into))
    throw new AppError(
      'backup/capture-failed',
      `The staging folder ${into} and the captured folder ${folder} lie inside each other. Choose another backup folder.`,
    );
}

/** Links are taken at the end; a name that was already refused is not tried again. */
const isStillToTake = (run: Run, entry: LiveEntry): boolean =>
  entry.kind !== 'symlink' && !run.entries.has(entry.path) && !run.skipped.some((item) => item.path === entry.path);

const parentIsTaken = (run: Run, path: string): boolean =>
  !path.includes('/') || run.entries.get(dirname(path))?.kind === 'dir';

function rankOf(path: string, first: readonly string[] = []): number {
  const rank = first.indexOf(path.slice(path.lastIndexOf('/') + 1));
  return rank === -1 ? first.length : rank;
}

async function takeAll(run: Run, fresh: readonly LiveEntry[], scan: Scan): Promise<void> {
  const folders = fresh.filter((entry) => entry.kind === 'dir').sort((a, b) => a.path.length - b.path.length);
  for (const entry of folders) await takeFolder(run, entry);

  const files = fresh
    .filter((entry) => entry.kind === 'file')
    .sort(
      (a, b) => rankOf(a.path, run.options.first) - rankOf(b.path, run.options.first) || (a.path < b.path ? -1 : 1),
    );
  const all = scan.entries.filter((entry) => entry.kind === 'file');
  const totalBytes = all.reduce((sum, entry) => sum + Number(entry.stamp.size), 0);
  for (const entry of files) {
    run.context.signal.throwIfAborted();
    await takeFile(run, entry);
    run.context.onProgress?.({
      files: run.files,
      totalFiles: all.length,
      bytes: run.bytes,
      totalBytes,
      path: entry.path,
    });
  }
}

async function takeFolder(run: Run, entry: LiveEntry): Promise<void> {
  if (!parentIsTaken(run, entry.path)) return;
  const staged = join(run.into, entry.path);
  const present = await statOf(staged);
  if (present !== undefined && !present.isDirectory()) await unlink(staged);
  if (!present?.isDirectory()) await mkdir(staged, { mode: 0o700 });
  run.entries.set(entry.path, { path: entry.path, kind: 'dir', mode: entry.mode, mtimeMs: milliseconds(entry.stamp) });
}

async function takeFile(run: Run, entry: LiveEntry): Promise<void> {
  if (!parentIsTaken(run, entry.path)) return;
  const staged = join(run.into, entry.path);
  const present = await statOf(staged);
  const known = run.known.get(entry.path);
  const isLink = present?.ino === entry.stamp.ino && present.dev === entry.stamp.dev;
  // A link left from the time when linking was allowed must not outlive that time.
  const mayStay = present?.isFile() === true && (run.linking || !isLink);
  if (mayStay && known !== undefined && isUnchanged(known, entry.stamp, stampOf(present))) {
    run.index.set(entry.path, known);
    recordFile(run, entry, Number(present.size), known);
    return;
  }
  // The inode of an earlier hard link has other bytes now: this writer does not replace its files.
  if (run.linking && isLink && known !== undefined && wasWrittenInto(known.staged, stampOf(present)))
    stopLinking(run, entry.path);
  try {
    const part = join(run.parts, 'part');
    const taken = await takeInto(run, entry, part);
    const placed = await putInPlace(part, staged, present, taken, known);
    if (placed.renewed) run.renewed += 1;
    const indexed = {
      live: forgiveOwnLink(run, entry, taken.live, await leftByLink(run, entry, taken, placed.stamp)),
      staged: placed.stamp,
      sha256: taken.sha256,
      takenAtMs: run.context.clock.now(),
      ...(taken.linked ? { linked: true as const } : {}),
    };
    recordFile(run, entry, taken.bytes, indexed);
    // A torn or damaged file is looked at anew each time, so that every point tells of it.
    if (!taken.torn && taken.damage === undefined) run.index.set(entry.path, indexed);
    if (taken.torn) run.torn.push(entry.path);
    if (taken.damage !== undefined) run.damaged.push({ path: entry.path, reason: taken.damage });
  } catch (err) {
    // A link raced into the place of the file (ELOOP) and a folder (EISDIR) show as moved; the next look takes them.
    if (systemCode(err) !== 'ELOOP' && systemCode(err) !== 'EISDIR') noteUnreadable(entry.path, err, run.skipped);
  }
}

/**
 * Making, moving and removing a hard link moves the change time of the inode. Only that is forgiven in the comparison of before
 * and after, and only for the inode and the content that were seen first.
 */
function forgiveOwnLink(run: Run, entry: LiveEntry, live: Stamp, left: Stamp): Stamp {
  if (!sameContentStamp(live, left)) return live;
  const first = run.before.get(entry.path);
  if (first !== undefined && sameContentStamp(first, left)) run.before.set(entry.path, left);
  return left;
}

/** The live file after our link to it was put into staging, or removed since the staged file holds the same bytes already. */
async function leftByLink(run: Run, entry: LiveEntry, taken: TakenFile, staged: Stamp): Promise<Stamp> {
  if (!taken.linked || sameContentStamp(taken.live, staged)) return staged;
  const now = await statOf(join(run.folder, entry.path));
  return now === undefined ? staged : stampOf(now);
}

const wasWrittenInto = (then: Stamp, now: Stamp): boolean =>
  then.ino === now.ino && (then.mtimeNs !== now.mtimeNs || then.size !== now.size);

async function takeInto(run: Run, entry: LiveEntry, part: string): Promise<TakenFile> {
  const from = join(run.folder, entry.path);
  if (run.linking) {
    const linked = await linkFile(from, part, run.context.signal);
    if ('sha256' in linked) return linked;
    if ('inPlace' in linked) stopLinking(run, entry.path);
    else run.notes.add(`copied where a hard link was asked for: ${linked.impossible}`);
  }
  return copyWhole(from, part, entry, {
    writer: run.belied.length > 0 ? 'in-place' : run.options.writer,
    attempts: run.options.attempts ?? 6,
    validate: run.options.validate,
    clock: run.context.clock,
    signal: run.context.signal,
    clones: run.clones,
  });
}

function stopLinking(run: Run, path: string): void {
  run.linking = false;
  if (!run.belied.includes(path)) run.belied.push(path);
  run.notes.add('copied where a hard link was asked for: a file was seen to be written in place');
}

/** Files that are still linked to live ones would change with them, so they are copied after all. */
async function takeLinkedAnew(run: Run, scan: Scan): Promise<void> {
  const linked: LiveEntry[] = [];
  for (const entry of scan.entries) {
    const taken = run.entries.get(entry.path);
    const staged = taken?.kind === 'file' ? await statOf(join(run.into, entry.path)) : undefined;
    if (taken?.kind !== 'file' || staged === undefined) continue;
    const altered = run.index.get(entry.path);
    const isLink = staged.ino === entry.stamp.ino && staged.dev === entry.stamp.dev;
    if (!isLink && (altered === undefined || sameContentStamp(altered.staged, stampOf(staged)))) continue;
    run.entries.delete(entry.path);
    run.index.delete(entry.path);
    run.bytes -= taken.bytes;
    run.files -= 1;
    linked.push(entry);
  }
  await takeAll(run, linked, scan);
}

/** A staged file whose content changed since it was taken: through a hard link, by a writer that writes into its files. */
async function findAlteredFile(into: string, index: StagingIndex): Promise<string | undefined> {
  for (const [path, { staged }] of index) {
    const now = await statOf(join(into, path));
    if (now === undefined || !sameContentStamp(staged, stampOf(now))) return path;
  }
  return undefined;
}

function recordFile(run: Run, entry: LiveEntry, bytes: number, indexed: IndexedFile): void {
  run.bytes += bytes;
  run.files += 1;
  run.entries.set(entry.path, {
    path: entry.path,
    kind: 'file',
    bytes,
    sha256: indexed.sha256,
    mode: entry.mode,
    mtimeMs: milliseconds(indexed.live),
  });
}

/** Links are judged together at the end, since one may lead through another. */
async function takeLinks(run: Run, scan: Scan): Promise<Skipped[]> {
  const found = scan.entries.filter((entry) => entry.kind === 'symlink');
  const targets = new Map(found.map((entry) => [entry.path, entry.linkTarget ?? '']));
  const refused: Skipped[] = [];
  for (const entry of found) {
    const target = entry.linkTarget ?? '';
    if (leadsOutside(entry.path, target, targets)) {
      refused.push(await outsideLink(run.folder, entry.path, target));
      continue;
    }
    if (!parentIsTaken(run, entry.path)) continue; // Its folder came too late to be taken.
    const staged = join(run.into, entry.path);
    const present = await statOf(staged);
    if (!present?.isSymbolicLink() || (await readlink(staged)) !== target) {
      if (present !== undefined) await rm(staged, { recursive: true });
      await symlink(target, staged);
      if (process.geteuid?.() === 0) await lchown(staged, entry.uid, entry.gid);
    }
    run.entries.set(entry.path, {
      path: entry.path,
      kind: 'symlink',
      linkTarget: target,
      mode: 0o777,
      mtimeMs: milliseconds(entry.stamp),
    });
  }
  return refused;
}

/** A link to files elsewhere hides data of the backend from this capture; a link to nothing or to a device hides none. */
async function outsideLink(folder: string, path: string, target: string): Promise<Skipped> {
  const hidden = await realpath(join(folder, path))
    .then((found) => lstat(found))
    .catch(() => undefined);
  const loss = hidden?.isFile() === true || hidden?.isDirectory() === true;
  return { path, reason: `the link leads out of the folder, to ${target}`, loss };
}

const milliseconds = (stamp: Stamp): number => Number(stamp.mtimeNs / 1_000_000n);
