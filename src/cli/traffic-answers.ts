import { z } from 'zod';

const instant = z.string();
const textOrNull = z.string().nullable();
const numberOrNull = z.number().nullable();
export const distributionAnswer = z.object({
  count: z.number(),
  max: numberOrNull,
  p50: numberOrNull,
  p95: numberOrNull,
  p99: numberOrNull,
});
export const trafficRowAnswer = z.object({
  requests: z.number(),
  errors: z.number(),
  error_rate: numberOrNull,
  client_errors: z.number(),
  refused: z.number(),
  cancelled: z.number(),
  empty: z.number(),
  throughput_per_second: z.number(),
  duration_ms: distributionAnswer,
  first_content_ms: distributionAnswer,
  llm: z.object({
    calls: z.number(),
    errors: z.number(),
    rate_limited: z.number(),
    retries: z.number(),
    tokens: z.object({ prompt: z.number(), completion: z.number(), cached: z.number() }),
    calls_without_tokens: z.number(),
    cost_usd: z.number(),
    calls_without_price: z.number(),
    duration_ms: distributionAnswer,
  }),
});
export const trafficAnswer = z.object({
  from: instant,
  to: instant,
  window_seconds: z.number(),
  kept_from: instant,
  complete: z.boolean(),
  by: textOrNull,
  total: trafficRowAnswer,
  items: z.array(trafficRowAnswer.extend({ key: z.string() })),
  left_out: z.number(),
  backend: z
    .object({ cpu_seconds: numberOrNull, peak_rss_bytes: z.number(), cpu_seconds_per_operation: numberOrNull })
    .nullable(),
  unpriced_models: z.array(z.string()),
});

export const exchangeAnswer = z.object({
  at: instant,
  workspace: textOrNull,
  user: textOrNull,
  operation: z.string(),
  route: z.string(),
  mode: textOrNull,
  status: z.number(),
  outcome: z.string(),
  reason: textOrNull,
  duration_ms: z.number(),
  llm: z
    .object({
      provider: z.string(),
      model: textOrNull,
      prompt_tokens: numberOrNull,
      completion_tokens: numberOrNull,
      cost_usd: numberOrNull,
    })
    .nullable(),
});
