import { z } from 'zod';

const textOrNull = z.string().nullable();
const reason = z.object({ check: z.string(), status: z.string(), message: z.string() });
const verdict = z.object({ can: z.boolean().nullable(), reasons: z.array(reason) });
export type VerdictAnswer = z.infer<typeof verdict>;

export const healthStatusAnswer = z.object({
  status: z.string(),
  can_answer: verdict,
  can_ingest: verdict,
  checks: z.array(
    z.object({
      name: z.string(),
      kind: z.string(),
      status: z.string(),
      message: z.string(),
      age_seconds: z.number().nullable(),
      took_ms: z.number().nullable(),
      flapping: z.boolean(),
      observed_value: z.union([z.string(), z.number()]).nullable(),
      observed_unit: textOrNull,
      checks: z.record(z.string(), z.record(z.string(), z.unknown())),
      metrics: z.record(z.string(), z.record(z.string(), z.unknown())),
      details: z.record(z.string(), z.unknown()),
    }),
  ),
});
export type HealthStatusAnswer = z.infer<typeof healthStatusAnswer>;

export const graphAnswer = z.object({
  graph_id: z.string(),
  status: z.string(),
  reasons: z.array(z.object({ message: z.string() })),
  documents: z.record(z.string(), z.number()).nullable(),
  stuck: z.object({ documents: z.number() }).nullable(),
  audit: z.object({ verdict: z.string() }).nullable(),
});

export const instanceAnswer = z.object({
  instance: z.string(),
  version: z.string(),
  started_at: z.string(),
  told_at: z.string(),
  here: z.boolean(),
  alive: z.boolean(),
  services: z.array(z.object({ name: z.string(), state: z.string(), last_run: textOrNull, last_error: textOrNull })),
});
