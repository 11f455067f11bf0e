import { type Dirent, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, systemCode } from '../platform/errors.ts';

const workspaceName = /^[A-Za-z0-9_]{1,64}$/;

/** Names of workspaces come from outside and become parts of paths. @throws AppError `target/unknown` */
export function requireWorkspaceName(name: string): string {
  if (name === '' || workspaceName.test(name)) return name;
  throw new AppError('target/unknown', 'Names of workspaces hold letters, digits and underscores only.');
}

/** Where a backend keeps one workspace: in a folder of its name, the unnamed one at the top. */
export const workspaceFolder = (root: string, workspace: string): string =>
  requireWorkspaceName(workspace) === '' ? root : join(root, workspace);

/**
 * Workspaces that have a folder below this one, sorted: whatever holds a store of the backend. The unnamed one, whose files
 * lie at the top, is not among them.
 * @param options.withJournals also those whose files are just being exchanged, or were: our own folder lies in them
 */
export function findWorkspaceFolders(root: string, options: { withJournals?: boolean } = {}): string[] {
  return listed(root)
    .filter((entry) => entry.isDirectory() && workspaceName.test(entry.name))
    .map((entry) => entry.name)
    .filter((name) =>
      listed(join(root, name)).some(
        (file) => storeFile.test(file.name) || (options.withJournals && file.name === '.ragwarden'),
      ),
    )
    .sort();
}

const storeFile = /^(kv_store_|vdb_).+\.json$|\.graphml$|^faiss_index_/;

/** A folder that is not there, or closed to us, holds no workspace that we could do anything with. */
function listed(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (err) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM'].includes(systemCode(err) ?? '')) return [];
    throw err;
  }
}
