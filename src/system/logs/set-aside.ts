import { constants, fstatSync, ftruncateSync, readSync, writeSync } from 'node:fs';
import { type FileHandle, lstat, open, rename, rm, statfs, unlink, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { ChildProcesses } from '../../platform/child-processes/index.ts';
import { type FoundLog, rotatedName } from './log-files.ts';
import { findWriters } from './writers.ts';

export type SetAside = {
  readonly rotated: string;
  readonly compressed: boolean;
  /** Bytes that were set aside. */
  readonly bytes: number;
  /** Nothing a process wrote meanwhile can have been lost. */
  readonly lossless: boolean;
  /** What somebody may want to know; null: nothing. */
  readonly note: string | null;
};

/** Why a log was left as it is, told per file: not an error of the whole. */
export class LeftAlone extends Error {}

const isSame = (file: FoundLog, now: { dev: number; ino: number } | undefined): boolean =>
  now !== undefined && now.dev === file.device && now.ino === file.inode;

async function freeName(file: FoundLog, nowMs: number): Promise<string> {
  for (let attempt = 1; attempt < 1_000; attempt += 1) {
    const path = join(dirname(file.path), rotatedName(basename(file.path), nowMs, attempt));
    const taken = await Promise.all([path, `${path}.gz`].map((one) => lstat(one).catch(() => undefined)));
    if (taken.every((one) => one === undefined)) return path;
  }
  throw new LeftAlone('no name is free to set it aside under');
}

/**
 * Moves the file away under another name. A writer that keeps it open goes on writing into it: it is compressed only when nobody
 * has it open any more, now or at a later run.
 * @param reopen opens our own log anew, in the step after the move
 */
export async function setAsideByRename(file: FoundLog, nowMs: number, reopen?: () => void): Promise<SetAside> {
  const rotated = await freeName(file, nowMs);
  if (!isSame(file, await lstat(file.path).catch(() => undefined)))
    throw new LeftAlone('somebody else set it aside meanwhile');
  await rename(file.path, rotated);
  reopen?.();
  const { size } = await lstat(rotated);
  const done = await compressQuiet(rotated);
  return {
    rotated: done.compressed ? `${rotated}.gz` : rotated,
    compressed: done.compressed,
    bytes: size,
    lossless: true,
    note: done.note,
  };
}

/** Compresses what is set aside, when nobody writes to it any more. */
export async function compressQuiet(path: string): Promise<{ compressed: boolean; note: string | null }> {
  const before = await lstat(path);
  const writers = await findWriters({ device: before.dev, inode: before.ino });
  if (writers && writers.length > 0)
    return { compressed: false, note: `process ${writers[0]?.pid} still writes to it; it is compressed later` };
  const source = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    await gzipTo(source, before.size, `${path}.gz`);
    const after = await source.stat();
    if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) {
      await rm(`${path}.gz`, { force: true });
      return { compressed: false, note: 'somebody wrote to it meanwhile; it is compressed later' };
    }
  } finally {
    await source.close();
  }
  // Its age is that of its last line, not of its compression.
  await utimes(`${path}.gz`, before.atime, before.mtime);
  await unlink(path);
  return { compressed: true, note: null };
}

async function* piecesOf(source: FileHandle, bytes: number): AsyncGenerator<Buffer, void> {
  for (let position = 0; position < bytes; ) {
    const piece = Buffer.alloc(Math.min(256 * 1024, bytes - position));
    const { bytesRead } = await source.read(piece, 0, piece.length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield piece.subarray(0, bytesRead);
  }
}

/** On disk whole under its name, or not there at all. */
async function gzipTo(source: FileHandle, bytes: number, path: string): Promise<void> {
  const partial = `${path}.partial`;
  const { mode } = await source.stat();
  const target = await open(partial, 'w', mode & 0o777);
  try {
    // Streams of a file handle close it, or never say that they are done.
    await pipeline(piecesOf(source, bytes), createGzip(), async (packed: AsyncIterable<Buffer>) => {
      for await (const piece of packed) await target.writeFile(piece);
    });
    await target.sync();
    await target.close();
    await rename(partial, path);
  } catch (err) {
    await target.close().catch(() => undefined);
    await rm(partial, { force: true });
    throw err;
  }
}

/**
 * Copies the file and empties it, for a writer that keeps it open. Where the file system can cut a file at its beginning (ext4,
 * XFS) the copied blocks are cut off and what was written meanwhile stays, in one step of the kernel: nothing can be lost, and the
 * last lines, less than one block, stay where they are. Elsewhere the rest is copied and the file emptied without a pause in
 * between; what a process writes in that instant is lost, which is told.
 */
export async function setAsideByCopy(
  file: FoundLog,
  nowMs: number,
  children: Pick<ChildProcesses, 'run'>,
  signal: AbortSignal,
): Promise<SetAside> {
  const source = await open(file.path, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    if (!isSame(file, await source.stat())) throw new LeftAlone('somebody else set it aside meanwhile');
    const careless = (await findWriters(file))?.find((one) => !one.appends);
    if (careless)
      throw new LeftAlone(
        `process ${careless.pid} does not write at the end of the file, so emptying it would leave a hole; let its program reopen the log and use rename`,
      );
    const rotated = await freeName(file, nowMs);
    const { size } = await source.stat();
    const { bsize } = await statfs(file.path);
    // Never up to the end: cutting off all of a file is refused by the kernel.
    const cut = Math.floor((size - 1) / bsize) * bsize;
    if (cut > 0) {
      await gzipTo(source, cut, `${rotated}.gz`);
      if (await cutBeginning(source, cut, children, signal))
        return { rotated: `${rotated}.gz`, compressed: true, bytes: cut, lossless: true, note: null };
      await rm(`${rotated}.gz`, { force: true });
    }
    return await copyAndEmpty(source, rotated);
  } finally {
    await source.close();
  }
}

/** @returns false where the file system, or the machine, cannot */
async function cutBeginning(
  source: FileHandle,
  bytes: number,
  children: Pick<ChildProcesses, 'run'>,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const ended = await children.run({
      purpose: 'cutting the beginning of a log off',
      program: 'fallocate',
      // Through our own descriptor: the name may be another file by now.
      args: ['--collapse-range', '--offset', '0', '--length', String(bytes), `/proc/${process.pid}/fd/${source.fd}`],
      env: {},
      timeoutMs: 60_000,
      signal,
    });
    return ended.exitCode === 0;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

/** A log as it stands at this moment; somebody may be writing to it. */
export type GrowingLog = {
  /** Bytes that were read into the buffer from this place on; fewer than it holds: up to the end. */
  read(into: Buffer, at: number): number;
  size(): number;
};

/** How often the end of a log is looked for that moves on meanwhile. */
const mostLooks = 64;

/**
 * Copies what is behind `copied`, without a pause. Whoever writes a line with every look is not waited for: what comes after the last
 * look is what the emptying loses.
 * @returns bytes that are copied now
 * @throws LeftAlone when each look found a whole buffer more, so that nobody knows how much is missing
 */
export function copyRest(
  log: GrowingLog,
  keep: (from: Buffer, bytes: number, at: number) => void,
  copied: number,
  buffer: Buffer,
): number {
  let done = copied;
  for (let look = 1; ; look += 1) {
    const read = log.read(buffer, done);
    keep(buffer, read, done);
    done += read;
    if (read === 0 && log.size() === done) return done;
    if (look < mostLooks) continue;
    if (read < buffer.length) return done;
    throw new LeftAlone('it grows faster than it can be copied; let its program reopen the log and use rename');
  }
}

async function copyAndEmpty(source: FileHandle, rotated: string): Promise<SetAside> {
  const { mode, size } = await source.stat();
  const target = await open(rotated, 'wx', mode & 0o777);
  let copied = 0;
  try {
    const buffer = Buffer.alloc(1024 * 1024);
    // Up to the end, which may move on as fast as this reads.
    while (copied < 2 * size) {
      const { bytesRead } = await source.read(buffer, 0, buffer.length, copied);
      await target.write(buffer, 0, bytesRead, copied);
      copied += bytesRead;
      if (bytesRead < buffer.length) break;
    }
    await target.sync();
    // From here to the emptying without a pause.
    copied = copyRest(
      {
        read: (into, at) => readSync(source.fd, into, 0, into.length, at),
        size: () => fstatSync(source.fd).size,
      },
      (from, bytes, at) => {
        for (let done = 0; done < bytes; ) done += writeSync(target.fd, from, done, bytes - done, at + done);
      },
      copied,
      buffer,
    );
    ftruncateSync(source.fd, 0);
    await target.sync();
  } catch (err) {
    await target.close().catch(() => undefined);
    await unlink(rotated).catch(() => undefined);
    throw err;
  }
  await target.close();
  const done = await compressQuiet(rotated).catch((err: unknown) => ({
    compressed: false,
    note: `it is not compressed: ${err instanceof Error ? err.message : String(err)}`,
  }));
  return {
    rotated: done.compressed ? `${rotated}.gz` : rotated,
    compressed: done.compressed,
    bytes: copied,
    lossless: false,
    note: 'this file system cannot cut a file at its beginning: a line written in the instant of emptying is lost',
  };
}
