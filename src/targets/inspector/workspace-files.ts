import type { StoreName } from '../audit/store-rows.ts';
import type { InspectedFileKind } from './report.ts';

/** Which of LightRAG's four stores a file belongs to; an installation may keep each of them elsewhere. */
export type StoreFamily = 'docStatus' | 'kv' | 'vectors' | 'graph';

export type KnownFile = {
  readonly name: string;
  readonly kind: InspectedFileKind;
  readonly family: StoreFamily;
  /** Since 1.5 each document's anchors, since 1.4.9.4 the chunk lists: older workspaces lack them rightly. */
  readonly isOptional: boolean;
};

const kv = (namespace: string, isOptional = false): KnownFile => ({
  name: `kv_store_${namespace}.json`,
  kind: 'kv',
  family: namespace === 'doc_status' ? 'docStatus' : 'kv',
  isOptional,
});
const vdb = (namespace: string): KnownFile => ({
  name: `vdb_${namespace}.json`,
  kind: 'vdb',
  family: 'vectors',
  isOptional: false,
});

/** What LightRAG's default storages keep. */
export const knownFiles = {
  docStatus: kv('doc_status'),
  fullDocs: kv('full_docs'),
  fullEntities: kv('full_entities', true),
  fullRelations: kv('full_relations', true),
  textChunks: kv('text_chunks'),
  entityChunks: kv('entity_chunks', true),
  relationChunks: kv('relation_chunks', true),
  llmResponseCache: kv('llm_response_cache', true),
  graph: { name: 'graph_chunk_entity_relation.graphml', kind: 'graphml', family: 'graph', isOptional: false },
  vdbEntities: vdb('entities'),
  vdbRelationships: vdb('relationships'),
  vdbChunks: vdb('chunks'),
} as const satisfies Record<string, KnownFile>;

export type KnownFileId = keyof typeof knownFiles;

/** The file in which LightRAG's default storages keep a store that an audit asks for. */
export const storeFiles: Readonly<Record<StoreName, string>> = {
  doc_status: knownFiles.docStatus.name,
  full_docs: knownFiles.fullDocs.name,
  text_chunks: knownFiles.textChunks.name,
  vdb_chunks: knownFiles.vdbChunks.name,
  vdb_entities: knownFiles.vdbEntities.name,
  vdb_relationships: knownFiles.vdbRelationships.name,
  graph: knownFiles.graph.name,
};

const knownNames = new Set<string>(Object.values(knownFiles).map(({ name }) => name));

/** Files of LightRAG and its add-ons that are JSON, but not of the default stores: only checked for being whole. */
export const isOtherJson = (name: string): boolean =>
  !knownNames.has(name) && /^(kv_store_.*\.json|vdb_.*\.json|faiss_index_.*\.meta\.json)$/.test(name);

/** Temporary siblings of atomic writes: `<file>.tmp.<pid>.<thread>.<nanoseconds>`. */
export const isTemporarySibling = (name: string): boolean =>
  /^(kv_store_|vdb_|graph_|faiss_index_).*\.tmp(\.|$)/.test(name);
