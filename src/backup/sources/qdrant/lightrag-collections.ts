import { createHash } from 'node:crypto';
import type { QdrantFilter, QdrantPoint } from './qdrant-server.ts';

/**
 * How LightRAG names what it keeps in a Qdrant (its `kg/qdrant_impl.py`, 1.5.7): one collection for each kind of vector and each
 * embedding model, `lightrag_vdb_<kind>[_<model>_<dimension>d]`, shared by all workspaces, which are told apart by the payload
 * field `workspace_id`; the unnamed workspace is `_`.
 */
const name = /^lightrag_vdb_(chunks|entities|relationships)(?:_[a-z0-9_]+)?$/;

export type VectorStoreName = 'vdb_chunks' | 'vdb_entities' | 'vdb_relationships';

/** Undefined: LightRAG would not call a collection so. */
export function storeOfCollection(collection: string): VectorStoreName | undefined {
  const kind = name.exec(collection)?.[1];
  return kind === undefined ? undefined : (`vdb_${kind}` as VectorStoreName);
}

/** Names of versions before workspaces shared a collection. Anybody's collection may be called so, hence it has to be named. */
export const isOldName = (collection: string): boolean =>
  /^(?:[A-Za-z0-9_]+_)?(chunks|entities|relationships)$/.test(collection) && !name.test(collection);

const workspaceField = 'workspace_id';
export const unnamedWorkspace = '_';

/** As the payload names a workspace of the target. */
export const inPayload = (workspace: string): string => (workspace === '' ? unnamedWorkspace : workspace);

export const ofWorkspaces = (workspaces: readonly string[]): QdrantFilter => ({
  must: [{ key: workspaceField, match: { any: [...workspaces] } }],
});

export const notOfWorkspaces = (workspaces: readonly string[]): QdrantFilter => ({
  must_not: [{ key: workspaceField, match: { any: [...workspaces] } }],
});

/** The same point under another workspace: LightRAG finds it by an id that is made of both names. */
export function pointInWorkspace(point: QdrantPoint, workspace: string): QdrantPoint {
  const { id } = point.payload;
  return {
    id: typeof id === 'string' ? pointIdOf(id, workspace) : point.id,
    payload: { ...point.payload, [workspaceField]: workspace },
    vector: point.vector,
  };
}

/** The first half of SHA-256 over both, marked as a UUID of version 4: `compute_mdhash_id_for_qdrant`. */
export function pointIdOf(id: string, workspace: string): string {
  const bytes = createHash('sha256').update(`${workspace}${id}`).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
