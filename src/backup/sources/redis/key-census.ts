import { findOwner, hasPrefix, isOwnKey } from './lightrag-keys.ts';

/** Keys and their serialized bytes. */
export type Tally = { keys: number; bytes: number };

export type WorkspaceCensus = {
  /** By namespace: rows and their bytes. */
  readonly namespaces: Record<string, Tally>;
  readonly indexes: Tally;
};

/** What was found in one Redis: whose keys, how many, how large. */
export type KeyCensus = {
  /** Of the backend's database, by workspace; the unnamed one is ''. */
  readonly workspaces: Record<string, WorkspaceCensus>;
  /** Named by a prefix of the settings and not as LightRAG names its keys. */
  readonly prefixed: Tally;
  /** Everything else, in whichever database. */
  readonly foreign: Tally;
  /** Of the backend's keys, those that end by themselves; they may be gone before anybody counts again. */
  expiring: number;
};

export const emptyCensus = (): KeyCensus => ({
  workspaces: {},
  prefixed: { keys: 0, bytes: 0 },
  foreign: { keys: 0, bytes: 0 },
  expiring: 0,
});

export type SeenKey = {
  readonly database: number;
  readonly key: Buffer;
  readonly bytes: number;
  readonly expires: boolean;
};

export function countKey(
  census: KeyCensus,
  seen: SeenKey,
  own: { readonly database: number; readonly prefixes: readonly string[] },
): void {
  if (isOwnKey(seen.key)) return;
  const tally = tallyFor(census, seen, own);
  tally.keys += 1;
  tally.bytes += seen.bytes;
  if (seen.expires && tally !== census.foreign) census.expiring += 1;
}

function tallyFor(
  census: KeyCensus,
  { database, key }: SeenKey,
  own: { readonly database: number; readonly prefixes: readonly string[] },
): Tally {
  if (database !== own.database) return census.foreign;
  const owner = findOwner(key);
  if (!owner) return hasPrefix(key, own.prefixes) ? census.prefixed : census.foreign;
  const workspace = census.workspaces[owner.workspace] ?? { namespaces: {}, indexes: { keys: 0, bytes: 0 } };
  census.workspaces[owner.workspace] = workspace;
  if (owner.index) return workspace.indexes;
  const tally = workspace.namespaces[owner.namespace] ?? { keys: 0, bytes: 0 };
  workspace.namespaces[owner.namespace] = tally;
  return tally;
}

/** Rows by namespace of one workspace, named as the backend's files are. */
export const rowsOf = (census: KeyCensus, workspace: string): Record<string, number> =>
  Object.fromEntries(
    Object.entries(census.workspaces[workspace]?.namespaces ?? {}).map(([name, tally]) => [name, tally.keys]),
  );
