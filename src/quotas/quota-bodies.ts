import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import type { Checked, CheckResult } from './bookings.ts';
import type { QuotaDraft } from './definitions.ts';
import {
  anyPlace,
  countedKinds,
  lostPolicies,
  type Place,
  placeOfBucket,
  type Quota,
  quotaActions,
  quotaDimensions,
  quotaPeriods,
  quotaTypes,
  quotaWindows,
} from './quota.ts';
import type { Replay } from './replay.ts';
import type { Reservation } from './reservation-store.ts';
import type { BucketUsage, PastPeriod, QuotaUsage } from './usage.ts';
import type { Violation } from './violation-store.ts';

/** Words that are paths of their own below `/quotas/`. */
const reserved = new Set(['check', 'reservations', 'violations', 'own', 'replay', 'status']);
export const quotaId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_.-]{0,62}$/, 'is lower case letters, digits, dots, dashes and underscores, at most 63');
const amount = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const name = z.string().min(1).max(200);
const place = z.string().max(300);

const fields = {
  quota_id: quotaId.refine((id) => !reserved.has(id), 'is a word of the API; choose another id'),
  name,
  description: z.string().max(1_000),
  resource_type: z
    .enum(countedKinds)
    .describe('What is counted. `cost_micros` are millionths of a US dollar; bytes are whole bytes.'),
  quota_type: z
    .enum(quotaTypes)
    .describe(
      'hard: never above the limit. soft: warned of above it, and stopped above `burst_limit` where there is one. burst: up to `burst_limit`, and what was above the limit is taken off the next window. dynamic: the limit follows the use, between what is defined and `max_limit`.',
    ),
  period: z.enum(quotaPeriods),
  window: z
    .enum(quotaWindows)
    .describe(
      'calendar: from one full period of UTC to the next. sliding: the last period before any moment, in sixtieths; what was used comes back at most a sixtieth late.',
    ),
  limit: amount,
  burst_limit: amount.nullable(),
  max_limit: amount.nullable().describe('Of a dynamic quota; twice the limit when null.'),
  action: z
    .enum(quotaActions)
    .describe(
      'What happens to a use beyond the limit. block: refused. warn: allowed and told. throttle: passes slowly, or is refused with the time to come back. queue: waits for room. escalate: refused, and people are told.',
    ),
  target_id: place.nullable().describe('Only what belongs to this target; null: any.'),
  workspace_id: place.nullable(),
  user_id: place.nullable(),
  key_id: place.nullable(),
  per: z
    .array(z.enum(quotaDimensions))
    .max(4)
    .refine((list) => new Set(list).size === list.length, 'names one twice')
    .describe('Each of these has the limit for itself; empty: all share it.'),
  enabled: z.boolean(),
  shadow: z.boolean().describe('Counted and reported, never denied.'),
  when_lost: z
    .enum(lostPolicies)
    .describe('While the ledger does not answer: nothing passes, everything passes, or what is at hand.'),
  rate_per_minute: z
    .number()
    .positive()
    .max(1_000_000)
    .nullable()
    .describe('Of throttle: what passes beyond the limit; null: a tenth of the rate of the limit.'),
  wait_seconds: z.number().min(0).max(60).describe('How long a use waits at most, with throttle and queue.'),
  ends_at: z.iso.datetime({ offset: true }).nullable().describe('It ends by itself.'),
  tags: z
    .record(z.string().min(1).max(100), z.string().max(200))
    .refine((tags) => Object.keys(tags).length <= 50, 'has more than 50'),
};

export const newQuotaSchema = z
  .strictObject({
    quota_id: fields.quota_id,
    name,
    resource_type: fields.resource_type,
    limit: fields.limit,
    description: fields.description.default(''),
    quota_type: fields.quota_type.default('hard'),
    period: fields.period.default('hour'),
    window: fields.window.default('calendar'),
    burst_limit: fields.burst_limit.default(null),
    max_limit: fields.max_limit.default(null),
    action: fields.action.default('warn'),
    target_id: fields.target_id.default(null),
    workspace_id: fields.workspace_id.default(null),
    user_id: fields.user_id.default(null),
    key_id: fields.key_id.default(null),
    per: fields.per.default([]),
    enabled: fields.enabled.default(true),
    shadow: fields.shadow.default(false),
    when_lost: fields.when_lost.optional().describe('`closed` for hard quotas and `open` for others when left out.'),
    rate_per_minute: fields.rate_per_minute.default(null),
    wait_seconds: fields.wait_seconds.default(5),
    ends_at: fields.ends_at.default(null),
    tags: fields.tags.default({}),
  })
  .meta({ id: 'NewQuota' });
const { quota_id: _id, ...changeable } = fields;
export const quotaChangeSchema = z.strictObject(changeable).partial().meta({ id: 'QuotaChange' });

export const draftOf = (body: z.infer<typeof newQuotaSchema>): QuotaDraft => ({
  id: body.quota_id,
  name: body.name,
  description: body.description,
  counts: body.resource_type,
  type: body.quota_type,
  period: body.period,
  window: body.window,
  limit: body.limit,
  burstLimit: body.burst_limit,
  action: body.action,
  of: { targetId: body.target_id, workspace: body.workspace_id, userId: body.user_id, keyId: body.key_id },
  per: body.per,
  enabled: body.enabled,
  shadow: body.shadow,
  whenLost: body.when_lost ?? (body.quota_type === 'hard' ? 'closed' : 'open'),
  ratePerMinute: body.rate_per_minute,
  waitSeconds: body.wait_seconds,
  mostLimit: body.max_limit,
  endsMs: body.ends_at === null ? null : Date.parse(body.ends_at),
  tags: body.tags,
});

/** A definition with what of it is to be otherwise. */
export const changed = (quota: QuotaDraft, body: z.infer<typeof quotaChangeSchema>): QuotaDraft => ({
  id: quota.id,
  name: body.name ?? quota.name,
  description: body.description ?? quota.description,
  counts: body.resource_type ?? quota.counts,
  type: body.quota_type ?? quota.type,
  period: body.period ?? quota.period,
  window: body.window ?? quota.window,
  limit: body.limit ?? quota.limit,
  burstLimit: body.burst_limit === undefined ? quota.burstLimit : body.burst_limit,
  action: body.action ?? quota.action,
  of: {
    targetId: body.target_id === undefined ? quota.of.targetId : body.target_id,
    workspace: body.workspace_id === undefined ? quota.of.workspace : body.workspace_id,
    userId: body.user_id === undefined ? quota.of.userId : body.user_id,
    keyId: body.key_id === undefined ? quota.of.keyId : body.key_id,
  },
  per: body.per ?? quota.per,
  enabled: body.enabled ?? quota.enabled,
  shadow: body.shadow ?? quota.shadow,
  whenLost: body.when_lost ?? quota.whenLost,
  ratePerMinute: body.rate_per_minute === undefined ? quota.ratePerMinute : body.rate_per_minute,
  waitSeconds: body.wait_seconds ?? quota.waitSeconds,
  mostLimit: body.max_limit === undefined ? quota.mostLimit : body.max_limit,
  endsMs: body.ends_at === undefined ? quota.endsMs : body.ends_at === null ? null : Date.parse(body.ends_at),
  tags: body.tags ?? quota.tags,
});

export const quotaSchema = z
  .object({
    ...fields,
    quota_id: z.string(),
    defined_limit: amount.describe('Before a dynamic quota was adjusted.'),
    ends_at: z.iso.datetime().nullable(),
    origin: z
      .enum(['file', 'api', 'default'])
      .describe('file: the settings, and only changed there. default: it came with ragwarden.'),
    created_at: z.iso.datetime().nullable(),
    updated_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Quota' });
export type QuotaBody = z.infer<typeof quotaSchema>;

export const quotaBody = (quota: Quota, definedLimit: number): QuotaBody => ({
  quota_id: quota.id,
  name: quota.name,
  description: quota.description,
  resource_type: quota.counts,
  quota_type: quota.type,
  period: quota.period,
  window: quota.window,
  limit: quota.limit,
  defined_limit: definedLimit,
  burst_limit: quota.burstLimit,
  max_limit: quota.mostLimit,
  action: quota.action,
  target_id: quota.of.targetId,
  workspace_id: quota.of.workspace,
  user_id: quota.of.userId,
  key_id: quota.of.keyId,
  per: [...quota.per],
  enabled: quota.enabled,
  shadow: quota.shadow,
  when_lost: quota.whenLost,
  rate_per_minute: quota.ratePerMinute,
  wait_seconds: quota.waitSeconds,
  ends_at: isoInstantOrNull(quota.endsMs),
  tags: { ...quota.tags },
  origin: quota.origin,
  created_at: quota.createdMs === 0 ? null : isoInstant(quota.createdMs),
  updated_at: quota.updatedMs === 0 ? null : isoInstant(quota.updatedMs),
});

const count = z.number().int();
const whose = {
  bucket: z.string().describe('Who shares the limit; empty: all.'),
  target_id: z.string().nullable(),
  workspace_id: z.string().nullable(),
  user_id: z.string().nullable(),
  key_id: z.string().nullable(),
};
const whoseOf = (bucket: string) => {
  const { targetId, workspace, userId, keyId } = bucket === '' ? anyPlace : placeOfBucket(bucket);
  return { bucket, target_id: targetId, workspace_id: workspace, user_id: userId, key_id: keyId };
};

const bucketSchema = z
  .object({
    ...whose,
    current_usage: count.describe('All that counts against the limit: used, held, forfeited and carried over.'),
    used: count,
    held: count.describe('In reservations, and at hand in processes: used up or given back before long.'),
    forfeited: count.describe('At hand in processes that died: counted as used, since nobody can tell.'),
    carried: count.describe('Above the limit of the window before.'),
    limit: count,
    remaining: count,
    used_percent: z.number().nullable(),
    period_start: z.iso.datetime(),
    reset_at: z.iso.datetime().nullable().describe('When nothing of it counts any more; null: it does not begin anew.'),
    forecast: z
      .object({
        usage_at_end: count.describe('At the pace of this window.'),
        exhausted_at: z.iso.datetime().nullable().describe('Null: not in this window.'),
      })
      .nullable()
      .describe('Null while too little is known.'),
  })
  .meta({ id: 'QuotaBucketUsage' });

export const bucketBody = (quota: Quota, one: BucketUsage): z.infer<typeof bucketSchema> => ({
  ...whoseOf(one.bucket),
  current_usage: one.total,
  used: one.used,
  held: one.held,
  forfeited: one.forfeited,
  carried: one.carried,
  limit: quota.limit,
  remaining: one.remaining,
  used_percent: quota.limit === 0 ? null : Math.round((one.total / quota.limit) * 1_000) / 10,
  period_start: isoInstant(one.periodStartMs),
  reset_at: isoInstantOrNull(one.resetMs),
  forecast:
    one.forecast === undefined
      ? null
      : { usage_at_end: one.forecast.atEnd, exhausted_at: isoInstantOrNull(one.forecast.exhaustedAtMs) },
});

export const usageSchema = z
  .object({
    quota_id: z.string(),
    current_usage: count.describe('Of whoever used most.'),
    burst_usage: count.describe('Of it above the limit.'),
    limit: count,
    remaining: count,
    period_start: z.iso.datetime().nullable(),
    reset_at: z.iso.datetime().nullable(),
    violations: count.describe('Of the last 24 hours.'),
    warnings: count.describe('Since the start.'),
    bucket_count: count,
    buckets: z.array(bucketSchema).describe('Those that used most.'),
  })
  .meta({ id: 'QuotaUsage' });

export function usageBody(
  usage: QuotaUsage,
  counts: { readonly violations: number; readonly warnings: number },
): z.infer<typeof usageSchema> {
  const { quota, buckets, bucketCount } = usage;
  const [most] = buckets;
  return {
    quota_id: quota.id,
    current_usage: most?.total ?? 0,
    burst_usage: Math.max(0, (most?.total ?? 0) - quota.limit),
    limit: quota.limit,
    remaining: most?.remaining ?? quota.burstLimit ?? quota.limit,
    period_start: isoInstantOrNull(most?.periodStartMs),
    reset_at: isoInstantOrNull(most?.resetMs),
    ...counts,
    bucket_count: bucketCount,
    buckets: buckets.map((one) => bucketBody(quota, one)),
  };
}

export const historySchema = z.array(
  z.object({ period_start: z.iso.datetime(), used: count, greatest: count.describe('Of one bucket.') }),
);
export const historyBody = (periods: readonly PastPeriod[]): z.infer<typeof historySchema> =>
  periods.map(({ startMs, used, greatest }) => ({ period_start: isoInstant(startMs), used, greatest }));

export const violationSchema = z
  .object({
    violation_id: z.string(),
    quota_id: z.string(),
    resource_type: z.enum(countedKinds),
    violation_time: z.iso.datetime(),
    last_time: z.iso.datetime(),
    times: count.describe('How often it was tried while it lasted.'),
    current_usage: count.describe('With what was asked for, when most was.'),
    limit: count,
    exceeded_by: count,
    action_taken: z.string().describe('`none` in shadow mode.'),
    shadow: z.boolean(),
    ...whose,
    resolved: z.boolean(),
    resolved_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'QuotaViolation' });

export const violationBody = (one: Violation): z.infer<typeof violationSchema> => ({
  violation_id: one.id,
  quota_id: one.quotaId,
  resource_type: one.counts,
  violation_time: isoInstant(one.firstMs),
  last_time: isoInstant(one.lastMs),
  times: one.times,
  current_usage: one.usage,
  limit: one.limit,
  exceeded_by: one.exceededBy,
  action_taken: one.action,
  shadow: one.shadow,
  ...whoseOf(one.bucket),
  resolved: one.resolvedMs !== null,
  resolved_at: isoInstantOrNull(one.resolvedMs),
});

/** Whom a use belongs to, and how much it is. */
export const useSchema = z.strictObject({
  resource_type: z.enum(countedKinds).optional().describe('With `usage_amount`; or `amounts`.'),
  usage_amount: amount.optional(),
  amounts: z
    .partialRecord(z.enum(countedKinds), amount)
    .optional()
    .describe('Several kinds at once, all of them or none.'),
  target_id: place.optional().describe('The only target when left out.'),
  workspace_id: place.optional(),
  user_id: place.optional(),
  key_id: place.optional(),
});
type Use = z.infer<typeof useSchema>;

/** @returns undefined where nothing, or the same twice, is asked for */
export function amountsOf({ resource_type: kind, usage_amount: one, amounts }: Use) {
  if (amounts !== undefined)
    return kind === undefined && one === undefined && Object.keys(amounts).length > 0 ? amounts : undefined;
  return kind === undefined ? undefined : { [kind]: one ?? 1 };
}
export const placeOf = (use: Use, onlyTarget: string | null): Place => ({
  targetId: use.target_id ?? (use.workspace_id === undefined ? null : onlyTarget),
  workspace: use.workspace_id ?? null,
  userId: use.user_id ?? null,
  keyId: use.key_id ?? null,
});

export const checkedSchema = z
  .object({
    allowed: z.boolean(),
    results: z
      .array(
        z.object({
          allowed: z.boolean(),
          quota_id: z.string(),
          bucket: z.string(),
          current_usage: count.describe('Before this use.'),
          limit: count,
          remaining: count.describe('Before this use.'),
          action: z.enum(quotaActions),
          message: z.string(),
          is_warning: z.boolean(),
          is_violation: z.boolean(),
          exceeded_by: count,
          shadow: z.boolean(),
        }),
      )
      .describe('One for each quota that applies; empty: none does.'),
    retry_after_seconds: z.number().nullable(),
    detail: z.string().nullable(),
  })
  .meta({ id: 'QuotaCheck' });

export const checkedBody = ({ allowed, results, denial }: Checked): z.infer<typeof checkedSchema> => ({
  allowed,
  results: results.map(resultBody),
  retry_after_seconds: denial?.retryAfterSeconds ?? null,
  detail: denial?.detail ?? null,
});

const resultBody = (one: CheckResult) => ({
  allowed: one.allowed,
  quota_id: one.quota.id,
  bucket: one.bucket,
  current_usage: one.standing,
  limit: one.quota.limit,
  remaining: Math.max(0, (one.quota.burstLimit ?? one.quota.limit) - one.standing),
  action: one.quota.action,
  message: one.message,
  is_warning: one.verdict === 'warned' || (one.verdict === 'over' && one.quota.type === 'soft'),
  is_violation: one.verdict === 'over',
  exceeded_by: one.exceededBy,
  shadow: one.quota.shadow,
});

export const reservationSchema = z
  .object({
    reservation_id: z.string(),
    subject: z.string().describe('Who made it.'),
    state: z.enum(['held', 'settled', 'released', 'expired']),
    amounts: z.record(z.string(), count),
    target_id: z.string().nullable(),
    workspace_id: z.string().nullable(),
    user_id: z.string().nullable(),
    key_id: z.string().nullable(),
    quotas: z.array(z.string()).describe('Those in which it is held; empty: none applied.'),
    on_expiry: z.enum(['release', 'charge']),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
    ended_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'QuotaReservation' });

export const reservationBody = (one: Reservation): z.infer<typeof reservationSchema> => ({
  reservation_id: one.id,
  subject: one.subject,
  state: one.state,
  amounts: { ...one.amounts },
  target_id: one.place.targetId,
  workspace_id: one.place.workspace,
  user_id: one.place.userId,
  key_id: one.place.keyId,
  quotas: one.parts.map(({ quotaId: id }) => id),
  on_expiry: one.onExpiry,
  created_at: isoInstant(one.createdMs),
  expires_at: isoInstant(one.expiresMs),
  ended_at: isoInstantOrNull(one.endedMs),
});

export const replaySchema = z
  .object({
    from: z.iso.datetime().nullable().describe('Of what is remembered.'),
    to: z.iso.datetime().nullable(),
    uses: count,
    warned: count,
    over: count.describe('What would have been turned away, slowed down or kept waiting.'),
    greatest: count,
    buckets: z.array(z.object({ bucket: z.string(), uses: count, over: count, greatest: count })),
    examples: z.array(z.object({ at: z.iso.datetime(), bucket: z.string(), exceeded_by: count })),
  })
  .meta({ id: 'QuotaReplay' });

export const replayBody = (one: Replay): z.infer<typeof replaySchema> => ({
  from: isoInstantOrNull(one.fromMs),
  to: isoInstantOrNull(one.toMs),
  uses: one.uses,
  warned: one.warned,
  over: one.over,
  greatest: one.greatest,
  buckets: one.buckets.map((bucket) => ({ ...bucket })),
  examples: one.examples.map(({ atMs, bucket, exceededBy }) => ({
    at: isoInstant(atMs),
    bucket,
    exceeded_by: exceededBy,
  })),
});
