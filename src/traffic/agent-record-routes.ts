import { z } from 'zod';
import { agentMetrics, type Recorder } from '../metrics/index.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { recordedItemsSchema, recordItems, takeItems } from './recorded-items.ts';
import type { Traffic } from './traffic.ts';
import type { TrafficRouteDeps } from './traffic-route-deps.ts';

const who = {
  agent_id: z.string().min(1).max(500),
  workspace_id: z.string().max(200).optional(),
  timestamp: z.iso.datetime({ offset: true }).optional(),
};
const word = z.string().min(1).max(100);
const milliseconds = z.number().min(0).max(86_400_000);
const tokens = z.number().int().min(0).max(1e12);

const itemSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('execution'),
    ...who,
    status: word.default('success'),
    duration_ms: milliseconds,
    metadata: z.record(z.string(), z.unknown()).optional(),
  }),
  z.strictObject({
    kind: z.literal('llm_usage'),
    ...who,
    tokens: tokens.optional(),
    prompt_tokens: tokens.optional(),
    completion_tokens: tokens.optional(),
    cached_tokens: tokens.optional(),
    cost_usd: z.number().min(0).max(1e9).optional(),
    provider: word.optional(),
    model: z.string().min(1).max(200).optional(),
    tier: word.optional(),
    latency_ms: milliseconds.optional(),
  }),
  z.strictObject({
    kind: z.literal('tool_usage'),
    ...who,
    tool: z.string().min(1).max(200),
    duration_ms: milliseconds,
  }),
  z.strictObject({
    kind: z.literal('error'),
    ...who,
    type: word,
    metadata: z.record(z.string(), z.unknown()).optional(),
  }),
]);
type Item = z.infer<typeof itemSchema>;

/** What agents did, told by themselves; their totals are `GET /api/v1/metrics/agents/{id}`. */
export const agentRecordRoutes =
  ({ traffic, recorder }: TrafficRouteDeps): RoutePlugin =>
  async (app) => {
    app.post(
      '/api/v1/metrics/agents/record',
      {
        config: { access: 'service', activity: 'traffic.record-agents' },
        schema: {
          tags: ['metrics'],
          summary: 'Tell what agents did',
          description:
            'Each item has `kind` and `agent_id`, and may have `workspace_id` and `timestamp`. `execution`: `status` (`success` unless told) and `duration_ms`. `llm_usage`: `tokens`, or `prompt_tokens` and `completion_tokens`; `cost_usd`, or `model`, from which it follows by the price table; `tier`, `latency_ms`. `tool_usage`: `tool` and `duration_ms`. `error`: `type`.',
          body: recordItems,
          response: { 200: recordedItemsSchema },
        },
      },
      async ({ body }) => takeItems(body.items, itemSchema, (item) => take(item, recorder, traffic)),
    );
  };

/** @returns what is wrong with it */
function take(item: Item, recorder: Recorder, traffic: Traffic): string | undefined {
  const labels = {
    agent_id: item.agent_id,
    ...(item.workspace_id === undefined ? {} : { workspace_id: item.workspace_id }),
  };
  const atMs = item.timestamp === undefined ? undefined : Date.parse(item.timestamp);
  const record = (
    name: string,
    value: number,
    use: 'counter' | 'timer',
    more: Readonly<Record<string, string>> = {},
    metadata?: Readonly<Record<string, unknown>>,
  ): string | undefined =>
    recorder.record({ name, value, use, labels: { ...labels, ...more }, atMs, metadata })?.detail;

  switch (item.kind) {
    case 'execution':
      return (
        record(agentMetrics.executions, 1, 'counter', { status: item.status }, item.metadata) ??
        record(agentMetrics.duration, item.duration_ms, 'timer')
      );
    case 'llm_usage': {
      const { prompt_tokens, completion_tokens, cached_tokens, model, tier, latency_ms } = item;
      const split = prompt_tokens !== undefined || completion_tokens !== undefined;
      const all = item.tokens ?? (split ? (prompt_tokens ?? 0) + (completion_tokens ?? 0) : undefined);
      if (all === undefined) return '`tokens`, or `prompt_tokens` and `completion_tokens`, are missing';
      const cost =
        item.cost_usd ??
        traffic.priceOf({
          provider: item.provider ?? '',
          model: model ?? null,
          promptTokens: prompt_tokens ?? null,
          completionTokens: completion_tokens ?? null,
          cachedTokens: cached_tokens ?? null,
        });
      const more = { ...(tier === undefined ? {} : { tier }), ...(model === undefined ? {} : { model }) };
      return (
        record(agentMetrics.tokens, all, 'counter', more) ??
        (cost === null ? undefined : record(agentMetrics.cost, cost, 'counter', more)) ??
        (latency_ms === undefined ? undefined : record('agent_llm_latency_ms', latency_ms, 'timer', more))
      );
    }
    case 'tool_usage':
      return record(agentMetrics.toolDuration, item.duration_ms, 'timer', { tool: item.tool });
    case 'error':
      return record(agentMetrics.errors, 1, 'counter', { type: item.type }, item.metadata);
  }
}
