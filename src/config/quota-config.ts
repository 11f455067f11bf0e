import { z } from 'zod';
import { env, setting } from './setting.ts';
import { decimal } from './value-parsers.ts';

/** The ten kinds of things that programs hold. */
export const resourceKinds = [
  'memory',
  'file_handle',
  'network_connection',
  'database_connection',
  'async_task',
  'thread',
  'process',
  'cache',
  'lock',
  'temporary_file',
] as const;
/** What can be counted. Money is in millionths of a US dollar, so that it is whole; bytes are whole bytes. */
export const countedKinds = [
  'requests',
  'llm_calls',
  'tokens',
  'cost_micros',
  'documents',
  'chunks',
  'stored_bytes',
  'backup_bytes',
  'concurrent_inserts',
  ...resourceKinds,
] as const;
export const quotaTypes = ['hard', 'soft', 'burst', 'dynamic'] as const;
export const quotaPeriods = ['second', 'minute', 'hour', 'day', 'week', 'month', 'forever'] as const;
export const quotaWindows = ['calendar', 'sliding'] as const;
export const quotaActions = ['block', 'warn', 'throttle', 'queue', 'escalate'] as const;
export const quotaDimensions = ['target', 'workspace', 'user', 'key'] as const;
export const lostPolicies = ['closed', 'open', 'local_share'] as const;

const amount = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const name = z.string().max(300).nullable();

/** A limit as the file has it; the words are those of the API, which tells what each means. */
export const quotaEntry = z.strictObject({
  quota_id: z.string().regex(/^(?!(?:check|reservations|violations|own|replay|status)$)[a-z0-9][a-z0-9_.-]{0,62}$/, {
    error: 'must be lower-case letters, digits, dots, dashes and underscores, and no word of the API',
  }),
  name: z.string().min(1).max(200).optional(),
  description: z.string().max(1_000).default(''),
  resource_type: z.enum(countedKinds),
  quota_type: z.enum(quotaTypes).default('hard'),
  period: z.enum(quotaPeriods).default('hour'),
  window: z.enum(quotaWindows).default('calendar'),
  limit: amount,
  burst_limit: amount.nullable().default(null),
  max_limit: amount.nullable().default(null),
  action: z.enum(quotaActions).default('warn'),
  target_id: name.default(null),
  workspace_id: name.default(null),
  user_id: name.default(null),
  key_id: name.default(null),
  per: z.array(z.enum(quotaDimensions)).max(4).default([]),
  enabled: z.boolean().default(true),
  shadow: z.boolean().default(false),
  when_lost: z.enum(lostPolicies).optional(),
  rate_per_minute: z.number().positive().max(1_000_000).nullable().default(null),
  wait_seconds: z.number().min(0).max(60).default(5),
  tags: z.record(z.string(), z.string().max(200)).default({}),
});

export const quotasStructure = z.strictObject({
  definitions: z
    .array(quotaEntry)
    .max(1_000)
    .refine((list) => new Set(list.map((one) => one.quota_id)).size === list.length, 'names one quota_id twice')
    .optional(),
});
export type QuotasStructure = z.infer<typeof quotasStructure>;
export type QuotaConfig = z.infer<typeof quotaEntry>;

export const quotaSettings = {
  quotaCheckIntervalSeconds: setting({
    key: 'quotas.check_interval_seconds',
    env: env('RAGWARDEN_QUOTA_CHECK_INTERVAL'),
    parser: decimal(1, 86_400),
    fallback: 30,
    unit: 'seconds',
    runtime: true,
    about:
      'Time between two looks at quotas: dead processes and reservations are taken back, violations resolved, dynamic limits adjusted.',
  }),
} as const;
