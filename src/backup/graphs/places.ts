import { isAbsolute, resolve } from 'node:path';
import { AppError } from '../../platform/errors.ts';
import { type Target, workspaceFolder } from '../../targets/index.ts';
import type { Graph } from './graph.ts';

/** Where a snapshot goes back to: over the live data, or beside it into a folder of its own. */
export type RestorePlace = { readonly kind: 'in-place' } | { readonly kind: 'aside'; readonly folder: string };

/** Folders that a graph's data lies in: those of its workspace, and those that hold all workspaces of its target. */
function registeredFolders(target: Target, graph: Graph): string[] {
  return target.stores.flatMap((store) => [
    resolve(workspaceFolder(store.path, graph.workspace)),
    ...(graph.id === graph.targetId ? [resolve(store.path)] : []),
  ]);
}

/** A path from outside must be a folder that is registered anyway. @throws AppError `target/foreign-path` */
export function requireSource(target: Target, graph: Graph, folder: string): void {
  const known = registeredFolders(target, graph);
  if (!isWholePath(folder) || !known.includes(resolve(folder)))
    throw new AppError(
      'target/foreign-path',
      `source_dir must be a registered folder of ${graph.id}${known.length > 0 ? `: ${[...new Set(known)].join(' or ')}` : ''}. It may be left out.`,
    );
}

/**
 * Where a folder from outside leads: one of the graph's own is the place it came from; any other has to be allowed, which
 * the restore itself looks at with links followed (`backup.allowed_roots`).
 */
export function decidePlace(target: Target, graph: Graph, folder: string | undefined): RestorePlace {
  if (folder === undefined || (isWholePath(folder) && registeredFolders(target, graph).includes(resolve(folder))))
    return { kind: 'in-place' };
  return { kind: 'aside', folder };
}

const isWholePath = (path: string): boolean => isAbsolute(path) && !path.includes('\0') && path.length <= 4096;
