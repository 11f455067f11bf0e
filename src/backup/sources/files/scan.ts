import { isUtf8 } from 'node:buffer';
import type { BigIntStats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { systemCode } from '../../../platform/errors.ts';
import type { Skipped } from '../source.ts';
import { type Exclusion, findExclusion } from './exclusions.ts';

/** What tells two states of one file apart without reading it. Times are epoch nanoseconds. */
export type Stamp = {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
};

export type LiveEntry = {
  readonly path: string;
  readonly kind: 'file' | 'dir' | 'symlink';
  readonly stamp: Stamp;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly linkTarget?: string;
};

export type Scan = { readonly entries: readonly LiveEntry[]; readonly skipped: readonly Skipped[] };

export const stampOf = (stat: BigIntStats): Stamp => ({
  dev: stat.dev,
  ino: stat.ino,
  size: stat.size,
  mtimeNs: stat.mtimeNs,
  ctimeNs: stat.ctimeNs,
});

export const sameStamp = (left: Stamp, right: Stamp): boolean =>
  left.ctimeNs === right.ctimeNs && sameContentStamp(left, right);

/** Without the change time, which a hard link of our own moves as well. */
export const sameContentStamp = (left: Stamp, right: Stamp): boolean =>
  left.ino === right.ino && left.dev === right.dev && left.size === right.size && left.mtimeNs === right.mtimeNs;

const slash = Buffer.from('/');

/** Names looked at together: enough to keep the thread pool busy, few enough to leave it to others in between. */
const atOnce = 32;

/**
 * Looks at every name below a folder without opening a file. Names travel as bytes until they are known to be UTF-8, so
 * that no name is changed by reading it. What disappears meanwhile is left out; what cannot be captured is listed.
 */
export async function scanFolder(
  folder: string,
  exclusions: readonly Exclusion[],
  signal?: AbortSignal,
): Promise<Scan> {
  const entries: LiveEntry[] = [];
  const skipped: Skipped[] = [];
  const ahead: string[] = [''];
  for (let below = ahead.pop(); below !== undefined; below = ahead.pop()) {
    signal?.throwIfAborted();
    const prefix = below === '' ? '' : `${below}/`;
    const paths: string[] = [];
    for (const name of await namesOf(folder, below, skipped)) {
      const path = prefix + name.toString();
      if (!isUtf8(name))
        skipped.push({ path: prefix + name.toString('latin1'), reason: 'its name is not valid UTF-8', loss: true });
      else if (findExclusion(path, exclusions) === undefined) paths.push(path);
    }
    for (let from = 0; from < paths.length; from += atOnce) {
      signal?.throwIfAborted();
      const some = paths.slice(from, from + atOnce);
      for (const entry of await Promise.all(some.map((path) => lookAt(folder, path, skipped)))) {
        if (entry === undefined) continue;
        entries.push(entry);
        if (entry.kind === 'dir') ahead.push(entry.path);
      }
    }
  }
  return { entries, skipped };
}

async function namesOf(folder: string, below: string, skipped: Skipped[]): Promise<Buffer[]> {
  try {
    return await readdir(below === '' ? folder : `${folder}/${below}`, { encoding: 'buffer' });
  } catch (err) {
    if (below === '') throw err;
    noteUnreadable(below, err, skipped);
    return [];
  }
}

async function lookAt(folder: string, path: string, skipped: Skipped[]): Promise<LiveEntry | undefined> {
  const full = Buffer.concat([Buffer.from(folder), slash, Buffer.from(path)]);
  try {
    const stat = await lstat(full, { bigint: true });
    const common = {
      path,
      stamp: stampOf(stat),
      mode: Number(stat.mode & 0o777n),
      uid: Number(stat.uid),
      gid: Number(stat.gid),
    };
    if (stat.isFile()) return { ...common, kind: 'file' };
    if (stat.isDirectory()) return { ...common, kind: 'dir' };
    if (stat.isSymbolicLink()) {
      const target = await readlink(full, { encoding: 'buffer' });
      if (isUtf8(target)) return { ...common, kind: 'symlink', linkTarget: target.toString() };
      skipped.push({ path, reason: 'the target of the link is not valid UTF-8', loss: true });
      return undefined;
    }
    skipped.push({ path, reason: `it is a ${specialKind(stat)}, which holds no data`, loss: false });
  } catch (err) {
    noteUnreadable(path, err, skipped);
  }
  return undefined;
}

function specialKind(stat: BigIntStats): string {
  if (stat.isSocket()) return 'socket';
  if (stat.isFIFO()) return 'named pipe';
  return 'device';
}

/** A name that vanished is no fault: the comparison of before and after tells of it. */
export function noteUnreadable(path: string, err: unknown, skipped: Skipped[]): void {
  const code = systemCode(err);
  if (code === 'ENOENT' || code === 'ENOTDIR') return;
  if (code === 'EACCES' || code === 'EPERM') skipped.push({ path, reason: 'it may not be read', loss: true });
  else if (code === 'ENAMETOOLONG') skipped.push({ path, reason: 'its path is too long', loss: true });
  else if (code === 'EIO') skipped.push({ path, reason: 'the disk could not read it', loss: true });
  else throw err;
}
