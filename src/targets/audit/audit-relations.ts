// Apart from the schema of the report: the inspection, a thread of its own each time, reads this and no library.
import type { AuditReport } from './audit-report.ts';

/**
 * What one store refers to or stands for, and another has not. `loss`: something that is referred to is missing. Without it a
 * row is left over that nothing refers to: it takes room and harms nothing.
 */
export const relations = {
  /** Documents that are not failed and have no text. */
  documents_without_text: { loss: true, of: 'doc_status', in: ['full_docs'] },
  texts_without_document: { loss: false, of: 'full_docs', in: ['doc_status'] },
  /** At least one chunk of their list. */
  processed_without_chunks: { loss: true, of: 'doc_status', in: ['text_chunks'] },
  processed_without_chunk_vectors: { loss: true, of: 'doc_status', in: ['vdb_chunks'] },
  chunks_without_document: { loss: false, of: 'text_chunks', in: ['doc_status'] },
  chunk_vectors_without_chunk: { loss: false, of: 'vdb_chunks', in: ['text_chunks'] },
  nodes_without_vector: { loss: true, of: 'graph', in: ['vdb_entities'] },
  entity_vectors_without_node: { loss: false, of: 'vdb_entities', in: ['graph'] },
  edges_without_vector: { loss: true, of: 'graph', in: ['vdb_relationships'] },
  relation_vectors_without_edge: { loss: false, of: 'vdb_relationships', in: ['graph'] },
  /** Ends of edges that are no nodes. */
  edge_ends_without_node: { loss: true, of: 'graph', in: ['graph'] },
} as const;
export type RelationName = keyof typeof relations;
export const relationNames = Object.keys(relations) as readonly RelationName[];

export function decideVerdict(report: Pick<AuditReport, 'dangling' | 'unchecked'>): AuditReport['verdict'] {
  const found = relationNames.filter((name) => (report.dangling[name]?.count ?? 0) > 0);
  if (found.some((name) => relations[name].loss)) return 'damaged';
  if (report.unchecked.length > 0) return 'incomplete';
  return found.length > 0 ? 'leftovers' : 'clean';
}
