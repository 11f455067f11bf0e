import type { Observation } from '../gateway/index.ts';
import type { DocumentWiring } from './document-wiring.ts';

/** What passed the gateway and concerns documents: inserts that were accepted, and the vectors that a model really gives. */
export function tellDocuments(
  items: readonly Observation[],
  documents: Pick<DocumentWiring, 'followInsert' | 'noteEmbeddingDimension'>,
): void {
  for (const { targetId, workspace, trackId, subject, atMs, totalMs, llm } of items) {
    if (targetId === null) continue;
    if (trackId !== null && workspace !== null)
      documents.followInsert({ targetId, workspace }, { trackId, acceptedMs: atMs + totalMs, subject });
    if (llm !== null && llm.dimension !== null) documents.noteEmbeddingDimension(targetId, llm.dimension);
  }
}
