import { findOwner, hasPrefix, inWorkspace, type KeyOwner } from '../../sources/redis/lightrag-keys.ts';
import type { RedisDetails } from '../../sources/redis/redis-details.ts';
import type { RestoreScope } from '../restorer.ts';

/** Which keys a restore brings, under which names, and which of the living ones it takes the place of. */
export type KeyScope = {
  /** The database it goes into. */
  readonly database: number;
  /** A new place beside the living keys: nothing there is replaced, so nothing may be there. */
  readonly beside: boolean;
  /** What a key of the point is called where it goes to; undefined: it stays out. */
  nameOf(key: Buffer): Buffer | undefined;
  /** Whether a key that lies there now goes. Keys that are not the backend's never do. */
  replaces(key: Buffer): boolean;
  /** Workspaces of the point that go back, and what they are called then. */
  readonly workspaces: ReadonlyMap<string, string> | undefined;
};

/**
 * @param named a workspace of the target as its keys name it
 * @param own   the workspace that the target serves, as its keys name it: replaced by a whole restore even where the point
 *   holds nothing of it. Any other workspace that the point does not hold is left alone: it may be somebody else's.
 */
export function decideScope(
  details: RedisDetails,
  scope: RestoreScope,
  own: string,
  named: (workspace: string) => string,
): KeyScope {
  const { aside } = scope;
  const only = scope.workspace === undefined ? (details.workspace ?? undefined) : named(scope.workspace);
  const number = aside !== undefined && /^\d{1,6}$/.test(aside) ? Number(aside) : undefined;
  const prefix = aside !== undefined && number === undefined ? aside : undefined;
  const rename = (workspace: string): string => {
    const renamed = scope.asWorkspace === undefined ? workspace : named(scope.asWorkspace);
    if (prefix === undefined) return renamed;
    return renamed === '' ? prefix : `${prefix}_${renamed}`;
  };
  const inPoint = details.census ? Object.keys(details.census.workspaces) : undefined;
  const workspaces =
    only !== undefined
      ? new Map([[only, rename(only)]])
      : inPoint && new Map([...new Set([...inPoint, own])].map((workspace) => [workspace, rename(workspace)]));
  const taken = workspaces && new Set(workspaces.values());
  const goes = (owner: KeyOwner): boolean => only === undefined || owner.workspace === only;
  return {
    database: number ?? details.database,
    beside: aside !== undefined,
    workspaces,
    nameOf(key) {
      const owner = findOwner(key);
      if (owner) return goes(owner) ? inWorkspace(key, owner, rename(owner.workspace)) : undefined;
      // Only LightRAG's own names say where a workspace would stand in them.
      return only === undefined && prefix === undefined && hasPrefix(key, details.prefixes) ? key : undefined;
    },
    replaces(key) {
      const owner = findOwner(key);
      if (owner) return taken?.has(owner.workspace) ?? true;
      return only === undefined && prefix === undefined && hasPrefix(key, details.prefixes);
    },
  };
}

/** Why such a place cannot be one; undefined: it can. */
export function asideProblem(aside: string | undefined): string | undefined {
  return aside === undefined || /^[A-Za-z0-9_]{1,100}$/.test(aside)
    ? undefined
    : 'a place beside the living keys is the number of a database, or a name of letters, digits and underscores that is put before the workspace';
}
