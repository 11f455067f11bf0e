import { z } from 'zod';

const textOrNull = z.string().nullable();

export const failoverAnswer = z.object({
  failover_id: z.string(),
  kind: z.string(),
  target_id: z.string(),
  from: z.string(),
  to: z.string(),
  state: z.string(),
  phase: z.string(),
  outcome: textOrNull,
  backup_id: textOrNull,
  source: textOrNull,
  lost_seconds: z.number().nullable(),
  canary: z.object({ verdict: z.string(), message: textOrNull }).nullable(),
  documents: z.object({ expected: z.number().nullable(), found: z.number().nullable() }).nullable(),
  phases: z.array(z.object({ name: z.string(), seconds: z.number().nullable() })),
  answered_after_seconds: z.number().nullable(),
  lives: z.number(),
  notes: z.array(z.string()),
  requested_by: z.string(),
  created_at: z.string(),
});
export type FailoverAnswer = z.infer<typeof failoverAnswer>;

export const failoverStatusAnswer = z.object({
  target_id: z.string(),
  active: z.string(),
  possible: z.boolean(),
  reason: z.string().nullable().default(null),
  places: z.array(
    z.object({ place: z.string(), url: textOrNull, zone: textOrNull, active: z.boolean(), automatic: z.boolean() }),
  ),
  running: failoverAnswer.nullable(),
  last: failoverAnswer.nullable(),
  seeded: z.object({ place: z.string(), backup_id: z.string(), at: z.string() }).nullable(),
});

export const failoverPlanAnswer = z.object({
  plan_id: z.string(),
  target_id: z.string(),
  from: z.object({ place: z.string(), url: textOrNull, answers: textOrNull }),
  to: z.object({ place: z.string(), url: textOrNull, zone: textOrNull }),
  backup_id: textOrNull,
  taken_at: textOrNull,
  size_bytes: z.number().nullable(),
  documents: z.object({ in_point: z.number().nullable(), now: z.number().nullable() }),
  sources: z.array(z.object({ id: z.string(), title: z.string() })),
  left_alone: z.array(z.object({ component: z.string(), reason: z.string() })),
  steps: z.array(z.string()),
  warnings: z.array(z.string()),
  blockers: z.array(z.string()),
});
export type FailoverPlanAnswer = z.infer<typeof failoverPlanAnswer>;

export const checkpointAnswer = z.object({
  checkpoint_id: z.string(),
  cause: z.string(),
  graphs: z.array(z.string()),
  description: z.string(),
  created_at: z.string(),
  created_by: z.string(),
  validated: z.boolean(),
  validation_timestamp: textOrNull,
  points: z.array(z.object({ graph_id: z.string(), backup_id: z.string(), taken_at: z.string() })),
  drills: z.array(z.object({ backup_id: z.string(), verdict: z.string(), reasons: z.array(z.string()) })),
});
export const recoveryStatusAnswer = z.object({
  automatic: z.array(
    z.object({
      target_id: z.string(),
      interval_seconds: z.number(),
      keep: z.number(),
      next_at: textOrNull,
      reason: textOrNull,
    }),
  ),
});
export type CheckpointAnswer = z.infer<typeof checkpointAnswer>;
