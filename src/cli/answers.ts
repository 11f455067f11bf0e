import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { withoutControls } from './format.ts';

/**
 * What people are shown of the API's answers. Loose: a field that is not read here may change, and `--json` prints all of it
 * anyway.
 */
const size = z.number();
const instant = z.string();
const textOrNull = z.string().nullable();

export const healthAnswer = z.object({
  status: z.string(),
  timestamp: instant,
  checks: z
    .array(z.object({ name: z.string(), about: z.string(), status: z.string(), message: z.string() }))
    .default([]),
});
export type HealthAnswer = z.infer<typeof healthAnswer>;

export const drillAnswer = z.object({
  drill_id: z.string(),
  target_id: z.string(),
  backup_id: z.string(),
  kind: z.string(),
  choice: textOrNull,
  requested_by: z.string(),
  started_at: instant,
  finished_at: textOrNull,
  verdict: textOrNull,
  reasons: z.array(z.string()),
  phases: z.array(
    z.object({ name: z.string(), component: textOrNull, seconds: z.number(), times_in_restore: z.number() }),
  ),
  rto_seconds: z.number().nullable(),
  size_bytes: size.nullable(),
  file_count: z.number().nullable(),
});
export type DrillAnswer = z.infer<typeof drillAnswer>;

const rpoAnswer = z.object({
  objective_seconds: z.number(),
  measured_seconds: z.number().nullable(),
  used: z.number().nullable(),
  missed_at: textOrNull,
  met: z.boolean(),
});
export type RpoAnswer = z.infer<typeof rpoAnswer>;

export const objectivesAnswer = z.object({
  target_id: z.string(),
  rpo: rpoAnswer,
  workspaces: z.array(z.object({ workspace: z.string(), rpo: rpoAnswer })),
  rto: z.object({
    objective_seconds: z.number(),
    measured_seconds: z.number().nullable(),
    forecast_seconds: z.number().nullable(),
    met: z.boolean().nullable(),
    trend: z.array(z.object({ at: instant, rto_seconds: z.number() })),
  }),
  drill: z.object({
    frequency_seconds: z.number(),
    last_verdict: textOrNull,
    last_passed_at: textOrNull,
    next_at: textOrNull,
    overdue_since: textOrNull,
  }),
});
export type ObjectivesAnswer = z.infer<typeof objectivesAnswer>;

export const factAnswer = z.object({
  name: z.string(),
  value: z.union([z.string(), z.number(), z.boolean()]).nullable(),
  unit: textOrNull,
});
export type FactAnswer = z.infer<typeof factAnswer>;

export const targetAnswer = z.object({
  id: z.string(),
  sample: z.boolean(),
  status: z.string(),
  reasons: z.array(z.object({ code: z.string(), message: z.string() })),
  kind: textOrNull,
  // Absent in answers of an earlier version.
  configured_kind: z.string().optional(),
  facts: z.array(factAnswer).default([]),
  not_applicable: z.array(z.object({ what: z.string(), reason: z.string() })).default([]),
  core_version: textOrNull,
  api_version: textOrNull,
  endpoints: z.array(z.object({ url: z.string(), workspace: z.string() })),
  stores: z.array(z.object({ name: z.string(), kind: z.string(), path: z.string() })),
  observed_at: textOrNull,
  latency_ms: z.number().nullable(),
  documents: z.record(z.string(), z.number()).nullable(),
  pipeline: z
    .object({ busy: z.boolean(), job_name: z.string(), latest_message: z.string(), recovery_required: z.boolean() })
    .nullable(),
  sizes: z.array(z.object({ store: z.string(), bytes: size, files: z.number(), counted_at: instant })),
  lifecycle: z.object({ automatic: z.boolean(), stop: z.string(), start: z.string() }),
});
export type TargetAnswer = z.infer<typeof targetAnswer>;

export const backupStatusAnswer = z.object({
  status: z.string(),
  available: z.boolean(),
  unavailable_reason: textOrNull,
  last_backup_time: textOrNull,
  last_verified_backup: textOrNull,
  /** Epoch seconds. */
  next_backup: z.number().nullable(),
  backup_count: z.number(),
  location: z.string(),
  rpo: z.object({ objective_seconds: z.number(), measured_seconds: z.number().nullable(), met: z.boolean() }),
  warnings: z.array(z.string()),
  error: z.string().optional(),
});
export type BackupStatusAnswer = z.infer<typeof backupStatusAnswer>;

export const pointAnswer = z.object({
  backup_id: z.string(),
  timestamp: instant,
  duration: z.number().nullable(),
  status: z.string(),
  error: z.string().optional(),
  user_data: z.object({
    total_size_bytes: size,
    file_count: z.number(),
    components: z.array(
      z.object({
        name: z.string(),
        status: z.string(),
        path: textOrNull,
        file_count: z.number(),
        size_bytes: size,
        grade: z.string(),
        reasons: z.array(z.string()),
        skipped: z.array(z.object({ path: z.string(), reason: z.string(), loss: z.boolean() })),
      }),
    ),
  }),
  database: z.object({
    components: z.array(
      z.object({ name: z.string(), kind: z.string(), size_bytes: size, streams: z.number(), grade: z.string() }),
    ),
  }),
  components: z.object({ configuration: z.object({ status: z.string(), size_mb: z.number() }).optional() }),
  total_size_mb: z.number().nullable(),
  target_id: z.string(),
  cause: z.string(),
  grade: textOrNull,
  reasons: z.array(z.string()),
  missing: z.array(z.object({ name: z.string(), reason: z.string() })),
  verified_at: textOrNull,
  forgotten_at: textOrNull,
  stored_bytes: size.nullable(),
  documents: z.record(z.string(), z.number()).nullable(),
  core_version: textOrNull,
  pinned: z.boolean(),
  operation_id: textOrNull,
});
export type PointAnswer = z.infer<typeof pointAnswer>;

/** Of everything in it, as the page and `backup_size_bytes` tell it. */
export const pointBytes = (point: Pick<PointAnswer, 'total_size_mb' | 'user_data'>): number =>
  point.total_size_mb === null ? point.user_data.total_size_bytes : Math.round(point.total_size_mb * 1024 ** 2);

export const operationAnswer = z.object({
  id: z.string(),
  kind: z.string(),
  target_id: textOrNull,
  state: z.string(),
  phase: z.string(),
  progress: z.object({
    bytes_done: size,
    bytes_total: size.nullable(),
    files_done: z.number(),
    files_total: z.number().nullable(),
    rate_bytes_per_second: z.number().nullable(),
    remaining_seconds: z.number().nullable(),
    percent: z.number().nullable(),
  }),
  result: z.unknown(),
  error: z.object({ code: z.string(), detail: z.string() }).nullable(),
  requested_by: z.string(),
  created_at: instant,
  finished_at: textOrNull,
  allowed_actions: z.array(z.string()),
});
export type OperationAnswer = z.infer<typeof operationAnswer>;

export const restorePlanAnswer = z.object({
  plan_id: z.string(),
  backup_id: z.string(),
  target_id: z.string(),
  taken_at: instant,
  grade: textOrNull,
  components: z.array(
    z.object({
      name: z.string(),
      folder: z.string(),
      method: z.string(),
      items: z.array(
        z.object({
          name: z.string(),
          action: z.string(),
          reason: z.string(),
          old_bytes: size.nullable(),
          new_bytes: size.nullable(),
          old_rows: z.number().nullable().optional(),
          new_rows: z.number().nullable().optional(),
        }),
      ),
      bytes_in: size,
      bytes_out: size.nullable(),
      free_needed_bytes: size.nullable(),
      free_available_bytes: size.nullable(),
      lost: z.object({
        files: z.number(),
        bytes: size,
        rows: z.number().nullable().optional(),
        examples: z.array(z.object({ path: z.string(), bytes: size, modified_at: instant })),
        row_examples: z.array(z.string()).optional(),
      }),
    }),
  ),
  backend: z.object({ automatic: z.boolean(), stopped: z.boolean(), stop: z.string(), start: z.string() }),
  versions: z.object({ point: textOrNull, now: textOrNull }),
  steps: z.array(z.string()),
  warnings: z.array(z.string()),
  blockers: z.array(z.string()),
});
export type RestorePlanAnswer = z.infer<typeof restorePlanAnswer>;

export const restoreResultAnswer = z.object({
  status: z.string(),
  duration: z.number(),
  user_data: z.object({ total_size_bytes: size, file_count: z.number() }),
  safety_backup_id: textOrNull,
  undo: z.array(z.object({ folder: z.string(), bytes: size.nullable() })),
  notes: z.array(z.string()),
});

export const hostAnswer = z.object({
  uptime_seconds: z.number(),
  cpu: z.object({ percent: z.number(), count: z.number(), load_avg: z.array(z.number()) }),
  memory: z.object({ total: size, used: size, percent: z.number(), swap_total: size, swap_used: size }),
  disk: z
    .object({
      mounts: z.array(z.object({ path: z.string(), total: size, used: size, free: size, percent: z.number() })),
    })
    .nullable(),
});
export type HostAnswer = z.infer<typeof hostAnswer>;

export const eventAnswer = z.object({
  seq: z.number(),
  at: instant,
  type: z.string(),
  severity: z.string(),
  target_id: textOrNull,
  message: z.string(),
});
export type EventAnswer = z.infer<typeof eventAnswer>;

export const tokenAnswer = z.object({
  id: z.string(),
  subject: z.string(),
  role: z.string(),
  workspaces: z.union([z.literal('all'), z.array(z.string())]),
  label: z.string(),
  state: z.string(),
  created_at: instant,
  expires_at: textOrNull,
  last_used_at: textOrNull,
  previous_secret_until: textOrNull,
});

export const catalogueAnswer = z.object({
  dry_run: z.boolean(),
  added: z.number(),
  completed: z.number(),
  kept: z.number(),
  lost: z.number(),
  mismatched: z.number(),
  refused: z.number(),
  items: z.array(z.object({ backup_id: z.string(), action: z.string(), reason: z.string() })),
  leftovers: z.array(z.object({ snapshot_id: z.string(), backup_id: textOrNull, reason: z.string() })),
});

export const growthAnswer = z.object({
  kind: z.string(),
  unit: z.string(),
  used: z.number().nullable(),
  cap: z.number().nullable(),
  percent: z.number().nullable(),
  setting: z.string(),
  last_trimmed_at: textOrNull,
});

export const jobAnswer = z.object({
  name: z.string(),
  interval_seconds: z.number(),
  runs: z.number(),
  failures: z.number(),
  running: z.boolean(),
  last_finished_at: textOrNull,
  last_error: textOrNull,
  late: textOrNull,
});

export const sourcesAnswer = z.object({
  items: z.array(
    z.object({
      name: z.string(),
      kind: z.string(),
      online: z.boolean(),
      consistent: z.string(),
      restorable_elsewhere: z.boolean(),
      restored_by: z.string(),
      notes: z.array(z.string()),
    }),
  ),
  missing: z.array(z.object({ name: z.string(), reason: z.string() })),
});

export const configFileAnswer = z.object({ path: z.string(), content: z.string(), redacted: z.number() });

export const retentionAnswer = z.object({
  backup_id: z.string(),
  timestamp: instant,
  action: z.string(),
  reason: z.string(),
});

export const repositoryAnswer = z.object({
  location: z.string(),
  state: z.string(),
  reason: textOrNull,
  id: textOrNull,
  tool: textOrNull,
  locks: z.array(
    z.object({ id: z.string(), host: z.string(), pid: z.number(), created_at: instant, holder: z.string() }),
  ),
  upkeep: z.array(
    z.object({
      operation: z.string(),
      last_success_at: textOrNull,
      last_error: textOrNull,
      next_at: textOrNull,
      late: z.boolean(),
    }),
  ),
  warnings: z.array(z.string()),
});

export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable() });

/**
 * An answer ready to be shown to people: parsed, and no text of it can drive a terminal.
 * @throws AppError `server/unreachable` when the server speaks of something else, as another version would
 */
export function read<Schema extends z.ZodType>(schema: Schema, answer: unknown): z.output<Schema> {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return withoutControls(parsed.data);
  const [issue] = parsed.error.issues;
  throw new AppError(
    'server/unreachable',
    `The server's answer is not understood (${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}). It may be of another version; --json shows it as it is.`,
  );
}

/** An id as one part of a path. @throws AppError `request/invalid` for what a URL would swallow */
export function pathPart(id: string): string {
  if (id === '' || id === '.' || id === '..') throw new AppError('request/invalid', `"${id}" is not an id.`);
  return encodeURIComponent(id);
}
