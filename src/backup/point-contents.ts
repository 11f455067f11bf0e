import { z } from 'zod';
import { auditReportSchema } from '../targets/index.ts';
import type { Manifest } from './manifest.ts';

/** What a point says of itself, part by part; read from its manifest, so it costs nothing but asking. */
export const pointContentsSchema = z
  .object({
    backup_id: z.string(),
    workspaces: z.array(z.string()).describe('That the target had; the unnamed one is "".'),
    components: z.array(
      z.object({
        name: z.string(),
        kind: z.string(),
        partial: z.boolean(),
        grade: z.string(),
        reasons: z.array(z.string()),
        file_count: z.number(),
        size_bytes: z.number(),
        unfolded_files: z.number().describe('How many of the files are stored by record.'),
        streams: z.array(z.object({ name: z.string(), size_bytes: z.number() })),
        counts: z.record(z.string(), z.number()).nullable().describe('Rows per store; null where nobody counted.'),
        place: z.string().nullable().describe('The folder it came from; null for what is none.'),
        by_hand: z.string().nullable().describe('Why a restore in place leaves it alone; null: it does not.'),
        skipped: z.array(z.object({ path: z.string(), reason: z.string(), loss: z.boolean() })),
        damaged: z.array(z.object({ path: z.string(), reason: z.string() })),
        notes: z.array(z.string()),
      }),
    ),
    barrier: z
      .object({ held: z.boolean(), held_seconds: z.number().nullable(), reason: z.string().nullable() })
      .nullable(),
    counts: z.record(z.string(), z.number()).nullable().describe('Rows per store of the captured files.'),
    audit: auditReportSchema.nullable().describe('Null where nobody looked.'),
    faults: z.array(z.object({ code: z.string(), severity: z.string(), message: z.string() })),
    storage_classes: z.record(z.string(), z.string()),
    embedding_model: z.string().nullable(),
    embedding_dimension: z.number().nullable(),
    warden_version: z.string(),
  })
  .meta({ id: 'PointContents' });
export type PointContents = z.infer<typeof pointContentsSchema>;

export const pointContents = (manifest: Manifest): PointContents => ({
  backup_id: manifest.id,
  workspaces: manifest.workspace === undefined ? [...manifest.target.workspaces] : [manifest.workspace],
  components: manifest.components.map((one) => ({
    name: one.name,
    kind: one.kind,
    partial: one.partial,
    grade: one.proof.grade,
    reasons: one.proof.reasons,
    file_count: one.files,
    size_bytes: one.bytes,
    unfolded_files: one.unfolded?.files ?? 0,
    streams: (one.streams ?? []).map((stream) => ({ name: stream.name, size_bytes: stream.bytes })),
    counts: one.counts ?? null,
    place: one.restore.by === 'folder-swap' ? one.restore.folder : null,
    by_hand: one.restore.by === 'by-hand' ? one.restore.reason : null,
    skipped: one.skipped,
    damaged: one.damaged,
    notes: one.notes,
  })),
  barrier: manifest.barrier
    ? {
        held: manifest.barrier.held,
        held_seconds: manifest.barrier.held_ms === null ? null : manifest.barrier.held_ms / 1000,
        reason: manifest.barrier.reason,
      }
    : null,
  counts: manifest.counts,
  audit: manifest.content_audit ?? null,
  faults: manifest.content_faults ?? [],
  storage_classes: manifest.target.storage_classes,
  embedding_model: manifest.target.embedding_model,
  embedding_dimension: manifest.target.embedding_dimension,
  warden_version: manifest.warden_version,
});
