import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize, relative } from 'node:path';
import { AppError, systemCode } from '../platform/errors.ts';

/**
 * A folder that comes from a request: whole, plain, and, with links followed as far as it exists, below one of the roots
 * that the file or the environment allows. Never inside a folder that lives.
 * @returns the path with links followed
 * @throws AppError `target/foreign-path`
 */
export async function requireAllowedFolder(
  folder: string,
  roots: readonly string[],
  living: readonly string[],
): Promise<string> {
  const refuse = (why: string): AppError => new AppError('target/foreign-path', `${JSON.stringify(folder)} ${why}.`);
  if (!isAbsolute(folder) || folder.includes('\0') || normalize(folder) !== folder.replace(/(?<=.)\/$/, ''))
    throw refuse('is not a whole, plain path');
  const real = await resolveExisting(normalize(folder).replace(/(?<=.)\/$/, ''));
  const allowed = await Promise.all(roots.map(resolveExisting));
  if (!allowed.some((root) => isInside(real, root)))
    throw refuse(
      roots.length === 0
        ? 'may not be used: no folder is allowed for this yet. Set backup.allowed_roots (RAGWARDEN_ALLOWED_ROOTS)'
        : `does not lie below a folder that is allowed for this (backup.allowed_roots: ${roots.join(', ')})`,
    );
  for (const live of await Promise.all(living.map(resolveExisting)))
    if (isInside(real, live) || isInside(live, real)) throw refuse(`overlaps ${live}, which the backend works in`);
  return real;
}

const isInside = (inner: string, outer: string): boolean => {
  const path = relative(outer, inner);
  return path === '' || (!path.startsWith('..') && !isAbsolute(path));
};

/** Follows links of whatever exists; what does not exist yet cannot be one. */
async function resolveExisting(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (err) {
    const code = systemCode(err);
    if ((code !== 'ENOENT' && code !== 'ENOTDIR') || path === dirname(path)) throw err;
    return join(await resolveExisting(dirname(path)), basename(path));
  }
}
