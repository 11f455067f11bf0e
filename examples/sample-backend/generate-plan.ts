// What a generated workspace holds: names, ids and counts in memory, texts written again whenever they are needed.
import type { WorkspaceFault } from './generate-faults.ts';
import { addChunk, type PlannedChunk, planChunks } from './ingest.ts';
import { extract } from './llm.ts';
import { chunkId, documentId, mergeEntity, mergeRelation, relationKey, sortedPair } from './records.ts';
import { edgeKey, type StoredEdge } from './store/graph-store.ts';
import type { GraphNode } from './store/graphml.ts';
import type { ChunkListRow, DocumentStatus, Shape } from './store/rows.ts';
import { type Note, writeNote } from './tramway-notes.ts';

type SizePlan = {
  readonly documents: number;
  readonly dimension: number;
  readonly sentences: number;
  readonly places: number;
  readonly chunkTokens: number;
  readonly overlapTokens: number;
  /** Worked examples in each cached prompt: they make its length. */
  readonly promptExamples: number;
};

export const workspaceSizes = ['tiny', 'small', 'medium', 'large'] as const;
export type WorkspaceSize = (typeof workspaceSizes)[number];

const sizes: Readonly<Record<WorkspaceSize, SizePlan>> = {
  tiny: {
    documents: 3,
    dimension: 8,
    sentences: 2,
    places: 4,
    chunkTokens: 1200,
    overlapTokens: 100,
    promptExamples: 0,
  },
  small: {
    documents: 100,
    dimension: 64,
    sentences: 9,
    places: 100,
    chunkTokens: 200,
    overlapTokens: 20,
    promptExamples: 1,
  },
  medium: {
    documents: 1000,
    dimension: 256,
    sentences: 24,
    places: 600,
    chunkTokens: 250,
    overlapTokens: 25,
    promptExamples: 14,
  },
  large: {
    documents: 1500,
    dimension: 1024,
    sentences: 26,
    places: 600,
    chunkTokens: 250,
    overlapTokens: 25,
    promptExamples: 14,
  },
};

export type PlannedDocument = {
  readonly index: number;
  readonly id: string;
  readonly filePath: string;
  readonly chunkIds: readonly string[];
  readonly status: DocumentStatus;
  /** Unix seconds at which it was handed in. */
  readonly seconds: number;
};

export type WorkspacePlan = Omit<SizePlan, 'documents'> & {
  readonly shape: Shape;
  readonly seed: number;
  /** The finished ones first. */
  readonly documents: readonly PlannedDocument[];
  readonly nodes: ReadonlyMap<string, GraphNode>;
  readonly edges: ReadonlyMap<string, StoredEdge>;
  readonly entityChunks: ReadonlyMap<string, ChunkListRow>;
  readonly relationChunks: ReadonlyMap<string, ChunkListRow>;
  readonly endSeconds: number;
  note(document: PlannedDocument): Note;
  chunks(document: PlannedDocument): readonly PlannedChunk[];
};

/** What comes after the finished documents when some are to be stuck. */
const stuck: Readonly<Record<Shape, readonly DocumentStatus[]>> = {
  '1.5': ['processing', 'analyzing', 'parsing', 'pending'],
  '1.4': ['processing', 'processing', 'pending'],
};

export function planWorkspace(
  size: WorkspaceSize,
  seed: number,
  shape: Shape,
  faults: ReadonlySet<WorkspaceFault>,
): WorkspacePlan {
  const sizePlan = sizes[size];
  const startSeconds = 1_760_000_000 + (seed % 1000) * 86_400;
  const legacyIds = shape === '1.4' || faults.has('legacy-chunk-ids');
  const style = { sentences: sizePlan.sentences, places: sizePlan.places, unicode: faults.has('unicode-names') };
  const noteAt = (index: number): Note => writeNote(seed, index, style);
  const chunksOf = (id: string, content: string): readonly PlannedChunk[] => {
    const { chunkTokens, overlapTokens } = sizePlan;
    const document = { id, filePath: '', content, shape, chunkTokens, overlapTokens, seconds: 0 };
    return planChunks(document).map(({ chunk }, index) => ({
      chunk,
      id: chunkId(id, index, chunk.content, legacyIds),
    }));
  };

  const statuses: DocumentStatus[] = Array.from({ length: sizePlan.documents }, () => 'processed');
  if (faults.has('failed-documents')) statuses.push('failed');
  if (faults.has('stuck-documents')) statuses.push(...stuck[shape]);

  const documents: PlannedDocument[] = [];
  const nodes = new Map<string, GraphNode>();
  const edges = new Map<string, StoredEdge>();
  const entityChunks = new Map<string, ChunkListRow>();
  const relationChunks = new Map<string, ChunkListRow>();
  for (const [index, status] of statuses.entries()) {
    const { fileName, content } = noteAt(index);
    const id = documentId(shape, fileName, content);
    const seconds = startSeconds + index * 40;
    const chunks = chunksOf(id, content);
    documents.push({ index, id, filePath: fileName, chunkIds: chunks.map((chunk) => chunk.id), status, seconds });
    if (status !== 'processed') continue;
    for (const { id: ofChunk, chunk } of chunks) {
      const { entities, relations } = extract(chunk.content);
      for (const entity of entities) {
        nodes.set(entity.name, mergeEntity(nodes.get(entity.name), entity, ofChunk, fileName, seconds));
        entityChunks.set(entity.name, addChunk(entityChunks.get(entity.name), entity.name, ofChunk, seconds));
      }
      for (const relation of relations) {
        const [source, target] = sortedPair(relation.source, relation.target);
        const known = edges.get(edgeKey(source, target))?.attributes;
        const attributes = mergeRelation(known, relation, ofChunk, fileName, seconds);
        edges.set(edgeKey(source, target), { source, target, attributes });
        const key = relationKey(source, target);
        relationChunks.set(key, addChunk(relationChunks.get(key), key, ofChunk, seconds));
      }
    }
  }
  return {
    ...sizePlan,
    documents,
    shape,
    seed,
    nodes,
    edges,
    entityChunks,
    relationChunks,
    endSeconds: startSeconds + statuses.length * 40,
    note: ({ index }) => noteAt(index),
    chunks: ({ index, id }) => chunksOf(id, noteAt(index).content),
  };
}
