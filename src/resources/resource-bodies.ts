import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import { describeLeak, type Leak, leakSeverities, suggestAction } from './leak.ts';
import { type NewResource, type Resource, resourceStatuses, resourceTypes } from './resource.ts';
import type { ResourceTotals } from './resource-registry.ts';

/** Words that are paths of their own below `/resources/`. */
const reserved = new Set(['summary', 'leaks', 'cleanup', 'observed']);
const longestMetadata = 1_000;

const name = z.string().min(1).max(200);
const sizeBytes = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const ttlSeconds = z.number().min(0.1).max(31_536_000);
const leaseSeconds = z.number().min(0.1).max(86_400);

export const newResourceSchema = z
  .strictObject({
    resource_id: z
      .string()
      .min(1)
      .max(300)
      .refine((id) => !reserved.has(id) && !/^\.{1,2}$/.test(id), 'is a word of the API; choose another id'),
    resource_type: z.enum(resourceTypes),
    owner: name.optional().describe('Who holds it: a user, a service, a process.'),
    workspace_id: z.string().max(200).optional().describe('Empty: the unnamed one.'),
    parent_id: z.string().min(1).max(300).optional().describe('The resource that it is a part of.'),
    size_bytes: sizeBytes.optional(),
    ttl_seconds: ttlSeconds.optional().describe('A leak when it is still there after this time, used or not.'),
    lease_seconds: leaseSeconds.optional().describe('A leak when no sign of life came for this time.'),
    metadata: z
      .record(z.string().min(1).max(100), z.union([z.string(), z.number(), z.boolean(), z.null()]))
      .refine((data) => JSON.stringify(data).length <= longestMetadata, `is longer than ${longestMetadata} characters`)
      .optional()
      .describe('Facts that help whoever looks for it. No secrets.'),
  })
  .meta({ id: 'NewResource' });

export const newResource = (body: z.infer<typeof newResourceSchema>): NewResource => ({
  id: body.resource_id,
  type: body.resource_type,
  owner: body.owner ?? null,
  workspaceId: body.workspace_id ?? null,
  parentId: body.parent_id ?? null,
  sizeBytes: body.size_bytes ?? null,
  ttlMs: body.ttl_seconds === undefined ? null : body.ttl_seconds * 1_000,
  leaseMs: body.lease_seconds === undefined ? null : body.lease_seconds * 1_000,
  metadata: body.metadata ?? {},
});

export const touchSchema = z.strictObject({
  size_bytes: sizeBytes.optional(),
  ttl_seconds: ttlSeconds.optional(),
  lease_seconds: leaseSeconds.optional(),
});
export const releaseSchema = z.strictObject({
  error: z
    .string()
    .min(1)
    .max(500)
    .optional()
    .describe('Why it could not be freed; it then stays, with status `error`.'),
});

const count = z.number().int();
const severity = z.enum(leakSeverities);

export const resourceSchema = z
  .object({
    resource_id: z.string(),
    resource_type: z.enum(resourceTypes),
    status: z.enum(resourceStatuses),
    owner: z.string().nullable(),
    workspace_id: z.string().nullable(),
    parent_id: z.string().nullable(),
    size_bytes: count.nullable(),
    ttl_seconds: z.number().nullable(),
    lease_seconds: z.number().nullable(),
    metadata: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
    registered_by: z.string(),
    created_at: z.iso.datetime(),
    last_accessed: z.iso.datetime().describe('Used; registering counts as the first use.'),
    last_seen: z.iso.datetime().describe('Used, or a sign of life.'),
    access_count: count,
    error: z.string().nullable(),
  })
  .meta({ id: 'Resource' });
export type ResourceBody = z.infer<typeof resourceSchema>;

export const resourceBody = (one: Resource): ResourceBody => ({
  resource_id: one.id,
  resource_type: one.type,
  status: one.status,
  owner: one.owner,
  workspace_id: one.workspaceId,
  parent_id: one.parentId,
  size_bytes: one.sizeBytes,
  ttl_seconds: one.ttlMs === null ? null : one.ttlMs / 1_000,
  lease_seconds: one.leaseMs === null ? null : one.leaseMs / 1_000,
  metadata: { ...one.metadata },
  registered_by: one.registeredBy,
  created_at: isoInstant(one.createdAtMs),
  last_accessed: isoInstant(one.lastAccessedAtMs),
  last_seen: isoInstant(one.lastSeenAtMs),
  access_count: one.accessCount,
  error: one.error,
});

export const leakSchema = z
  .object({
    resource_id: z.string(),
    resource_type: z.enum(resourceTypes),
    leak_detected_at: z.iso.datetime(),
    leak_duration_seconds: z.number().describe('Since it went past its limit.'),
    severity,
    description: z.string(),
    suggested_action: z.string(),
    rule: z.enum(['age', 'ttl', 'lease']),
    resource_info: resourceSchema,
  })
  .meta({ id: 'ResourceLeak' });
export type ResourceLeakBody = z.infer<typeof leakSchema>;

export const leakBody = (leak: Leak, nowMs: number): ResourceLeakBody => ({
  resource_id: leak.resource.id,
  resource_type: leak.resource.type,
  leak_detected_at: isoInstant(leak.detectedAtMs),
  leak_duration_seconds: (nowMs - leak.sinceMs) / 1_000,
  severity: leak.severity,
  description: describeLeak(leak, nowMs),
  suggested_action: suggestAction(leak),
  rule: leak.rule,
  resource_info: resourceBody(leak.resource),
});

const number = z.number().nullable();
const byType = z.record(z.enum(resourceTypes), count);

export const summarySchema = z
  .object({
    total_resources: count.describe('Registered, and neither released nor unregistered.'),
    max_tracked: count,
    resources_by_type: byType,
    resources_by_status: z
      .record(z.enum(resourceStatuses), count)
      .describe('`cleaned_up` are the last thousand that were released; they are not part of `total_resources`.'),
    total_leaks: count,
    leaks_by_type: byType,
    observed_leaks: z
      .object({ suspected: count, confirmed: count })
      .nullable()
      .describe('Of processes and servers, seen from outside; null while nothing is looked at.'),
    quota_violations: count.describe('Quotas of resources that are exceeded now, those in shadow mode too.'),
    checked_at: z.iso.datetime().nullable().describe('When all were last looked at; null before the first time.'),
    metrics: z.object({
      total_resources_created: count.describe('Since ragwarden started, as the totals below.'),
      total_resources_cleaned: count,
      total_leaks_detected: count,
      total_quota_violations: count,
      cleanup_success_rate: number.describe('Of releases, 0 to 1; null before the first.'),
      leak_detection_rate: number.describe('Leaks by resources that were registered; null before the first.'),
      memory_current_bytes: z.number().describe('Of ragwarden itself.'),
      memory_peak_bytes: z.number(),
      memory_growth_bytes: z.number().describe('Since it started.'),
      system_memory_percent: number,
      system_cpu_percent: number,
      system_open_files: number.describe('Of ragwarden itself.'),
      system_threads: number,
    }),
  })
  .meta({ id: 'ResourceSummary' });
export type ResourceSummaryBody = z.infer<typeof summarySchema>;

/** Ragwarden's own process and its host, as last seen; null is not known. */
export type Surroundings = {
  readonly memoryBytes: number;
  readonly memoryPeakBytes: number;
  readonly memoryGrowthBytes: number;
  readonly memoryPercent: number | null;
  readonly cpuPercent: number | null;
  readonly openFiles: number | null;
  readonly threads: number | null;
};

export function summaryBody(
  totals: ResourceTotals,
  beside: {
    readonly maxTracked: number;
    readonly around: Surroundings;
    readonly observed: ResourceSummaryBody['observed_leaks'];
    readonly violations: { readonly open: number; readonly total: number };
  },
): ResourceSummaryBody {
  const { maxTracked, around, observed, violations } = beside;
  const { tracked, registered, released, releaseFailures, leaksFound } = totals;
  const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);
  return {
    total_resources: tracked,
    max_tracked: maxTracked,
    resources_by_type: { ...totals.byType },
    resources_by_status: { ...totals.byStatus },
    total_leaks: totals.leaks,
    leaks_by_type: { ...totals.leaksByType },
    observed_leaks: observed,
    quota_violations: violations.open,
    checked_at: isoInstantOrNull(totals.checkedAtMs),
    metrics: {
      total_resources_created: registered,
      total_resources_cleaned: released,
      total_leaks_detected: leaksFound,
      total_quota_violations: violations.total,
      cleanup_success_rate: share(released, released + releaseFailures),
      leak_detection_rate: share(leaksFound, registered),
      memory_current_bytes: around.memoryBytes,
      memory_peak_bytes: around.memoryPeakBytes,
      memory_growth_bytes: around.memoryGrowthBytes,
      system_memory_percent: around.memoryPercent,
      system_cpu_percent: around.cpuPercent,
      system_open_files: around.openFiles,
      system_threads: around.threads,
    },
  };
}
