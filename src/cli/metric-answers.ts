import { z } from 'zod';

const instant = z.string();

export const definitionAnswer = z.object({
  name: z.string(),
  category: z.string(),
  type: z.string(),
  unit: z.string(),
  description: z.string(),
  aggregations: z.array(z.string()),
  enabled: z.boolean(),
  defined_by: z.string(),
});

const labels = z.record(z.string(), z.string());
const sourceAnswer = z.object({ tier: z.string(), resolution_seconds: z.number(), from: instant, to: instant });
export type SourceAnswer = z.infer<typeof sourceAnswer>;

export const metricQueryAnswer = z.object({
  step_seconds: z.number(),
  sources: z.array(sourceAnswer),
  approximate: z.boolean(),
  series: z.array(z.object({ labels, values: z.array(z.number().nullable()) })),
  total_series: z.number(),
  store_error: z.string().nullable(),
});

export const metricTopAnswer = z.object({
  items: z.array(z.object({ labels, value: z.number() })),
  sources: z.array(sourceAnswer),
});

export const recordedAnswer = z.object({ accepted: z.number(), errors: z.array(z.object({ detail: z.string() })) });
