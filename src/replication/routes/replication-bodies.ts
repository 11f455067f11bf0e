import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../../platform/clock.ts';
import type { Overview, ReplicaOverview } from '../overview.ts';
import { type LogEntry, logStatuses, logTypes, replicaKinds, replicaStatuses } from '../replica.ts';

const line = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'holds control characters');
const secret = line(8_192);
export const replicaId = z.string().max(100);

const credentials = z
  .record(z.string().max(100), secret)
  .describe(
    'A secret: taken once, never shown. By the names that the store’s own tools read, such as AWS_SECRET_ACCESS_KEY.',
  );
const shared = {
  zone: line(100).nullable().describe('Whatever falls out together: a room, a data centre, a provider.'),
  offline: z.boolean().describe('Usually not attached: that it cannot be reached is no fault.'),
  enabled: z.boolean(),
  limit_kib_per_second: z.int().min(0).max(100_000_000).nullable().describe('Null: as the setting says. 0: none.'),
  max_concurrent: z
    .int()
    .min(1)
    .max(20)
    .nullable()
    .describe('It is begun while fewer targets than this are worked on. 1: alone. Null: as the setting says.'),
  metadata: z.record(z.string().max(100), z.json()),
};

export const newReplicaBody = z
  .strictObject({
    target_id: line(63).optional().describe('Default: made from the name.'),
    name: line(200),
    base_url: line(2_000).optional().describe('Of another ragwarden.'),
    api_key: secret.optional().describe('Its key. A secret: taken once, never shown.'),
    location: line(2_000).optional().describe('A repository: an absolute folder, s3:, azure:, gs:, rest: or sftp:.'),
    credentials: credentials.default({}),
    zone: shared.zone.default(null),
    offline: shared.offline.default(false),
    enabled: shared.enabled.default(true),
    limit_kib_per_second: shared.limit_kib_per_second.default(null),
    max_concurrent: shared.max_concurrent.default(null),
    metadata: shared.metadata.default({}),
  })
  .refine((one) => (one.base_url === undefined) !== (one.location === undefined), {
    message: 'needs either base_url or location',
    path: ['location'],
  })
  .refine((one) => one.base_url === undefined || one.api_key !== undefined, {
    message: 'another ragwarden needs its key',
    path: ['api_key'],
  })
  .refine((one) => one.base_url !== undefined || one.api_key === undefined, {
    message: 'belongs to base_url; a repository has credentials',
    path: ['api_key'],
  });

export const replicaChangeBody = z.strictObject({
  name: line(200).optional(),
  zone: shared.zone.optional(),
  offline: shared.offline.optional(),
  enabled: shared.enabled.optional(),
  limit_kib_per_second: shared.limit_kib_per_second.optional(),
  max_concurrent: shared.max_concurrent.optional(),
  metadata: shared.metadata.optional(),
  api_key: secret.optional(),
  credentials: credentials.optional(),
});

const lagBody = z.object({
  target: z.string().describe('The watched target whose points these are.'),
  copies: z.number(),
  lag_seconds: z
    .number()
    .nullable()
    .describe(
      '0: the newest verified point is there. Else how long the oldest newer one waits. Null: there is no point.',
    ),
  missing_points: z.number(),
  missing_bytes: z.number(),
  newest_backup_id: z.string().nullable(),
  newest_taken_at: z.string().nullable(),
});

export const replicaBody = z.object({
  target_id: z.string(),
  name: z.string(),
  kind: z.enum(replicaKinds),
  base_url: z.string().nullable(),
  location: z.string().nullable(),
  zone: z.string().nullable(),
  offline: z.boolean(),
  enabled: z.boolean(),
  idle_reason: z.string().nullable().describe('Why nothing is copied there, whatever the place is like; null: it is.'),
  limit_kib_per_second: z.number().nullable(),
  max_concurrent: z.number().nullable(),
  metadata: z.record(z.string(), z.json()),
  origin: z.enum(['file', 'api']),
  created_at: z.string().nullable(),
  status: z.enum(replicaStatuses),
  error: z.string().nullable(),
  last_health_check: z.string().nullable(),
  last_reached: z.string().nullable(),
  last_synced: z.string().nullable(),
  last_verified: z.string().nullable(),
  verified_percent: z.number().nullable(),
  last_pruned: z.string().nullable().describe('When what nothing needs was last freed there.'),
  prune_failures: z.number().describe('How often in a row freeing what nothing needs failed there.'),
  findings: z.array(z.string()).describe('Damage that was found there and not healed.'),
  conflict: z.string().nullable(),
  stuck: z
    .array(
      z.object({
        backup_id: z.string(),
        reason: z.string(),
        attempts: z.number().describe('In a row.'),
        last_attempt: z.string(),
      }),
    )
    .describe('Points that cannot be copied there for a reason of their own; the others are. Each is tried again.'),
  stored_bytes: z.number().nullable(),
  other_bytes: z.number().nullable().describe('What other installations keep there under the same key.'),
  lag: z.array(lagBody),
  allowed_actions: z.array(z.enum(['replicate', 'verify', 'heal', 'prune', 'change', 'remove'])),
});

export function bodyOfReplica(
  { replica, state, targets }: ReplicaOverview,
  enabled: boolean,
): z.infer<typeof replicaBody> {
  const works = enabled && replica.enabled;
  return {
    target_id: replica.id,
    name: replica.name,
    kind: replica.kind,
    base_url: replica.kind === 'ragwarden' ? replica.place : null,
    location: replica.kind === 'ragwarden' ? null : replica.place,
    zone: replica.zone,
    offline: replica.offline,
    enabled: replica.enabled,
    idle_reason: !enabled
      ? 'Replication is switched off. LIGHTRAG_REPLICATION_ENABLED (replication.enabled) switches it on.'
      : replica.enabled
        ? null
        : 'This target is switched off.',
    limit_kib_per_second: replica.limitKiB,
    max_concurrent: replica.maxConcurrent,
    metadata: replica.metadata,
    origin: replica.origin,
    created_at: isoInstantOrNull(replica.createdMs),
    status: state.status,
    error: state.error,
    last_health_check: isoInstantOrNull(state.checkedMs),
    last_reached: isoInstantOrNull(state.reachedMs),
    last_synced: isoInstantOrNull(state.syncedMs),
    last_verified: isoInstantOrNull(state.verifiedMs),
    verified_percent: state.verifiedPercent,
    last_pruned: isoInstantOrNull(state.prunedMs),
    prune_failures: state.pruneFailures,
    findings: [...state.findings],
    conflict: state.conflict,
    stuck: state.stuck.map((one) => ({
      ...{ backup_id: one.pointId, reason: one.error, attempts: one.failures },
      last_attempt: isoInstant(one.triedMs),
    })),
    stored_bytes: state.storedBytes,
    other_bytes: state.otherBytes,
    lag: targets.map((one) => ({
      target: one.targetId,
      copies: one.copies,
      lag_seconds: one.lagMs === null ? null : Math.round(one.lagMs) / 1_000,
      missing_points: one.points,
      missing_bytes: one.bytes,
      newest_backup_id: one.newestTherePointId,
      newest_taken_at: isoInstantOrNull(one.newestThereMs),
    })),
    allowed_actions: [
      ...(works ? (['replicate', 'verify'] as const) : []),
      ...(works && replica.kind !== 'ragwarden' ? (['heal', 'prune'] as const) : []),
      ...(replica.origin === 'api' ? (['change', 'remove'] as const) : []),
    ],
  };
}

export const placementBody = z.object({
  target: z.string(),
  met: z.boolean(),
  copies: z.number(),
  zones: z.number(),
  offline: z.boolean(),
  missing: z.array(z.string()),
});

export const overviewBody = z.object({
  configured: z.boolean(),
  enabled: z.boolean(),
  status: z.enum(['not configured', 'healthy', 'degraded', 'unhealthy', 'unknown']),
  message: z.string(),
  paused: z.string().nullable().describe('Why nothing is copied, whatever the targets are like.'),
  refused: z.array(z.object({ backup_id: z.string(), reason: z.string() })).describe('Points that are not handed on.'),
  targets: z.array(replicaBody),
  placement: z.array(placementBody),
});

/** The word over all places: what is offline or switched off says nothing. */
export function judgeOverview(overview: Overview): Pick<z.infer<typeof overviewBody>, 'status' | 'message'> {
  const asked = overview.replicas.filter(({ replica }) => replica.enabled && !replica.offline);
  if (overview.replicas.length === 0)
    return { status: 'not configured', message: 'No replication target is configured.' };
  if (!overview.enabled) return { status: 'unknown', message: 'Replication is switched off, so nothing is copied.' };
  const broken = overview.placement.flatMap(({ missing }) => missing);
  const bad = overview.replicas.filter(
    ({ replica, state }) => replica.enabled && (state.findings.length > 0 || state.conflict !== null),
  );
  // Also one that is well and does not take some of the points.
  const lost = asked.filter(
    ({ state }) =>
      state.status === 'unreachable' ||
      state.status === 'degraded' ||
      (state.failuresInRow > 0 && state.error !== null),
  );
  if (broken.length > 0) return { status: 'unhealthy', message: broken.join(' ') };
  if (bad.length > 0)
    return {
      status: 'unhealthy',
      message: bad
        .map(({ replica, state }) => `${replica.id}: ${state.conflict ?? state.error ?? 'it is damaged'}`)
        .join(' '),
    };
  if (overview.paused !== null) return { status: 'degraded', message: `Nothing is copied: ${overview.paused}` };
  if (lost.length > 0)
    return {
      status: 'degraded',
      message: lost.map(({ replica, state }) => `${replica.id}: ${state.error ?? state.status}`).join(' '),
    };
  if (asked.some(({ state }) => state.status === 'unknown'))
    return { status: 'unknown', message: 'Not every replication target was looked at yet.' };
  return {
    status: 'healthy',
    message: `${asked.length} replication ${asked.length === 1 ? 'target takes' : 'targets take'} copies.`,
  };
}

export const bodyOfOverview = (overview: Overview): z.infer<typeof overviewBody> => ({
  configured: overview.replicas.length > 0,
  enabled: overview.enabled,
  ...judgeOverview(overview),
  paused: overview.paused,
  refused: overview.refused.map(({ pointId, reason }) => ({ backup_id: pointId, reason })),
  targets: overview.replicas.map((one) => bodyOfReplica(one, overview.enabled)),
  placement: overview.placement.map(({ targetId, ...verdict }) => ({
    ...{ target: targetId, met: verdict.met, copies: verdict.copies, zones: verdict.zones, offline: verdict.offline },
    missing: [...verdict.missing],
  })),
});

export const logBody = z.object({
  log_id: z.string(),
  operation_id: z.string().nullable(),
  target_id: z.string(),
  graph_id: z.string().nullable(),
  backup_id: z.string().nullable(),
  operation_type: z.enum(logTypes),
  status: z.enum(logStatuses),
  started_at: z.string(),
  completed_at: z.string().nullable(),
  duration_seconds: z.number().nullable(),
  bytes_transferred: z.number().nullable(),
  data_hash: z.string().nullable(),
  error_message: z.string().nullable(),
  metadata: z.record(z.string(), z.json()).describe('What else is known of it, by its type.'),
});

export const bodyOfLog = (entry: LogEntry): z.infer<typeof logBody> => ({
  log_id: entry.id,
  operation_id: entry.operationId,
  target_id: entry.replicaId,
  graph_id: entry.targetId,
  backup_id: entry.pointId,
  operation_type: entry.type,
  status: entry.status,
  started_at: isoInstant(entry.startedMs),
  completed_at: isoInstantOrNull(entry.completedMs),
  duration_seconds: entry.completedMs === null ? null : (entry.completedMs - entry.startedMs) / 1_000,
  bytes_transferred: entry.bytes,
  data_hash: entry.dataHash,
  error_message: entry.error,
  metadata: entry.metadata ?? {},
});
