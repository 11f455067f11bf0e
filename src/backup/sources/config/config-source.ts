import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { AppError, describeError, isAppError, storageError, systemCode } from '../../../platform/errors.ts';
import type { CaptureContext, CaptureResult, FolderSource, Skipped } from '../source.ts';
import { type FileEntry, type FolderEntry, sortEntries, type TreeEntry, treeDigest } from '../tree.ts';

/** Configuration is small; whatever is larger was named by mistake. */
const mostBytes = 16 * 1024 * 1024;

const byHand =
  'configuration is not put back by a restore: it may hold newer keys and addresses than the point; take what is needed from the point by hand';

/**
 * Single files that make up the configuration: the backend's environment file, what the operator names, ragwarden's own
 * settings. Each keeps its whole path below the component, so that two files of one name stay apart. They may hold secrets;
 * the repository is encrypted. A file that is named and missing makes the component partial.
 * @param files absolute paths; links are followed, since a configuration is often one
 */
export function createConfigSource(options: {
  readonly name: string;
  readonly files: readonly string[];
}): FolderSource {
  return {
    name: options.name,
    kind: 'config',
    describe: () => ({
      name: options.name,
      kind: 'config',
      online: true,
      consistent: 'when-still',
      restorableElsewhere: true,
      notes: [byHand],
    }),
    async capture(into, context) {
      try {
        return await captureFiles(options, into, context);
      } catch (err) {
        if (isAppError(err) || context.signal.aborted) throw err;
        const full = storageError(err, `capturing ${options.name}`);
        if (isAppError(full)) throw full;
        throw new AppError('backup/capture-failed', `${options.name}: ${describeError(err)}.`, { cause: err });
      }
    },
  };
}

async function captureFiles(
  options: { name: string; files: readonly string[] },
  into: string,
  context: CaptureContext,
): Promise<CaptureResult> {
  const entries = new Map<string, TreeEntry>();
  const skipped: Skipped[] = [];
  let moved = false;
  let renewedFiles = 0;
  await mkdir(into, { recursive: true, mode: 0o700 });
  const named = await Promise.all([...new Set(options.files)].map((file) => filesOf(file)));
  for (const file of [...new Set(named.flat())].sort()) {
    context.signal.throwIfAborted();
    const read = await readSteadily(file);
    if ('reason' in read) {
      skipped.push({ path: file, reason: read.reason, loss: true });
      continue;
    }
    moved ||= read.moved;
    const path = relative('/', file);
    const staged = join(into, path);
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder))
      entries.set(folder, { path: folder, kind: 'dir', mode: 0o700, mtimeMs: 0 } satisfies FolderEntry);
    await mkdir(dirname(staged), { recursive: true, mode: 0o700 });
    const sha256 = createHash('sha256').update(read.content).digest('hex');
    if (!(await holds(staged, sha256))) {
      renewedFiles += 1;
      await rm(staged, { recursive: true, force: true });
      await writeFile(staged, read.content, { mode: 0o600 });
      await chmod(staged, read.mode);
      await utimes(staged, read.mtimeMs / 1000, read.mtimeMs / 1000);
    }
    entries.set(path, {
      path,
      kind: 'file',
      bytes: read.content.length,
      sha256,
      mode: read.mode,
      mtimeMs: read.mtimeMs,
    } satisfies FileEntry);
  }
  await removeOthers(into, '', entries);
  const sorted = sortEntries([...entries.values()]);
  const files = sorted.filter((entry) => entry.kind === 'file');
  return {
    name: options.name,
    kind: 'config',
    entries: sorted,
    treeSha256: treeDigest(sorted),
    streams: [],
    files: files.length,
    bytes: files.reduce((sum, entry) => sum + entry.bytes, 0),
    renewedFiles,
    skipped,
    damaged: [],
    partial: skipped.length > 0,
    notes: [],
    proof: moved
      ? { grade: 'fuzzy', reasons: ['a configuration file was written while it was read'] }
      : { grade: 'consistent', reasons: ['no configuration file moved while it was read'] },
    restore: { by: 'by-hand', reason: byHand },
  };
}

/** A folder that is named (of prompts, say) stands for every file in it; more than so many are no configuration. */
const mostFiles = 1_000;

async function filesOf(named: string): Promise<string[]> {
  const isFolder = await stat(named).then(
    (found) => found.isDirectory(),
    // Told where it is read.
    () => false,
  );
  if (!isFolder) return [named];
  const found = await readdir(named, { withFileTypes: true, recursive: true });
  const files = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  if (files.length > mostFiles)
    throw new AppError(
      'backup/capture-failed',
      `${named} holds ${files.length} files, which no folder of configuration does: name what is meant.`,
    );
  return files;
}

type Steady = { readonly content: Buffer; readonly mode: number; readonly mtimeMs: number; readonly moved: boolean };

/** Reads a file again while it changes under the reading, a few times; then takes what there is and says so. */
async function readSteadily(file: string): Promise<Steady | { readonly reason: string }> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const before = await stat(file);
      if (!before.isFile()) return { reason: 'it is not a plain file' };
      if (before.size > mostBytes) return { reason: `it has ${before.size} bytes, which no configuration file has` };
      const content = await readFile(file);
      const after = await stat(file);
      const moved = before.mtimeMs !== after.mtimeMs || before.ino !== after.ino || after.size !== content.length;
      if (moved && attempt < 5) continue;
      return { content, mode: after.mode & 0o777, mtimeMs: Math.floor(after.mtimeMs), moved };
    } catch (err) {
      const code = systemCode(err);
      if (code === 'ENOENT' || code === 'ENOTDIR') return { reason: 'it does not exist' };
      if (code === 'EACCES' || code === 'EPERM') return { reason: 'it may not be read by this user' };
      throw err;
    }
  }
}

async function holds(staged: string, sha256: string): Promise<boolean> {
  try {
    if (!(await lstat(staged)).isFile()) return false;
    return (
      createHash('sha256')
        .update(await readFile(staged))
        .digest('hex') === sha256
    );
  } catch {
    // Not there yet, or not readable: it is written anew.
    return false;
  }
}

async function removeOthers(into: string, below: string, entries: ReadonlyMap<string, TreeEntry>): Promise<void> {
  for (const found of await readdir(join(into, below), { withFileTypes: true })) {
    const path = below === '' ? found.name : `${below}/${found.name}`;
    if (!entries.has(path)) await rm(join(into, path), { recursive: true, force: true });
    else if (found.isDirectory()) await removeOthers(into, path, entries);
  }
}
