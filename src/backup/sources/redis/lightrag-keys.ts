/**
 * Namespaces that LightRAG (and RAG-Anything, for the last) keeps in a Redis. A key is `[<workspace>_]<namespace>:<id>`; the
 * side indexes of the document status are `[<workspace>_]doc_status__sched:status:<status>` and `…:basename:<file>`.
 */
const namespaces = [
  'full_docs',
  'text_chunks',
  'llm_response_cache',
  'full_entities',
  'full_relations',
  'entity_chunks',
  'relation_chunks',
  'doc_status',
  'parse_cache',
] as const;

const ownerPattern = new RegExp(`^(?:([A-Za-z0-9_]+)_)?(${namespaces.join('|')})(__sched)?$`);
/** No prefix of a key of LightRAG is longer; what is foreign is not turned into text whole. */
const longestOwner = 256;

export type KeyOwner = {
  /** The unnamed one is ''. */
  readonly workspace: string;
  readonly namespace: string;
  /** A side index: made by the backend from the rows, and no row itself. */
  readonly index: boolean;
};

/** Whose key this is; undefined: not LightRAG's. The part before the first colon decides. */
export function findOwner(key: Buffer): KeyOwner | undefined {
  const colon = key.indexOf(0x3a);
  if (colon < 1 || colon > longestOwner) return undefined;
  const match = ownerPattern.exec(key.toString('latin1', 0, colon));
  // No backend has such a workspace, and as the name of a property it would be another thing.
  if (match?.[2] === undefined || match[1] === '__proto__') return undefined;
  return { workspace: match[1] ?? '', namespace: match[2], index: match[3] !== undefined };
}

/** The same key in another workspace; ids and statuses stay what they are, byte by byte. */
export function inWorkspace(key: Buffer, owner: KeyOwner, workspace: string): Buffer {
  const begin = `${workspace === '' ? '' : `${workspace}_`}${owner.namespace}${owner.index ? '__sched' : ''}`;
  return Buffer.concat([Buffer.from(begin), key.subarray(key.indexOf(0x3a))]);
}

/** Keys that belong to the backend although they are not named as LightRAG names them. */
export const hasPrefix = (key: Buffer, prefixes: readonly string[]): boolean =>
  prefixes.some((prefix) => key.subarray(0, Buffer.byteLength(prefix)).equals(Buffer.from(prefix)));

/** What ragwarden itself puts into a Redis while it restores one. */
export const ownKeyPrefix = 'ragwarden:';
const ownKeyBytes = Buffer.from(ownKeyPrefix);
export const isOwnKey = (key: Buffer): boolean => key.subarray(0, ownKeyBytes.length).equals(ownKeyBytes);
