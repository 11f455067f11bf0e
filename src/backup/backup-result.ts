import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import { auditReportSchema } from '../targets/index.ts';
import type { ManifestComponent } from './manifest.ts';
import type { RecoveryPoint } from './point.ts';

const status = z.enum(['running', 'success', 'partial', 'error', 'lost', 'skipped']);

/** The result of a backup as the source documents name its fields, and what they do not know beside it. */
export const backupResultSchema = z
  .object({
    backup_id: z.string(),
    timestamp: z.string(),
    start_time: z.string(),
    end_time: z.string().nullable(),
    /** Seconds. */
    duration: z.number().nullable(),
    status,
    error: z.string().optional(),
    user_data: z.object({
      status,
      path: z.string().nullable(),
      user_count: z.number(),
      total_size_bytes: z.number(),
      file_count: z.number(),
      components: z.array(
        z.object({
          name: z.string(),
          status,
          path: z.string().nullable(),
          file_count: z.number(),
          size_bytes: z.number(),
          grade: z.string(),
          reasons: z.array(z.string()),
          skipped: z.array(z.object({ path: z.string(), reason: z.string(), loss: z.boolean() })),
        }),
      ),
    }),
    /** Databases are not captured in this version. */
    database: z.object({ status: z.literal('skipped'), reason: z.string() }),
    config: z.object({
      status,
      path: z.string().nullable(),
      file_count: z.number(),
      total_size_bytes: z.number(),
      file_results: z.record(
        z.string(),
        z.object({ status: z.enum(['success', 'skipped']), reason: z.string().optional() }),
      ),
    }),
    /** Of all components, in units of 1024 × 1024 bytes; null when the point does not exist. */
    total_size_mb: z.number().nullable(),
    target_id: z.string(),
    cause: z.enum(['manual', 'scheduled', 'safety']),
    grade: z.enum(['consistent', 'crash-consistent', 'fuzzy']).nullable(),
    reasons: z.array(z.string()),
    missing: z.array(z.object({ name: z.string(), reason: z.string() })),
    verified_at: z.string().nullable(),
    forgotten_at: z.string().nullable(),
    stored_bytes: z.number().nullable().describe('New in the repository; null where nobody noted it.'),
    documents: z.record(z.string(), z.number()).nullable(),
    core_version: z.string().nullable(),
    audit_verdict: auditReportSchema.shape.verdict
      .nullable()
      .describe('Whether the stores of the captured files belong together; null where nobody looked.'),
    pinned: z.boolean(),
    operation_id: z.string().nullable(),
    allowed_actions: z.array(z.enum(['restore', 'verify', 'pin', 'unpin'])),
  })
  .meta({ id: 'RecoveryPoint' });
export type BackupResult = z.infer<typeof backupResultSchema>;

export function backupResult(point: RecoveryPoint): BackupResult {
  const { manifest } = point;
  const all = manifest?.components ?? [];
  const components = all.filter((one) => one.kind !== 'config');
  const exists = (point.status === 'success' || point.status === 'partial') && point.forgottenMs === null;
  return {
    backup_id: point.id,
    timestamp: isoInstant(point.takenMs),
    start_time: isoInstant(point.startedMs),
    end_time: isoInstantOrNull(point.finishedMs),
    duration: point.finishedMs === null ? null : (point.finishedMs - point.startedMs) / 1000,
    status: point.status,
    ...(point.error === null ? {} : { error: point.error }),
    user_data: {
      status: manifest ? (components.some((one) => one.partial) ? 'partial' : 'success') : point.status,
      path: folderOf(components[0]),
      user_count: manifest?.target.workspaces.length ?? 0,
      total_size_bytes: manifest ? components.reduce((sum, one) => sum + one.bytes, 0) : point.logicalBytes,
      file_count: components.reduce((sum, one) => sum + one.files, 0),
      components: components.map((one) => ({
        name: one.name,
        status: one.partial ? 'partial' : 'success',
        path: folderOf(one),
        file_count: one.files,
        size_bytes: one.bytes,
        grade: one.proof.grade,
        reasons: one.proof.reasons,
        skipped: one.skipped,
      })),
    },
    database: { status: 'skipped', reason: 'databases are not captured in this version' },
    config: configResult(
      all.find((one) => one.kind === 'config'),
      point.status,
    ),
    total_size_mb: manifest?.total_size_mb ?? null,
    target_id: point.targetId,
    cause: point.cause,
    grade: point.grade,
    reasons: manifest?.reasons ?? [],
    missing: manifest?.missing ?? [],
    verified_at: isoInstantOrNull(point.verifiedMs),
    forgotten_at: isoInstantOrNull(point.forgottenMs),
    stored_bytes: point.storedBytes,
    documents: manifest?.documents ?? null,
    core_version: manifest?.target.core_version ?? null,
    audit_verdict: manifest?.content_audit?.verdict ?? null,
    pinned: point.pinned,
    operation_id: point.operationId,
    allowed_actions: exists ? ['restore', 'verify', point.pinned ? 'unpin' : 'pin'] : [],
  };
}

function configResult(
  component: ManifestComponent | undefined,
  status: RecoveryPoint['status'],
): BackupResult['config'] {
  if (!component)
    return {
      status: status === 'running' ? 'running' : 'skipped',
      path: null,
      file_count: 0,
      total_size_bytes: 0,
      file_results: {},
    };
  return {
    status: component.partial ? 'partial' : 'success',
    path: `components/${component.name}`,
    file_count: component.files,
    total_size_bytes: component.bytes,
    file_results: Object.fromEntries(
      component.skipped.map((one) => [one.path, { status: 'skipped' as const, reason: one.reason }]),
    ),
  };
}

const folderOf = (component: { restore: { by: string; folder?: string } } | undefined): string | null =>
  component?.restore.folder ?? null;
