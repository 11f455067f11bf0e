import type { BigIntStats } from 'node:fs';
import { lstat, opendir, realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { AppError, systemCode } from '../platform/errors.ts';
import type { Facts } from './plan.ts';

/** Our own folder inside a folder of the backend: what restores and cleanups set aside. */
export const ownFolder = '.ragwarden';

/** What a file or a folder was, so that a changed one is known again: links are never followed. */
export type Seen = {
  readonly kind: 'file' | 'folder';
  readonly device: string;
  readonly inode: string;
  readonly bytes: number;
  readonly files: number;
  /** Of the youngest file in it. Epoch milliseconds. */
  readonly changedMs: number;
  /** Of all there is in it: names, inodes, sizes, times. */
  readonly stamp: string;
};

const greatestFolder = 200_000;

/**
 * A path below a registered folder. Every part of the way is a folder of its own, never a link, on the file system of the folder.
 * @throws AppError `target/foreign-path`
 */
export async function requireInside(root: string, relative: string): Promise<string> {
  requirePlain(relative);
  const real = await realpath(root);
  const path = join(real, relative);
  const [above, top] = await Promise.all([lstat(dirname(path)), lstat(real)]);
  if ((await realpath(dirname(path))) !== dirname(path) || !above.isDirectory() || above.dev !== top.dev)
    throw foreign(relative);
  return path;
}

/**
 * Names alone, none of which leads upwards; what lies there is not looked at.
 * @throws AppError `target/foreign-path`
 */
export function requirePlain(relative: string): void {
  const parts = relative.split(sep);
  if (parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0')))
    throw foreign(relative);
}

export const foreign = (path: string): AppError =>
  new AppError('target/foreign-path', `${path.slice(0, 200)} does not lie plainly inside its registered folder.`);

/** @returns undefined when it is gone, a link, something special, or on another file system */
export async function look(path: string, device: bigint, signal?: AbortSignal): Promise<Seen | undefined> {
  const top = await lstatOf(path);
  if (!top || top.dev !== device) return undefined;
  if (top.isFile())
    return {
      ...{ kind: 'file', device: `${top.dev}`, inode: `${top.ino}`, bytes: Number(top.size), files: 1 },
      ...{ changedMs: newest(top), stamp: stampOf(top) },
    };
  if (!top.isDirectory()) return undefined;
  let bytes = 0;
  let files = 0;
  let changedMs = Number(top.mtimeMs);
  let sum = 0n;
  const walk = async (folder: string): Promise<boolean> => {
    for await (const entry of await opendir(folder)) {
      signal?.throwIfAborted();
      const stat = await lstatOf(join(folder, entry.name));
      if (!stat) continue;
      files += 1;
      if (stat.dev !== device || files > greatestFolder) return false;
      if (stat.isFile()) bytes += Number(stat.size);
      changedMs = Math.max(changedMs, newest(stat));
      sum = (sum + stat.ino * 1_000_003n + stat.mtimeNs + stat.size) % 18_446_744_073_709_551_557n;
      if (stat.isDirectory() && !(await walk(join(folder, entry.name)))) return false;
    }
    return true;
  };
  if (!(await walk(path))) return undefined;
  return {
    ...{ kind: 'folder', device: `${top.dev}`, inode: `${top.ino}`, bytes, files, changedMs },
    stamp: `${files} ${sum}`,
  };
}

const stampOf = (stat: BigIntStats): string => `${stat.size} ${stat.mtimeNs}`;
/** Its bytes; a change of owner or of its name is no use of it. */
const newest = (stat: BigIntStats): number => Number(stat.mtimeMs);

export async function lstatOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (err) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemCode(err) ?? '')) return undefined;
    throw err;
  }
}

export const sameAs = (seen: Facts, now: Seen): boolean =>
  seen.kind === now.kind && seen.device === now.device && seen.inode === now.inode && seen.stamp === now.stamp;
