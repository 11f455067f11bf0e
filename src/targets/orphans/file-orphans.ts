import type { RelationName } from '../audit/audit-relations.ts';
import { type InspectionReport, storeFiles } from '../inspector/index.ts';
import { type OrphanFinding, type OrphanKind, orphanReasons } from './orphan.ts';

const kinds: Partial<Record<RelationName, { readonly kind: OrphanKind; readonly place: string }>> = {
  texts_without_document: { kind: 'text-without-document', place: storeFiles.full_docs },
  chunks_without_document: { kind: 'chunk-without-document', place: storeFiles.text_chunks },
  chunk_vectors_without_chunk: { kind: 'vector-without-chunk', place: storeFiles.vdb_chunks },
  entity_vectors_without_node: { kind: 'vector-without-entity', place: storeFiles.vdb_entities },
  relation_vectors_without_edge: { kind: 'vector-without-relation', place: storeFiles.vdb_relationships },
  nodes_without_vector: { kind: 'entity-without-vector', place: storeFiles.graph },
  edges_without_vector: { kind: 'relation-without-vector', place: storeFiles.graph },
};

/** The server removes temporary siblings itself at its next start when they are older than this. */
const temporaryAfterMs = 3_600_000;

const staleReasons = {
  'chunk-gone': 'It was extracted from a chunk that is gone, so nobody asks for it again.',
  outdated: 'An answer from before the newest document, which the backend goes on giving.',
} as const;

/** What the look into the files of one workspace found left over. */
export function orphansInFiles(report: InspectionReport, targetId: string): OrphanFinding[] {
  const ofHere = { targetId, workspace: report.workspace, store: 'files' as const };
  const rows = report.leftovers.flatMap(({ relation, count, bytes, examples }): OrphanFinding[] => {
    const known = kinds[relation];
    return known ? [{ ...ofHere, ...known, count, bytes, examples, ...orphanReasons[known.kind] }] : [];
  });
  const old = report.orphans.files.filter(({ ageMs }) => ageMs > temporaryAfterMs);
  const temporary: OrphanFinding[] =
    old.length === 0
      ? []
      : [
          {
            ...ofHere,
            ...{ kind: 'temporary-file', place: '.' },
            count: old.length,
            bytes: old.reduce((sum, { bytes }) => sum + bytes, 0),
            examples: old.map(({ name }) => name),
            ...orphanReasons['temporary-file'],
          },
        ];
  const cache = report.staleCache.map(
    ({ reason, count, bytes, examples }): OrphanFinding => ({
      ...ofHere,
      ...{ kind: 'stale-cache', place: `kv_store_llm_response_cache.json#${reason}`, count, bytes, examples },
      ...orphanReasons['stale-cache'],
      reason: staleReasons[reason],
    }),
  );
  return [...rows, ...temporary, ...cache];
}
