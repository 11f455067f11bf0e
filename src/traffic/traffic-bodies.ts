import { z } from 'zod';
import { isoInstant } from '../platform/clock.ts';
import type { Distribution } from './distribution.ts';
import type { Exchange } from './exchange.ts';
import { type SummaryKey, summaryKeys, type TrafficRow } from './summary.ts';
import type { TrafficSummary } from './traffic.ts';

const count = z.number().int();
const number = z.number().nullable();

const distributionSchema = z
  .object({ count, avg: number, min: number, max: number, p50: number, p95: number, p99: number })
  .describe('Exact, over all that is kept of the window; null when there is none.')
  .meta({ id: 'TrafficDistribution' });

const rowFields = {
  requests: count.describe('To the backend.'),
  done: count.describe('Answered, also with an answer without context.'),
  errors: count.describe('Failures of the backend, also those inside an answer of status 200.'),
  error_rate: number.describe('Of what was done or failed, 0 to 1; null without either.'),
  client_errors: count.describe('Asked wrongly, as the backend says.'),
  refused: count.describe('By the gateway, before the backend saw them.'),
  cancelled: count.describe('Left before the answer was complete.'),
  empty: count.describe('Answers without context.'),
  throughput_per_second: z
    .number()
    .describe(
      'Of what was done, over the part of the window that is kept; from the first that is counted where that is earlier.',
    ),
  request_bytes: z.number(),
  response_bytes: z.number(),
  duration_ms: distributionSchema,
  first_byte_ms: distributionSchema,
  first_content_ms: distributionSchema,
  llm: z.object({
    calls: count,
    errors: count,
    error_rate: number,
    rate_limited: count,
    retries: count.describe('The same call again within two minutes after it failed.'),
    tokens: z.object({ prompt: count, completion: count, cached: count.describe('Part of the prompt tokens.') }),
    calls_without_tokens: count.describe('Answered without a word about tokens.'),
    cost_usd: z.number(),
    calls_without_price: count.describe('With tokens of a model that the price table does not name.'),
    duration_ms: distributionSchema,
    first_token_ms: distributionSchema,
  }),
};
const rowSchema = z.object(rowFields).meta({ id: 'TrafficRow' });
const itemSchema = z.object({ key: z.string(), ...rowFields }).meta({ id: 'TrafficGroup' });

export const summarySchema = z
  .object({
    from: z.iso.datetime(),
    to: z.iso.datetime(),
    window_seconds: z.number(),
    kept_from: z.iso.datetime().describe('Later than `from` where what passed earlier is no longer kept here.'),
    complete: z.boolean().describe('Nothing of the window is missing.'),
    by: z.enum(summaryKeys).nullable(),
    total: rowSchema,
    items: z.array(itemSchema).describe('Those with the most requests and calls first.'),
    left_out: count.describe('Groups beyond the limit.'),
    backend: z
      .object({
        from: z.iso.datetime().describe('Of the first reading that counts.'),
        to: z.iso.datetime(),
        operations: count.describe('Queries, searches and inserts in that time.'),
        cpu_seconds: number,
        read_bytes: number.describe('From disk.'),
        written_bytes: number,
        average_rss_bytes: z.number(),
        peak_rss_bytes: z.number(),
        cpu_seconds_per_operation: number.describe(
          'Of all the process took, idle time and documents in the background included.',
        ),
        written_bytes_per_operation: number,
      })
      .nullable()
      .describe("What the backend's process took; null where it is not seen on this machine."),
    unpriced_models: z.array(z.string()).describe('Since the start.'),
  })
  .meta({ id: 'TrafficSummary' });

const distributionBody = ({ count: n, avg, min, max, p50, p95, p99 }: Distribution) => ({
  ...{ count: n, avg, min, max, p50, p95, p99 },
});

const rowBody = (row: TrafficRow, seconds: number): z.infer<typeof rowSchema> => ({
  requests: row.requests,
  done: row.done,
  errors: row.errors,
  error_rate: row.errorRate,
  client_errors: row.clientErrors,
  refused: row.refused,
  cancelled: row.cancelled,
  empty: row.empty,
  throughput_per_second: seconds > 0 ? row.done / seconds : 0,
  request_bytes: row.requestBytes,
  response_bytes: row.responseBytes,
  duration_ms: distributionBody(row.durationMs),
  first_byte_ms: distributionBody(row.firstByteMs),
  first_content_ms: distributionBody(row.firstContentMs),
  llm: {
    calls: row.llm.calls,
    errors: row.llm.errors,
    error_rate: row.llm.errorRate,
    rate_limited: row.llm.rateLimited,
    retries: row.llm.retries,
    tokens: { prompt: row.llm.promptTokens, completion: row.llm.completionTokens, cached: row.llm.cachedTokens },
    calls_without_tokens: row.llm.callsWithoutTokens,
    cost_usd: row.llm.costUsd,
    calls_without_price: row.llm.callsWithoutPrice,
    duration_ms: distributionBody(row.llm.durationMs),
    first_token_ms: distributionBody(row.llm.firstTokenMs),
  },
});

export function summaryBody(
  summary: TrafficSummary,
  told: {
    by: SummaryKey | undefined;
    limit: number;
    backend: z.infer<typeof summarySchema>['backend'];
    unpricedModels: readonly string[];
  },
): z.infer<typeof summarySchema> {
  const { fromMs, toMs, keptFromMs, countedFromMs, total, groups } = summary;
  const seconds = (toMs - countedFromMs) / 1_000;
  return {
    from: isoInstant(fromMs),
    to: isoInstant(toMs),
    window_seconds: (toMs - fromMs) / 1_000,
    kept_from: isoInstant(keptFromMs),
    complete: keptFromMs <= fromMs,
    by: told.by ?? null,
    total: rowBody(total, seconds),
    items: groups.slice(0, told.limit).map(({ key, row }) => ({ key, ...rowBody(row, seconds) })),
    left_out: Math.max(0, groups.length - told.limit),
    backend: told.backend,
    unpriced_models: [...told.unpricedModels],
  };
}

export const exchangeSchema = z
  .object({
    at: z.iso.datetime().describe('When it began.'),
    source: z.enum(['gateway', 'recorded']),
    door: z.enum(['backend', 'llm']),
    target_id: z.string().nullable(),
    workspace: z.string().nullable(),
    user: z.string().nullable(),
    key_id: z.string().nullable(),
    operation: z.enum(['query', 'search', 'insert', 'admin', 'read', 'llm', 'unknown']),
    route: z.string(),
    mode: z.string().nullable(),
    stream: z.boolean(),
    status: count.describe('0 when the caller left before it.'),
    outcome: z.string(),
    reason: z.string().nullable(),
    request_bytes: z.number(),
    response_bytes: z.number(),
    first_byte_ms: number,
    first_content_ms: number,
    duration_ms: z.number(),
    track_id: z.string().nullable(),
    added_parameters: z
      .array(z.string())
      .describe('Fields that the gateway put into a query whose caller left them open.'),
    llm: z
      .object({
        provider: z.string(),
        call: z.enum(['chat', 'completion', 'embeddings', 'rerank', 'other']),
        model: z.string().nullable(),
        role: z.string().nullable(),
        prompt_tokens: count.nullable(),
        completion_tokens: count.nullable(),
        cached_tokens: count.nullable(),
        first_token_ms: number,
        dimension: count.nullable(),
        cost_usd: number.describe('Null where no price or no token is known.'),
        retry: z.boolean(),
        retry_after_ms: number,
      })
      .nullable(),
  })
  .meta({ id: 'TrafficExchange' });

export const exchangeBody = (one: Exchange): z.infer<typeof exchangeSchema> => ({
  at: isoInstant(one.atMs),
  source: one.source,
  door: one.door,
  target_id: one.targetId,
  workspace: one.workspace,
  user: one.subject,
  key_id: one.keyId,
  operation: one.operation,
  route: one.route,
  mode: one.mode,
  stream: one.stream,
  status: one.status,
  outcome: one.outcome,
  reason: one.reason,
  request_bytes: one.requestBytes,
  response_bytes: one.responseBytes,
  first_byte_ms: one.firstByteMs,
  first_content_ms: one.firstContentMs,
  duration_ms: one.totalMs,
  track_id: one.trackId,
  added_parameters: [...(one.added ?? [])],
  llm: one.llm && {
    provider: one.llm.provider,
    call: one.llm.call,
    model: one.llm.model,
    role: one.llm.role,
    prompt_tokens: one.llm.promptTokens,
    completion_tokens: one.llm.completionTokens,
    cached_tokens: one.llm.cachedTokens,
    first_token_ms: one.llm.firstTokenMs,
    dimension: one.llm.dimension,
    cost_usd: one.costUsd,
    retry: one.retry,
    retry_after_ms: one.llm.retryAfterMs,
  },
});
