import { createReadStream } from 'node:fs';
import { lstat, mkdir, readdir, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Repository } from '../../backup/index.ts';
import { type ChildProcesses, systemSearchPath } from '../../platform/child-processes/index.ts';
import { AppError } from '../../platform/errors.ts';

/** A repository in one file. Under its own name it is whole. */
export async function packFolder(
  children: ChildProcesses,
  { folder, file }: { readonly folder: string; readonly file: string },
  signal: AbortSignal,
): Promise<void> {
  const { exitCode, stderr } = await children.run({
    program: 'tar',
    args: ['-cf', `${file}.new`, '-C', folder, '.'],
    env: { PATH: systemSearchPath },
    purpose: 'packing a point',
    signal,
  });
  if (exitCode !== 0) throw new AppError('child/failed', `The point could not be packed: ${stderr.slice(0, 300)}`);
  await rename(`${file}.new`, file);
}

/**
 * The reverse, into a folder that was not there. What came from elsewhere may hold anything: nothing but plain files and folders is
 * taken.
 * @throws AppError `restore/unsafe-entry`, `child/failed`
 */
export async function unpackFolder(
  children: ChildProcesses,
  { folder, file }: { readonly folder: string; readonly file: string },
  signal: AbortSignal,
): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { exitCode, stderr } = await children.run({
    program: 'tar',
    // From a pipe: of a file that it opens itself tar unpacks whatever it is compressed with, to any size.
    args: ['-x', '-f', '-', '-C', folder, '--no-same-owner', '--no-same-permissions'],
    input: createReadStream(file),
    env: { PATH: systemSearchPath },
    purpose: 'unpacking a point',
    signal,
  });
  if (exitCode !== 0) throw new AppError('child/failed', `The point could not be unpacked: ${stderr.slice(0, 300)}`);
  for (const name of await readdir(folder, { recursive: true })) {
    const seen = await lstat(join(folder, name));
    if (!seen.isDirectory() && !(seen.isFile() && seen.nlink === 1))
      throw new AppError('restore/unsafe-entry', `What was packed holds ${name}, which is no plain file.`);
  }
}

/** @throws AppError `repository/missing`, `repository/wrong-password` when it does not open */
export async function requireOpen(
  repository: Repository,
  what: string,
  call: { readonly signal: AbortSignal },
): Promise<void> {
  const { state } = await repository.open(call);
  if (state === 'missing') throw new AppError('repository/missing', `${what} is no repository.`);
  if (state === 'wrong-password')
    throw new AppError('repository/wrong-password', `The password does not open ${what}.`);
}

/** Packed, unpacked, and once more where it goes. @throws AppError `storage/full` */
export async function requireRoomFor(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize, blocks } = await statfs(folder);
  if (bavail * bsize - 3 * bytes < (blocks * bsize) / 20)
    throw new AppError(
      'storage/full',
      `The disk of ${folder} has no room for a point of ${bytes} bytes, packed and unpacked.`,
    );
}

/**
 * Ends work that fills the disk before the last twentieth of it is gone: that is for what lives here.
 * @throws AppError `storage/full`
 */
export async function whileRoom<Result>(
  folder: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
  { freeShare = freeShareOf, everyMs = 2_000 } = {},
): Promise<Result> {
  const full = new AbortController();
  const over = new AbortController();
  const look = async (): Promise<void> => {
    if ((await freeShare(folder)) < 1 / 20)
      full.abort(new AppError('storage/full', `The disk of ${folder} has no room to pack a point.`));
  };
  await look();
  full.signal.throwIfAborted();
  const watching = (async () => {
    while (!full.signal.aborted) {
      await sleep(everyMs, undefined, { signal: over.signal });
      await look();
    }
    // Ended when the work is; where nobody can look the work goes on.
  })().catch(() => undefined);
  try {
    return await work(AbortSignal.any([signal, full.signal]));
  } catch (err) {
    full.signal.throwIfAborted();
    throw err;
  } finally {
    over.abort();
    await watching;
  }
}

const freeShareOf = async (folder: string): Promise<number> => {
  const { bavail, blocks } = await statfs(folder);
  return blocks === 0 ? 1 : bavail / blocks;
};
