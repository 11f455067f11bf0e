import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, describeError, isAppError, storageError } from '../../../platform/errors.ts';
import { digestFile } from '../file-digest.ts';
import type { CaptureContext, CaptureResult, PendingCapture, Source } from '../source.ts';
import { type FileEntry, treeDigest } from '../tree.ts';

const fileName = 'state.sqlite';
const byHand =
  'ragwarden’s own state tells what happened up to the point, also what happened since; it goes back onto an empty data folder only, by `ragwarden recover`';

/**
 * ragwarden's own state (events, audit trail, operations, catalogue) as one SQLite file, whatever engine it lies on. It is copied
 * after inserts were let in again: nobody's documents are in it.
 * @param options.copyTo makes the copy, as of one moment, in a file that is not there yet
 */
export function createStateSource(options: { readonly name: string; copyTo(path: string): Promise<void> }): Source {
  const { name } = options;
  return {
    name,
    kind: 'config',
    describe: () => ({
      name,
      kind: 'config',
      online: true,
      consistent: 'always',
      restorableElsewhere: true,
      notes: [byHand],
    }),
    async capture(into): Promise<PendingCapture> {
      await mkdir(into, { recursive: true, mode: 0o700 });
      return {
        complete: (context) => copyState(options, into, context),
        async release() {
          // Nothing was held.
        },
      };
    },
  };
}

async function copyState(
  { name, copyTo }: { name: string; copyTo(path: string): Promise<void> },
  into: string,
  { signal }: CaptureContext,
): Promise<CaptureResult> {
  const file = join(into, fileName);
  const draft = join(into, 'copy');
  try {
    for (const other of await readdir(into))
      if (other !== fileName) await rm(join(into, other), { recursive: true, force: true });
    await copyTo(draft);
    const { sha256, bytes } = await digestFile(draft, { signal });
    const known = await digestFile(file, { signal }).catch(() => undefined);
    // An unchanged file keeps its time, and costs nothing.
    const renewed = known?.sha256 !== sha256;
    if (renewed) await rename(draft, file);
    await removeDraft(draft);
    const stat = await lstat(file);
    const entry: FileEntry = {
      path: fileName,
      kind: 'file',
      bytes,
      sha256,
      mode: stat.mode & 0o777,
      mtimeMs: Math.floor(stat.mtimeMs),
    };
    return {
      name,
      kind: 'config',
      entries: [entry],
      treeSha256: treeDigest([entry]),
      streams: [],
      files: 1,
      bytes,
      renewedFiles: renewed ? 1 : 0,
      skipped: [],
      damaged: [],
      partial: false,
      notes: [],
      proof: { grade: 'consistent', reasons: ['one moment: the copy that the database makes of itself'] },
      restore: { by: 'by-hand', reason: byHand },
    };
  } catch (err) {
    await removeDraft(draft).catch(() => undefined);
    if (isAppError(err) || signal.aborted) throw err;
    const full = storageError(err, `capturing ${name}`);
    if (isAppError(full)) throw full;
    throw new AppError('backup/capture-failed', `${name}: ${describeError(err)}.`, { cause: err });
  }
}

async function removeDraft(draft: string): Promise<void> {
  for (const ending of ['', '-wal', '-shm']) await rm(`${draft}${ending}`, { force: true });
}
