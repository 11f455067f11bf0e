import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createFileWriter, type FileWriter, type WriterMode } from './file-writer.ts';
import { type GraphStore, openGraphStore } from './graph-store.ts';
import { type KvStore, openKvStore } from './kv-store.ts';
import type {
  CacheRow,
  ChunkListRow,
  DocStatusRow,
  FullDocRow,
  FullEntitiesRow,
  FullRelationsRow,
  Shape,
  TextChunkRow,
} from './rows.ts';
import { openVectorStore, readVectorDimension, type VectorStore } from './vector-store.ts';

/** All stores of one workspace folder, loaded into memory once. */
export type Workspace = {
  readonly folder: string;
  readonly dimension: number;
  readonly writer: FileWriter;
  readonly fullDocs: KvStore<FullDocRow>;
  readonly textChunks: KvStore<TextChunkRow>;
  readonly docStatus: KvStore<DocStatusRow>;
  readonly fullEntities: KvStore<FullEntitiesRow>;
  readonly fullRelations: KvStore<FullRelationsRow>;
  readonly entityChunks: KvStore<ChunkListRow>;
  readonly relationChunks: KvStore<ChunkListRow>;
  readonly cache: KvStore<CacheRow>;
  readonly chunks: VectorStore;
  readonly entities: VectorStore;
  readonly relationships: VectorStore;
  readonly graph: GraphStore;
  /** Everything but doc_status, at once; doc_status is the commit record and is written after it. */
  flushData(force?: boolean): Promise<void>;
};

export type WorkspaceOptions = {
  /** The workspace's own folder, made when missing. */
  readonly folder: string;
  /** Unset: what the vector files say, else 64. */
  readonly embeddingDimension?: number;
  readonly shape: Shape;
  readonly writerMode: WriterMode;
  readonly warn: (line: string) => void;
};

/** Namespace of a sub-folder, or the working folder itself for the empty workspace. */
export function workspaceFolder(workingDir: string, workspace: string): string {
  return workspace === '' ? workingDir : join(workingDir, workspace);
}

/** @throws Error in the words of the real loaders when a file cannot be read */
export function openWorkspace({ folder, embeddingDimension, shape, writerMode, warn }: WorkspaceOptions): Workspace {
  mkdirSync(folder, { recursive: true });
  const writer = createFileWriter(writerMode);
  const dimension =
    embeddingDimension ??
    readVectorDimension(folder, 'chunks') ??
    readVectorDimension(folder, 'entities') ??
    readVectorDimension(folder, 'relationships') ??
    64;
  const kv = <Row>(namespace: string): KvStore<Row> => openKvStore<Row>(folder, namespace, writer, warn);
  const vectors = (namespace: string): VectorStore =>
    openVectorStore(folder, namespace, dimension, shape === '1.5', writer);

  const fullDocs = kv<FullDocRow>('full_docs');
  const textChunks = kv<TextChunkRow>('text_chunks');
  const fullEntities = kv<FullEntitiesRow>('full_entities');
  const fullRelations = kv<FullRelationsRow>('full_relations');
  const entityChunks = kv<ChunkListRow>('entity_chunks');
  const relationChunks = kv<ChunkListRow>('relation_chunks');
  const cache = kv<CacheRow>('llm_response_cache');
  const docStatus = kv<DocStatusRow>('doc_status');
  const entities = vectors('entities');
  const relationships = vectors('relationships');
  const chunks = vectors('chunks');
  const graph = openGraphStore(folder, writer);
  const data = [
    fullDocs,
    textChunks,
    fullEntities,
    fullRelations,
    entityChunks,
    relationChunks,
    cache,
    entities,
    relationships,
    chunks,
    graph,
  ];
  return {
    folder,
    dimension,
    writer,
    fullDocs,
    textChunks,
    docStatus,
    fullEntities,
    fullRelations,
    entityChunks,
    relationChunks,
    cache,
    chunks,
    entities,
    relationships,
    graph,
    async flushData(force = false) {
      await Promise.all(data.map((store) => store.flush(force)));
    },
  };
}
