import { z } from 'zod';
import { isoInstant } from '../platform/clock.ts';
import { auditReportSchema } from './audit/audit-report.ts';
import type { FolderInspection } from './folder-inspection.ts';
import type { TargetInspection } from './inspections.ts';
import type { InspectionReport } from './inspector/index.ts';
import type { TargetFact } from './observation.ts';

export const factBody = z.object({
  name: z.string(),
  value: z.union([z.string(), z.number(), z.boolean()]).nullable(),
  unit: z.string().nullable(),
});

export const shapeFact = ({ name, value, unit }: TargetFact): z.input<typeof factBody> => ({
  ...{ name, value, unit: unit ?? null },
});

export const inspectionBody = z.object({
  kind: z.enum(['lightrag', 'graphrag', 'custom']),
  at: z.string(),
  duration_ms: z.number(),
  bytes_read: z.number(),
  folder: z.string(),
  workspace: z.string(),
  /** Nothing was ever stored there. */
  fresh: z.boolean(),
  files: z.array(
    z.object({
      name: z.string(),
      kind: z.string(),
      bytes: z.number(),
      state: z.string(),
      detail: z.string().nullable(),
    }),
  ),
  counts: z.record(z.string(), z.number()),
  documents: z.record(z.string(), z.number()),
  /** Absent where there is none for this kind of target, and in results that an earlier version kept. */
  audit: auditReportSchema.optional(),
  stuck_documents: z
    .object({
      total: z.number(),
      documents: z.array(z.object({ id: z.string(), status: z.string(), updated_at: z.string().nullable() })),
    })
    .nullable()
    .describe('Null for a kind of target whose documents are not followed.'),
  embedding: z.array(z.object({ file: z.string(), dimension: z.number(), rows: z.number() })),
  orphans: z
    .object({ total: z.number(), bytes: z.number() })
    .describe('Temporary files; of a GraphRAG project folders that updates left.'),
  facts: z.array(factBody),
  faults: z.array(z.object({ code: z.string(), severity: z.string(), message: z.string() })),
});

export const shapeInspection = (found: TargetInspection): z.input<typeof inspectionBody> =>
  found.kind === 'lightrag' ? shapeWorkspace(found.report) : shapeFolders(found.report);

const shapeFolders = (report: FolderInspection): z.input<typeof inspectionBody> => ({
  kind: report.kind,
  at: isoInstant(report.atMs),
  duration_ms: Math.round(report.durationMs),
  bytes_read: report.bytesRead,
  folder: report.folder,
  workspace: '',
  fresh: report.isFresh,
  files: report.files.map(({ name, kind, bytes, state, detail }) => ({
    name,
    kind,
    bytes,
    state,
    detail: detail ?? null,
  })),
  counts: { ...report.counts },
  documents: {},
  stuck_documents: null,
  embedding: [],
  orphans: { ...report.leftOver },
  facts: report.facts.map(shapeFact),
  faults: report.faults.map((fault) => ({ ...fault })),
});

const shapeWorkspace = (report: InspectionReport): z.input<typeof inspectionBody> => ({
  kind: 'lightrag',
  facts: [],
  at: isoInstant(report.atMs),
  duration_ms: Math.round(report.durationMs),
  bytes_read: report.bytesRead,
  folder: report.folder,
  workspace: report.workspace,
  fresh: report.isFresh,
  files: report.files.map((file) => ({
    name: file.name,
    kind: file.kind,
    bytes: file.bytes,
    state: file.state,
    detail: file.detail ?? null,
  })),
  counts: { ...report.audit.counts },
  documents: { ...report.audit.documents },
  audit: report.audit,
  stuck_documents: {
    total: report.stuck.total,
    documents: report.stuck.documents.map((one) => ({ id: one.id, status: one.status, updated_at: one.updatedAt })),
  },
  embedding: report.dimension.files.map(({ file, dimension, rows }) => ({ file, dimension, rows })),
  orphans: { total: report.orphans.total, bytes: report.orphans.bytes },
  faults: report.faults.map(({ code, severity, message }) => ({ code, severity, message })),
});

/** What was seen, and beside it what the last look into the files counted. */
export function factsOf(seen: readonly TargetFact[], found: TargetInspection | undefined): readonly TargetFact[] {
  if (found === undefined || found.kind === 'lightrag') return seen;
  const { counts, facts } = found.report;
  const unit = found.kind === 'graphrag' ? 'rows' : 'files';
  const counted = Object.entries(counts).map(
    ([name, value]): TargetFact => ({ name: unit === 'rows' ? `rows_of_${name}` : name, value, unit }),
  );
  const told = new Set(seen.map(({ name }) => name));
  return [...seen, ...counted, ...facts.filter(({ name }) => !told.has(name))];
}
