import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { agentMetrics } from './agents.ts';
import { instant, labelsSchema, matchOf, seriesQuery } from './metric-bodies.ts';
import { metricCategories, recordedTypes } from './metric-definition.ts';
import type { MetricRouteDeps, QuotaNumbers, ResourceNumbers } from './metric-route-deps.ts';
import type { ValueCursor } from './value-history.ts';

const count = z.number().int();
/** Time, block and place of the value before, and the instance as it stands in a URL. */
const cursorPattern = /^(\d{1,16})\.(\d{1,16})\.(\d{1,10})\.((?:[\w.!~*'()-]|%[0-7][0-9A-F])*)$/;
const dayMs = 86_400_000;

const globalSchema = z.object({
  basic_metrics: z.object({
    uptime_seconds: z.number(),
    uptime_formatted: z.string(),
    total_metrics_recorded: count.describe('Values that were recorded since ragwarden started.'),
    global_counters: z.record(z.string(), z.number()).describe('What each recorded counter grew by in 24 hours.'),
    active_agents: count.describe('Agents that were heard of in 24 hours.'),
    metrics_history_size: count.describe('Recorded values that are kept one by one.'),
  }),
  enhanced_metrics: z.object({
    total_metrics: count,
    enabled_metrics: count,
    total_values: count,
    total_aggregations: count,
    active_alerts: count.nullable().describe('That fire; null where alerts are switched off.'),
    alert_rules: count.nullable(),
    collection_stats: z.object({
      total_metrics_collected: count,
      total_aggregations_computed: count,
      total_alerts_triggered: count.nullable(),
      collection_time_ms: z.number().describe('Of the last sampling.'),
      aggregation_time_ms: z.number().describe('Of the last rollup.'),
      alert_evaluation_time_ms: z.number().nullable(),
    }),
    metrics_by_category: z.record(z.string(), count),
    metrics_by_type: z.record(z.string(), count),
  }),
  resource_summary: z
    .object({
      total_resources: count,
      resources_by_type: z.record(z.string(), count),
      resources_by_status: z.record(z.string(), count),
      total_leaks: count,
    })
    .nullable()
    .describe('Null where there is no registry of resources.'),
  quota_status: z
    .object({
      total_quotas: count,
      enforced_quotas: count.describe('The others only count: shadow mode, or switched off.'),
      open_violations: count.describe('Quotas that are exceeded now, those in shadow mode too.'),
      metrics: z
        .object({
          total_checks: count,
          total_violations: count,
          total_warnings: count,
          blocks_enforced: count,
          throttles_enforced: count,
          quota_resets: count,
        })
        .describe('Since ragwarden started.'),
    })
    .nullable()
    .describe('Null where nothing can be limited.'),
  system_health: z.object({ timestamp: z.iso.datetime(), overall_status: z.string() }),
});

const agentSchema = z.object({
  agent_id: z.string(),
  workspace_id: z.string().nullable().describe('Null when there are several, or none.'),
  total_executions: count,
  successful_executions: count,
  failed_executions: count,
  success_rate: z.number().nullable().describe('0 to 1; null before the first execution.'),
  error_rate: z.number().nullable(),
  average_execution_time_ms: z.number().nullable(),
  total_tokens_used: z.number(),
  total_cost_usd: z.number(),
  last_execution_time: z.iso.datetime().nullable(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
});

const valueSchema = z.object({
  timestamp: z.iso.datetime(),
  name: z.string(),
  metric_type: z.enum(recordedTypes),
  category: z.enum(metricCategories),
  agent_id: z.string().nullable(),
  workspace_id: z.string().nullable(),
  labels: labelsSchema,
  value: z.number(),
  unit: z.string(),
  metadata: z.record(z.string(), z.unknown()),
});

const performanceSchema = z.object({
  time_window_minutes: z.number(),
  total_metrics: count.describe('Values that were recorded about agents in the window.'),
  summary: z.object({
    success_rate: z.number().nullable().describe('Share of executions that succeeded, 0 to 1; null without any.'),
  }),
  performance: z.object({
    average_execution_time_ms: z.number().nullable(),
    total_llm_cost_usd: z.number(),
    average_tool_time_ms: z.number().nullable(),
    total_executions: z.number(),
    total_tool_executions: z.number(),
  }),
  timestamp_range: z.object({ start: z.iso.datetime(), end: z.iso.datetime() }),
  message: z.string().optional().describe('Only when nothing was recorded in the window.'),
});

/** Everything at a glance, what agents did, and recorded values one by one. */
export const overviewRoutes =
  (deps: MetricRouteDeps): RoutePlugin =>
  async (app) => {
    const { metrics, clock, requireEnabled, startedMs } = deps;
    const { history, recorder, agents } = metrics;

    /** One number over a stretch of time; undefined when nothing was recorded. */
    const ask = async (
      name: string,
      aggregation: 'sum' | 'average' | 'count',
      fromMs: number,
      match?: Readonly<Record<string, string>>,
    ): Promise<number | undefined> => {
      const { series } = await history.query({ name, aggregation, fromMs, toMs: clock.now(), groupBy: [], match });
      return series[0]?.values[0] ?? undefined;
    };

    app.get(
      '/api/v1/metrics/global',
      {
        preHandler: requireEnabled,
        config: { access: 'scrape', activity: 'metrics.global', problems: ['feature/disabled'] },
        schema: { tags: ['metrics'], summary: 'All metrics at a glance', response: { 200: globalSchema } },
      },
      async () => {
        const nowMs = clock.now();
        const definitions = recorder.definitions();
        const values = await history.countValues();
        const counters = definitions.filter(({ type }) => type === 'counter').slice(0, 100);
        const grown = await Promise.all(
          counters.map(async ({ name }) => [name, (await ask(name, 'sum', nowMs - dayMs)) ?? 0] as const),
        );
        const uptimeSeconds = (nowMs - startedMs) / 1_000;
        const { stats } = history;
        const health = deps.health();
        const alerts = await deps.alerts?.();
        return {
          basic_metrics: {
            uptime_seconds: uptimeSeconds,
            uptime_formatted: formatUptime(uptimeSeconds),
            total_metrics_recorded: recorder.stats.recorded,
            global_counters: Object.fromEntries(grown),
            active_agents: await agents.active(nowMs - dayMs),
            metrics_history_size: values,
          },
          enhanced_metrics: {
            total_metrics: definitions.length,
            enabled_metrics: definitions.filter(({ enabled }) => enabled).length,
            total_values: values,
            total_aggregations: stats.queries + stats.rollUps,
            active_alerts: alerts?.firing ?? null,
            alert_rules: alerts?.rules ?? null,
            collection_stats: {
              total_metrics_collected: recorder.stats.recorded,
              total_aggregations_computed: stats.queries + stats.rollUps,
              total_alerts_triggered: alerts?.triggered ?? null,
              collection_time_ms: stats.samplingMs,
              aggregation_time_ms: stats.rollUpMs,
              alert_evaluation_time_ms: alerts?.evaluationMs ?? null,
            },
            metrics_by_category: countBy(definitions.map(({ category }) => category)),
            metrics_by_type: countBy(definitions.map(({ type }) => type)),
          },
          resource_summary: resourceNumbersBody(deps.resources?.()),
          quota_status: quotaNumbersBody(await deps.quotas?.()),
          system_health: { timestamp: isoInstant(health.atMs), overall_status: health.status },
        };
      },
    );

    app.get(
      '/api/v1/metrics/agents/:agent_id',
      {
        preHandler: requireEnabled,
        config: { access: 'scrape', activity: 'metrics.agent', problems: ['feature/disabled', 'request/not-found'] },
        schema: {
          tags: ['metrics'],
          summary: 'What an agent did, in all',
          params: z.object({ agent_id: z.string().max(1_000) }),
          response: { 200: agentSchema },
        },
      },
      async ({ params }) => {
        const found = await agents.find(params.agent_id);
        const [first] = found;
        if (first === undefined)
          throw new AppError('request/not-found', `Nothing was recorded about an agent ${params.agent_id}.`);
        const sum = (field: 'executions' | 'successes' | 'executionMs' | 'tokens' | 'costUsd'): number =>
          found.reduce((total, one) => total + one[field], 0);
        const executions = sum('executions');
        const successes = sum('successes');
        const lastMs = Math.max(...found.map((one) => one.lastExecutionMs ?? 0));
        return {
          agent_id: first.agentId,
          workspace_id: found.length === 1 && first.workspaceId !== '' ? first.workspaceId : null,
          total_executions: executions,
          successful_executions: successes,
          failed_executions: executions - successes,
          success_rate: executions === 0 ? null : successes / executions,
          error_rate: executions === 0 ? null : 1 - successes / executions,
          average_execution_time_ms: executions === 0 ? null : sum('executionMs') / executions,
          total_tokens_used: sum('tokens'),
          total_cost_usd: sum('costUsd'),
          last_execution_time: isoInstantOrNull(lastMs === 0 ? null : lastMs),
          created_at: isoInstant(Math.min(...found.map((one) => one.createdMs))),
          updated_at: isoInstant(Math.max(...found.map((one) => one.updatedMs))),
        };
      },
    );

    app.get(
      '/api/v1/metrics/history',
      {
        preHandler: requireEnabled,
        config: { access: 'admin', activity: 'metrics.history', problems: ['feature/disabled'] },
        schema: {
          tags: ['metrics'],
          summary: 'Recorded values one by one, newest first',
          querystring: z.object({
            name: z.string().max(200).optional(),
            metric_type: z.enum(recordedTypes).optional(),
            agent_id: z.string().max(1_000).optional(),
            workspace_id: z.string().max(1_000).optional(),
            match: seriesQuery.match,
            from: instant.describe('Inclusive.'),
            to: instant.describe('Inclusive.'),
            limit: z.coerce.number().int().min(1).max(1_000).default(1_000),
            offset: z.coerce.number().int().min(0).max(100_000).default(0),
            cursor: z
              .string()
              .max(300)
              .regex(cursorPattern, 'is the `next_cursor` of a page before')
              .optional()
              .describe('`next_cursor` of the page before; unlike `offset` it is right while values come in.'),
          }),
          response: {
            200: z.object({
              items: z.array(valueSchema),
              next_cursor: z.string().nullable(),
              pagination: z.object({ limit: count, offset: count, total: count.describe('Of this page.') }),
            }),
          },
        },
      },
      async ({ query }) => {
        const { items, next } = await history.values({
          name: query.name,
          type: query.metric_type,
          labels: {
            ...matchOf(query.match),
            ...(query.agent_id === undefined ? {} : { agent_id: query.agent_id }),
            ...(query.workspace_id === undefined ? {} : { workspace_id: query.workspace_id }),
          },
          fromMs: query.from === undefined ? undefined : Date.parse(query.from),
          toMs: query.to === undefined ? undefined : Date.parse(query.to),
          limit: query.limit,
          offset: query.offset,
          cursor: query.cursor === undefined ? undefined : readCursor(query.cursor),
        });
        return {
          items: items.map((one) => ({
            timestamp: isoInstant(one.atMs),
            name: one.name,
            metric_type: one.type,
            category: one.category,
            agent_id: one.labels.agent_id ?? null,
            workspace_id: one.labels.workspace_id ?? null,
            labels: { ...one.labels },
            value: one.value,
            unit: one.unit,
            metadata: { ...one.metadata },
          })),
          next_cursor: next === undefined ? null : writeCursor(next),
          pagination: { limit: query.limit, offset: query.offset, total: items.length },
        };
      },
    );

    app.get(
      '/api/v1/metrics/performance',
      {
        preHandler: requireEnabled,
        config: { access: 'scrape', activity: 'metrics.performance', problems: ['feature/disabled'] },
        schema: {
          tags: ['metrics'],
          summary: 'How agents performed lately',
          querystring: z.object({ time_window_minutes: z.coerce.number().int().min(1).max(1_440).default(60) }),
          response: { 200: performanceSchema },
        },
      },
      async ({ query }) => {
        const toMs = clock.now();
        const fromMs = toMs - query.time_window_minutes * 60_000;
        const { executions, duration, cost, toolDuration } = agentMetrics;
        const total = await ask(executions, 'sum', fromMs);
        const succeeded = (await ask(executions, 'sum', fromMs, { status: 'success' })) ?? 0;
        const timed = await ask(duration, 'count', fromMs);
        const tools = await ask(toolDuration, 'count', fromMs);
        const paid = await ask(cost, 'sum', fromMs);
        const recorded = (total ?? 0) + (timed ?? 0) + (tools ?? 0);
        return {
          time_window_minutes: query.time_window_minutes,
          total_metrics: Math.round(recorded),
          summary: { success_rate: total ? succeeded / total : null },
          performance: {
            average_execution_time_ms: (await ask(duration, 'average', fromMs)) ?? null,
            total_llm_cost_usd: paid ?? 0,
            average_tool_time_ms: (await ask(toolDuration, 'average', fromMs)) ?? null,
            total_executions: total ?? 0,
            total_tool_executions: tools ?? 0,
          },
          timestamp_range: { start: isoInstant(fromMs), end: isoInstant(toMs) },
          ...(recorded === 0 && !paid ? { message: 'Nothing was recorded about agents in this window.' } : {}),
        };
      },
    );
  };

const resourceNumbersBody = (numbers: ResourceNumbers | undefined): z.infer<typeof globalSchema>['resource_summary'] =>
  numbers === undefined
    ? null
    : {
        total_resources: numbers.tracked,
        resources_by_type: { ...numbers.byType },
        resources_by_status: { ...numbers.byStatus },
        total_leaks: numbers.leaks,
      };

const quotaNumbersBody = (numbers: QuotaNumbers | undefined): z.infer<typeof globalSchema>['quota_status'] =>
  numbers === undefined
    ? null
    : {
        total_quotas: numbers.quotas,
        enforced_quotas: numbers.enforced,
        open_violations: numbers.open,
        metrics: {
          total_checks: numbers.checks,
          total_violations: numbers.violations,
          total_warnings: numbers.warnings,
          blocks_enforced: numbers.blocks,
          throttles_enforced: numbers.throttles,
          quota_resets: numbers.resets,
        },
      };

const countBy = (words: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
};

function formatUptime(seconds: number): string {
  const whole = Math.floor(seconds);
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3_600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  return `${days > 0 ? `${days}d ` : ''}${hours}h ${minutes}m ${whole % 60}s`;
}

const writeCursor = ({ atMs, startMs, index, instance }: ValueCursor): string =>
  `${atMs}.${startMs}.${index}.${encodeURIComponent(instance)}`;

function readCursor(text: string): ValueCursor {
  const [, atMs, startMs, index, instance = ''] = cursorPattern.exec(text) ?? [];
  return { atMs: Number(atMs), startMs: Number(startMs), index: Number(index), instance: decodeURIComponent(instance) };
}
