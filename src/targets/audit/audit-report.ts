import { z } from 'zod';

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
