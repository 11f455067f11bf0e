import { chown, lstat, mkdir, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError, storageError, systemCode } from '../../platform/errors.ts';
import { ownFolder } from '../sources/tree.ts';

/**
 * Everything a restore needs lies below `<root>/.ragwarden`, inside the folder it restores: a folder that is a mount point
 * cannot be renamed, and moves stay within one file system.
 *
 * `restore-<operation>/`    the new state, until it is moved in
 * `undo-<operation>/`       the old state, after it was moved out
 * `incoming-<operation>/`   what a repository wrote, before it becomes the new state; made by the caller
 * `stray-<operation>/`      foreign files that stood in the way of an undo
 * `discarding-<operation>/` an undo folder on its way out
 * `journal-<operation>.json`
 */
export const own = {
  base: (root: string) => join(root, ownFolder),
  staged: (root: string, operationId: string) => join(root, ownFolder, `restore-${operationId}`),
  undo: (root: string, operationId: string) => join(root, ownFolder, `undo-${operationId}`),
  stray: (root: string, operationId: string) => join(root, ownFolder, `stray-${operationId}`),
  discarding: (root: string, operationId: string) => join(root, ownFolder, `discarding-${operationId}`),
  journal: (root: string, operationId: string) => join(root, ownFolder, `journal-${operationId}.json`),
};

/** Called at every boundary of the engines with its name; tests stop or kill there. */
export type Step = (name: string) => void | Promise<void>;
export const noStep: Step = () => {};

const operationIdShape = /^[a-z0-9][a-z0-9_-]{0,63}$/i;

/** An operation id becomes part of file names, so nothing else passes. @throws AppError `request/invalid` */
export function requireOperationId(operationId: string): string {
  if (operationIdShape.test(operationId)) return operationId;
  throw new AppError('request/invalid', 'This is not the id of an operation.');
}

/** The folder itself, with links in the way to it followed. @throws AppError `restore/blocked` when it is not there */
export async function requireRoot(root: string): Promise<string> {
  try {
    const found = await realpath(root);
    if ((await lstat(found)).isDirectory()) return found;
  } catch (err) {
    throw new AppError('restore/blocked', `The folder ${root} cannot be reached (${systemCode(err)}).`, { cause: err });
  }
  throw new AppError('restore/blocked', `${root} is not a folder.`);
}

/** Makes a deleted root anew (owner of the folder above, when we may), so that it can be restored into. */
export async function makeRoot(root: string): Promise<string> {
  try {
    if ((await mkdir(root, { recursive: true, mode: 0o755 })) !== undefined && process.geteuid?.() === 0) {
      const { uid, gid } = await stat(dirname(root));
      await chown(root, uid, gid);
    }
  } catch (err) {
    throw blockedBy(err, `${root} cannot be made`);
  }
  return requireRoot(root);
}

/** Our folder inside a root. A link in its place would lead our moves elsewhere and is refused. */
export async function makeOwnFolder(root: string): Promise<void> {
  try {
    await mkdir(own.base(root), { mode: 0o700 });
  } catch (err) {
    if (systemCode(err) !== 'EEXIST') throw blockedBy(err, `nothing can be made in ${root}`);
  }
  if (!(await lstat(own.base(root))).isDirectory())
    throw new AppError('restore/unsafe-entry', `${own.base(root)} is not a folder. Remove it and try again.`);
}

export function blockedBy(err: unknown, what: string): unknown {
  const full = storageError(err, 'preparing a restore');
  if (full !== err) return full;
  return new AppError('restore/blocked', `Nothing was changed: ${what} (${systemCode(err) ?? 'unknown reason'}).`, {
    cause: err,
  });
}
