import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import { auditReportSchema } from '../targets/index.ts';
import type { ManifestComponent } from './manifest.ts';
import type { RecoveryPoint } from './point.ts';
import { pointCauses } from './point-cause.ts';
import { includeSwitchOf, leftOutPrefix } from './selection.ts';

const status = z.enum(['running', 'success', 'partial', 'error', 'lost', 'skipped']);

/** In units of 1024 × 1024 bytes. */
const part = z.object({ status: z.enum(['completed', 'partial']), size_mb: z.number() });

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
    database: z.object({
      status: status.describe('`skipped`: none is in it, and none should be; `error`: one should be and is not.'),
      path: z.string().nullable(),
      size_bytes: z.number(),
      duration: z.number().nullable().describe('Seconds; null where nobody measured it.'),
      reason: z.string().nullable(),
      error: z.string().optional(),
      components: z.array(
        z.object({
          name: z.string(),
          kind: z.string(),
          status,
          size_bytes: z.number(),
          streams: z.number().describe('How many dumps it consists of.'),
          grade: z.string(),
          reasons: z.array(z.string()),
        }),
      ),
    }),
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
    components: z
      .object({ database: part.optional(), workspaces: part.optional(), configuration: part.optional() })
      .describe('What is in it, in the three words of document 002; what is not in it is left out.'),
    /** Of all components, in units of 1024 × 1024 bytes; null when the point does not exist. */
    total_size_mb: z.number().nullable(),
    target_id: z.string(),
    scope: z.enum(['target', 'workspace']),
    workspace: z.string().nullable().describe('Of a point of one workspace alone; empty for the unnamed one.'),
    cause: z.enum(pointCauses).describe('`upgrade`: the backend was seen with another version than before.'),
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
  const components = all.filter((one) => one.kind === 'files');
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
    database: databaseResult(point),
    config: configResult(
      all.find((one) => one.name === 'config'),
      point.status,
    ),
    components: {
      ...partOf('database', all),
      ...partOf('workspaces', all),
      ...partOf('configuration', all),
    },
    total_size_mb: manifest?.total_size_mb ?? null,
    target_id: point.targetId,
    scope: point.scope,
    workspace: point.workspace,
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

const switches = { database: 'database', workspaces: 'workspaces', configuration: 'config' } as const;

function partOf(name: keyof typeof switches, all: readonly ManifestComponent[]): BackupResult['components'] {
  const its = all.filter((one) => includeSwitchOf(one.kind) === switches[name]);
  if (its.length === 0) return {};
  const bytes = its.reduce((sum, one) => sum + one.bytes, 0);
  const sizeMb = Math.round((bytes / 1024 ** 2) * 1000) / 1000;
  return { [name]: { status: its.some((one) => one.partial) ? 'partial' : 'completed', size_mb: sizeMb } };
}

/** Components that are folders or files; whatever else a manifest misses is a database of the backend. */
const noDatabases = new Set(['workspace', 'project', 'inputs', 'config', 'ragwarden-state']);
/** Folders have names of the operator's, and their reasons begin so. */
const isFolder = ({ reason }: { readonly reason: string }): boolean => /^(its folder |it lies elsewhere)/.test(reason);

/** A database that should be in the point and is not is an error here, whatever the rest came to. */
function databaseResult({ manifest, status, error }: RecoveryPoint): BackupResult['database'] {
  const its = (manifest?.components ?? []).filter((one) => includeSwitchOf(one.kind) === 'database');
  const missing = (manifest?.missing ?? []).filter((one) => !noDatabases.has(one.name) && !isFolder(one));
  const reasons = missing.map((one) => `${one.name}: ${one.reason}`).join('; ');
  const unasked = missing.length > 0 && missing.every((one) => one.reason.startsWith(leftOutPrefix));
  const found = {
    path: its[0] ? `components/${its[0].name}` : null,
    size_bytes: its.reduce((sum, one) => sum + one.bytes, 0),
    duration: durationOf(its),
    components: its.map((one) => ({
      name: one.name,
      kind: one.kind,
      status: one.partial ? ('partial' as const) : ('success' as const),
      size_bytes: one.bytes,
      streams: one.streams?.length ?? 0,
      grade: one.proof.grade,
      reasons: one.proof.reasons,
    })),
  };
  if (!manifest)
    return {
      ...found,
      status: status === 'running' ? 'running' : status === 'error' ? 'error' : 'skipped',
      reason: status === 'error' ? null : 'the point does not tell',
      ...(status === 'error' ? { error: error ?? 'the run failed' } : {}),
    };
  if (missing.length > 0 && !unasked)
    return { ...found, status: its.length > 0 ? 'partial' : 'error', reason: reasons, error: reasons };
  if (its.length > 0)
    return { ...found, status: its.some((one) => one.partial) ? 'partial' : 'success', reason: reasons || null };
  return { ...found, status: 'skipped', reason: reasons || 'the target has no database that is known of' };
}

/** One after the other, so the sum is what they took. */
const durationOf = (its: readonly ManifestComponent[]): number | null => {
  const measured = its.flatMap((one) => (one.duration_ms === undefined ? [] : [one.duration_ms]));
  return measured.length === 0 ? null : Math.round(measured.reduce((sum, one) => sum + one, 0)) / 1000;
};

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
