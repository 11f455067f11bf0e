import { type Extraction, extract } from './llm.ts';
import {
  chunkId,
  chunkVectorMeta,
  entityId,
  entityVectorMeta,
  extractionCacheRows,
  mergeEntity,
  mergeRelation,
  relationId,
  relationKey,
  relationVectorMeta,
  rowTail,
  sortedPair,
  textChunkRow,
} from './records.ts';
import { edgeKey } from './store/graph-store.ts';
import type { ChunkListRow, FullEntitiesRow, FullRelationsRow, Shape } from './store/rows.ts';
import type { Workspace } from './store/workspace.ts';
import { type Chunk, chunkText, comparePoints, embed } from './text.ts';

export type IngestDocument = {
  readonly id: string;
  readonly filePath: string;
  readonly content: string;
  readonly shape: Shape;
  readonly chunkTokens: number;
  readonly overlapTokens: number;
  /** Unix seconds. */
  readonly seconds: number;
};

export type PlannedChunk = { readonly id: string; readonly chunk: Chunk };

export function planChunks({ id, content, shape, chunkTokens, overlapTokens }: IngestDocument): PlannedChunk[] {
  return chunkText(content, chunkTokens, overlapTokens).map((chunk, index) => ({
    id: chunkId(id, index, chunk.content, shape === '1.4'),
    chunk,
  }));
}

/** Chunks with their vectors and the extraction's cache rows. */
export function storeChunks(workspace: Workspace, document: IngestDocument, planned: readonly PlannedChunk[]): void {
  const { id, filePath, seconds } = document;
  planned.forEach((entry, index) => {
    const cached = extractionCacheRows(entry.chunk, entry.id, 1, seconds);
    for (const [key, row] of cached) workspace.cache.set(key, row);
    const keys = cached.map(([key]) => key);
    workspace.textChunks.set(entry.id, textChunkRow(entry.id, index, entry.chunk, id, filePath, keys, seconds));
    const vector = embed(entry.chunk.content, workspace.dimension);
    workspace.chunks.upsert(entry.id, chunkVectorMeta(entry.chunk, id, filePath), vector, seconds);
  });
}

/** Which entities and pairs the document brings: written to disk before the graph is touched. */
export function storeAnchors(workspace: Workspace, document: IngestDocument, planned: readonly PlannedChunk[]): void {
  const found = planned.map(({ chunk }) => extract(chunk.content));
  const { entities, relations } = anchorRows(document.id, found, document.seconds);
  workspace.fullEntities.set(document.id, entities);
  workspace.fullRelations.set(document.id, relations);
}

/** The anchor rows of one document, sorted. */
export function anchorRows(
  docId: string,
  found: readonly Extraction[],
  seconds: number,
): { entities: FullEntitiesRow; relations: FullRelationsRow } {
  const names = [...new Set(found.flatMap(({ entities }) => entities.map(({ name }) => name)))].sort(comparePoints);
  const pairs = new Map(
    found.flatMap(({ relations }) =>
      relations.map(({ source, target }): [string, [string, string]] => [
        relationKey(source, target),
        sortedPair(source, target),
      ]),
    ),
  );
  const sorted = [...pairs].sort((a, b) => comparePoints(a[0], b[0])).map(([, pair]) => pair);
  return {
    entities: { entity_names: names, count: names.length, ...rowTail(docId, seconds) },
    relations: { relation_pairs: sorted, count: sorted.length, ...rowTail(docId, seconds) },
  };
}

/** Merges what the chunks say into graph, tracking lists and vectors. Doing it twice changes nothing but weights. */
export function storeKnowledge(workspace: Workspace, document: IngestDocument, planned: readonly PlannedChunk[]): void {
  const { filePath, seconds } = document;
  const { graph, dimension } = workspace;
  for (const { id: ofChunk, chunk } of planned) {
    const { entities, relations } = extract(chunk.content);
    for (const entity of entities) {
      const node = mergeEntity(graph.nodes.get(entity.name), entity, ofChunk, filePath, seconds);
      graph.setNode(entity.name, node);
      const list = addChunk(workspace.entityChunks.rows.get(entity.name), entity.name, ofChunk, seconds);
      workspace.entityChunks.set(entity.name, list);
      const meta = entityVectorMeta(entity.name, node);
      workspace.entities.upsert(entityId(entity.name), meta, embed(meta.content, dimension), seconds);
    }
    for (const relation of relations) {
      const { source, target } = relation;
      const known = graph.edges.get(edgeKey(source, target))?.attributes;
      const edge = mergeRelation(known, relation, ofChunk, filePath, seconds);
      graph.setEdge(source, target, edge);
      const key = relationKey(source, target);
      workspace.relationChunks.set(key, addChunk(workspace.relationChunks.rows.get(key), key, ofChunk, seconds));
      const meta = relationVectorMeta(source, target, edge);
      workspace.relationships.upsert(relationId(source, target), meta, embed(meta.content, dimension), seconds);
    }
  }
}

export function addChunk(known: ChunkListRow | undefined, key: string, ofChunk: string, seconds: number): ChunkListRow {
  if (known === undefined) return { chunk_ids: [ofChunk], count: 1, ...rowTail(key, seconds) };
  const ids = known.chunk_ids.includes(ofChunk) ? known.chunk_ids : [...known.chunk_ids, ofChunk];
  // The real server loses create_time when a list grows.
  return { chunk_ids: ids, count: ids.length, update_time: seconds, _id: key };
}
