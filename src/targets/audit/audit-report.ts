import { z } from 'zod';

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

/**
 * The referential audit of one workspace: every name in it is the same inside, in a manifest, beside an operation and over the
 * API, so nothing has to be translated. An edge is named by its two ends with ` -- ` between them.
 */
export const auditReportSchema = z
  .object({
    /**
     * `damaged`: something that is referred to is missing. `incomplete`: nothing is known to be, but a relation could not be
     * checked. `leftovers`: all that is referred to is there, and rows besides. `clean`: neither.
     */
    verdict: z.enum(['clean', 'leftovers', 'incomplete', 'damaged']),
    /** Rows per store; a store that was not read is not there. */
    counts: z.record(z.string(), z.number()),
    /** Documents by status. */
    documents: z.record(z.string(), z.number()),
    /** Every relation that was checked, those without a fault too; `examples` are the first ids in their order. */
    dangling: z.record(z.string(), z.object({ count: z.number(), examples: z.array(z.string()) })),
    /** Relations that could not be checked, since one of their stores was not read. */
    unchecked: z.array(z.string()),
  })
  .meta({ id: 'AuditReport' });
export type AuditReport = z.infer<typeof auditReportSchema>;

export function decideVerdict(report: Pick<AuditReport, 'dangling' | 'unchecked'>): AuditReport['verdict'] {
  const found = relationNames.filter((name) => (report.dangling[name]?.count ?? 0) > 0);
  if (found.some((name) => relations[name].loss)) return 'damaged';
  if (report.unchecked.length > 0) return 'incomplete';
  return found.length > 0 ? 'leftovers' : 'clean';
}

/** Null: not counted, or not checked. */
export type AuditDifference = {
  readonly what: 'count' | 'documents' | 'dangling';
  readonly name: string;
  readonly expected: number | null;
  readonly found: number | null;
};

/**
 * Which numbers of two audits differ; empty when what was found is what was expected. What `expected` did not count, as an
 * older audit may not, cannot differ; what only `found` could not count does.
 */
export function compareAudits(expected: AuditReport, found: AuditReport): AuditDifference[] {
  const dangling = (report: AuditReport): Record<string, number> =>
    Object.fromEntries(Object.entries(report.dangling).map(([name, { count }]) => [name, count]));
  const statuses = (report: AuditReport): Record<string, number> | undefined =>
    report.counts.doc_status === undefined ? undefined : report.documents;
  return [
    ...differences('count', expected.counts, found.counts),
    ...(statuses(expected) ? differences('documents', expected.documents, statuses(found) ?? {}, true) : []),
    ...differences('dangling', dangling(expected), dangling(found)),
  ];
}

/** @param isClosed the names of both sides are all there is: one that is missing counts none */
function differences(
  what: AuditDifference['what'],
  expected: Readonly<Record<string, number>>,
  found: Readonly<Record<string, number>>,
  isClosed = false,
): AuditDifference[] {
  const names = new Set([...Object.keys(expected), ...(isClosed ? Object.keys(found) : [])]);
  const absent = isClosed ? 0 : null;
  return [...names]
    .map((name) => ({ what, name, expected: expected[name] ?? absent, found: found[name] ?? absent }))
    .filter((one) => one.expected !== one.found);
}
