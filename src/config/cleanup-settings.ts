import { resolve } from 'node:path';
import { z } from 'zod';
import { env, setting } from './setting.ts';
import { decimal, flag, wholeNumber } from './value-parsers.ts';

/** A folder that cleanups may touch. Only the file names folders. */
const cleanupFolder = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and dashes'),
  path: z.string().min(1),
  /** `graphrag` is the root of a GraphRAG project: only `update_output/<time>` of it may go. */
  use: z.enum(['temporary', 'logs', 'graphrag']),
  /** Names such as `*.tmp`, or paths with a slash; without any, what the use says. */
  patterns: z.array(z.string().min(1).max(300)).max(100).optional(),
  /** Younger ones stay, whatever is asked for. */
  min_age_seconds: z.number().min(0).max(31_536_000).optional(),
});

export const cleanupStructure = z.strictObject({
  folders: z.array(cleanupFolder).max(100).optional(),
  /** As `POST /api/v1/metrics/cleanup/tasks` takes them; they win over those of the API. */
  tasks: z
    .array(z.looseObject({ task_id: z.string().min(1).max(100) }))
    .max(200)
    .optional(),
});
type CleanupStructure = z.infer<typeof cleanupStructure>;

export const cleanupSettings = {
  cleanupEnabled: setting({
    key: 'cleanup.enabled',
    env: env('RAGWARDEN_CLEANUP_ENABLED'),
    parser: flag,
    fallback: true,
    about: 'Whether cleanups may be carried out, by tasks and on demand.',
  }),
  cleanupMaxConcurrent: setting({
    key: 'cleanup.max_concurrent_cleanups',
    env: env('RAGWARDEN_MAX_CONCURRENT_CLEANUPS'),
    parser: wholeNumber(1, 100),
    fallback: 10,
    runtime: true,
    about: 'Cleanups that are under way at once; more wait for a place, the most urgent first.',
  }),
  cleanupBatchSize: setting({
    key: 'cleanup.batch_size',
    env: env('RAGWARDEN_CLEANUP_BATCH_SIZE'),
    parser: wholeNumber(1, 10_000),
    fallback: 100,
    runtime: true,
    about: 'Items that are taken away between two looks at budget, pressure and cancellation.',
  }),
  cleanupCheckIntervalSeconds: setting({
    key: 'cleanup.check_interval_seconds',
    env: env('RAGWARDEN_CLEANUP_CHECK_INTERVAL'),
    parser: decimal(1, 86_400),
    fallback: 60,
    unit: 'seconds',
    runtime: true,
    about: 'How often tasks with a threshold, or one of health, are looked at; schedules keep to their minute.',
  }),
  cleanupQuarantineDays: setting({
    key: 'cleanup.quarantine_days',
    env: env('RAGWARDEN_CLEANUP_QUARANTINE_DAYS'),
    parser: decimal(0.001, 3_650),
    fallback: 7,
    unit: 'days',
    runtime: true,
    about: 'How long what was taken away can be undone; it takes its room on the disk until then.',
  }),
  cleanupGraceSeconds: setting({
    key: 'cleanup.temporary_grace_seconds',
    env: env('RAGWARDEN_CLEANUP_TEMPORARY_GRACE'),
    parser: decimal(0, 31_536_000),
    fallback: 3_600,
    unit: 'seconds',
    runtime: true,
    about: 'Temporary files of a backend that are younger stay, whatever is asked for; LightRAG waits as long itself.',
  }),
  workspaceCleanupEnabled: setting({
    key: 'cleanup.workspaces_enabled',
    env: env('RAGWARDEN_WORKSPACE_CLEANUP_ENABLED'),
    parser: flag,
    fallback: false,
    runtime: true,
    about: 'Take folders of workspaces away by themselves when nobody serves them and they are past their time.',
  }),
  workspaceCleanupIntervalMinutes: setting({
    key: 'cleanup.workspace_interval_minutes',
    env: env('RAGWARDEN_WORKSPACE_CLEANUP_INTERVAL'),
    parser: decimal(0.1, 525_600),
    fallback: 60,
    unit: 'minutes',
    runtime: true,
    about: 'Time between two looks for such workspaces.',
  }),
  workspaceTtlHours: setting({
    key: 'cleanup.workspace_ttl_hours',
    env: env('RAGWARDEN_WORKSPACE_TTL_HOURS'),
    parser: decimal(0.01, 876_000),
    fallback: 24,
    unit: 'hours',
    runtime: true,
    about: 'A workspace that is there for longer counts as expired once it is idle too.',
  }),
  workspaceMaxIdleHours: setting({
    key: 'cleanup.workspace_max_idle_hours',
    env: env('RAGWARDEN_WORKSPACE_MAX_IDLE_HOURS'),
    parser: decimal(0.01, 876_000),
    fallback: 12,
    unit: 'hours',
    runtime: true,
    about: 'A workspace whose files were not written for longer counts as idle.',
  }),
  workspaceMaxSizeMb: setting({
    key: 'cleanup.workspace_max_size_mb',
    env: env('RAGWARDEN_WORKSPACE_MAX_SIZE_MB'),
    parser: decimal(1, 1_000_000_000),
    fallback: 1_000,
    unit: 'MiB',
    runtime: true,
    about: 'An expired workspace that is larger goes even when it is not idle.',
  }),
  workspaceGraceMinutes: setting({
    key: 'cleanup.workspace_grace_minutes',
    env: env('RAGWARDEN_WORKSPACE_GRACE_MINUTES'),
    parser: decimal(0, 525_600),
    fallback: 30,
    unit: 'minutes',
    runtime: true,
    about: 'A workspace that was written more lately stays, forced or not.',
  }),
} as const;

type CleanupValues = Readonly<
  Record<Exclude<keyof typeof cleanupSettings, 'cleanupEnabled' | 'workspaceCleanupEnabled'>, number>
> & {
  readonly cleanupEnabled: boolean;
  readonly workspaceCleanupEnabled: boolean;
};

export type CleanupConfig = ReturnType<typeof buildCleanup>;

export const buildCleanup = (values: CleanupValues, structure: CleanupStructure, cwd: string) => ({
  enabled: values.cleanupEnabled,
  maxConcurrent: values.cleanupMaxConcurrent,
  batchSize: values.cleanupBatchSize,
  checkIntervalMs: values.cleanupCheckIntervalSeconds * 1_000,
  quarantineMs: values.cleanupQuarantineDays * 86_400_000,
  graceMs: values.cleanupGraceSeconds * 1_000,
  workspaces: {
    enabled: values.workspaceCleanupEnabled,
    intervalMs: values.workspaceCleanupIntervalMinutes * 60_000,
    ttlMs: values.workspaceTtlHours * 3_600_000,
    idleMs: values.workspaceMaxIdleHours * 3_600_000,
    bytes: values.workspaceMaxSizeMb * 1_048_576,
    graceMs: values.workspaceGraceMinutes * 60_000,
  },
  folders: (structure.folders ?? []).map(({ id, path, use, patterns, min_age_seconds }) => ({
    ...{ id, path: resolve(cwd, path), use, patterns: patterns ?? [] },
    graceMs: (min_age_seconds ?? 60) * 1_000,
  })),
  /** As they are written; whoever knows tasks reads them. */
  tasks: structure.tasks ?? [],
});
