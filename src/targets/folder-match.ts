import { lstat, realpath } from 'node:fs/promises';
import { isAbsolute, join, normalize } from 'node:path';
import { systemCode } from '../platform/errors.ts';
import type { Observation } from './observation.ts';
import type { Store, Target } from './target.ts';
import type { Reason } from './target-status.ts';
import { workspaceFolder } from './workspace-folders.ts';

/** A path as the backend sees it, as we see it: by the longest entry of `paths` that leads to it. */
export function mapPath(path: string, paths: Readonly<Record<string, string>>): string {
  const plain = plainPath(path);
  let best: readonly [string, string] | undefined;
  for (const [theirs, ours] of Object.entries(paths)) {
    const from = plainPath(theirs);
    const leads = from === '/' || plain === from || plain.startsWith(`${from}/`);
    if (leads && (!best || from.length > best[0].length)) best = [from, ours];
  }
  if (!best) return plain;
  return plainPath(`${best[1]}/${plain.slice(best[0] === '/' ? 0 : best[0].length)}`);
}

/**
 * Does the backend work where we watch and back up? Folders it does not tell, or tells as relative paths, get no verdict.
 * Links are followed where a folder exists on this machine, so that two names of one folder are one.
 */
export async function findFolderMismatches(target: Target, observation: Observation): Promise<Reason[]> {
  const told: Partial<Record<Store['kind'], string | undefined>> = {
    'workspace-folder': observation.workingDirectory,
    'input-folder': observation.inputDirectory,
  };
  const reasons: Reason[] = [];
  for (const store of target.stores) {
    const theirs = told[store.kind];
    if (theirs === undefined || !isAbsolute(theirs)) continue;
    const works = await realPath(mapPath(theirs, target.paths));
    const watched = await realPath(plainPath(store.path));
    // Some versions tell the folder of the workspace, some the one that holds all workspaces.
    const same = works === watched || target.workspaces.some((name) => name !== '' && works === `${watched}/${name}`);
    if (!same)
      reasons.push({
        code: 'folder-mismatch',
        message: `The backend works in ${theirs}, but ${store.path} is watched and backed up. Correct the folder, or map it under target.paths when the backend sees other names (a container).`,
      });
  }
  return reasons;
}

/** LightRAG's own list of documents, which stands wherever there ever was one. */
const documentList = 'kv_store_doc_status.json';

/**
 * A LightRAG lives on what it has in memory: it goes on to answer, and to call itself healthy, after its files were removed
 * under it. Only where it says that it keeps its documents in files, and tells of some.
 */
export async function findLostFiles(target: Target, observation: Observation): Promise<Reason[]> {
  const store = target.stores.find(({ kind }) => kind === 'workspace-folder');
  const processed = observation.documents?.processed ?? 0;
  if (target.kind !== 'lightrag' || !store || processed === 0) return [];
  if (!Object.values(observation.storageClasses ?? {}).includes('JsonDocStatusStorage')) return [];
  const folder = workspaceFolder(store.path, target.workspaces[0] ?? '');
  const lost = await lstat(join(folder, documentList)).then(
    () => false,
    // A folder that is closed to us says nothing.
    (err: unknown) => systemCode(err) === 'ENOENT',
  );
  if (!lost) return [];
  return [
    {
      code: 'files-lost',
      message: `The backend tells of ${processed} processed documents and still answers from memory, but ${documentList} is gone from ${folder}: its files were removed, or the folder is not the one it works in. It will not have them after a restart; bring back the newest complete point with \`ragwarden backup restore\`.`,
    },
  ];
}

const plainPath = (path: string): string => normalize(path).replace(/(?<=.)\/+$/, '');
const realPath = (path: string): Promise<string> => realpath(path).catch(() => path);
