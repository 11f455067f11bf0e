import { z } from 'zod';
import { isoInstant } from '../platform/clock.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { agentRecordRoutes } from './agent-record-routes.ts';
import { monitorRoutes } from './monitor-routes.ts';
import { summaryKeys } from './summary.ts';
import { exchangeBody, exchangeSchema, summaryBody, summarySchema } from './traffic-bodies.ts';
import type { TrafficRouteDeps } from './traffic-route-deps.ts';

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
const windowPattern = /^([1-9]\d{0,6})([smhd]?)$/;
const longestWindowMs = 7 * 86_400_000;

/** `15m`, `24h`, or a number of seconds. */
const windowMsOf = (text: string): number => {
  const [, number = '', unit = ''] = windowPattern.exec(text) ?? [];
  return Math.min(longestWindowMs, Number(number) * (unitSeconds[unit || 's'] ?? 1) * 1_000);
};

const filters = {
  target: z.string().max(100).optional(),
  workspace: z.string().max(200).optional().describe('Empty: the unnamed one.'),
  user: z.string().max(300).optional(),
};

/** What passed the gateway, and what was told by those who did it. */
export const trafficRoutes =
  (deps: TrafficRouteDeps): RoutePlugin =>
  async (app) => {
    const { traffic } = deps;
    const tags = ['traffic'];
    await app.register(monitorRoutes(deps));
    await app.register(agentRecordRoutes(deps));

    app.get(
      '/api/v1/traffic/summary',
      {
        config: { access: 'admin', activity: 'traffic.summary' },
        schema: {
          tags,
          summary: 'Requests, calls of models, times, tokens and cost over a window',
          querystring: z.object({
            window: z
              .string()
              .regex(windowPattern, 'is a number of seconds, or a number followed by s, m, h or d')
              .default('1h')
              .describe('At most 7d. The latest exchanges are kept in memory; `kept_from` tells since when.'),
            by: z.enum(summaryKeys).optional(),
            limit: z.coerce.number().int().min(1).max(500).default(100),
            ...filters,
          }),
          response: { 200: summarySchema },
        },
      },
      async ({ query }) => {
        const summary = traffic.summary({
          windowMs: windowMsOf(query.window),
          by: query.by,
          ...{ targetId: query.target, workspace: query.workspace, user: query.user },
        });
        // Of one process for all: with a filter it would be told of others too.
        const whole = query.target === undefined && query.workspace === undefined && query.user === undefined;
        return summaryBody(summary, {
          by: query.by,
          limit: query.limit,
          backend: whole ? backendBody(deps, summary) : null,
          unpricedModels: traffic.unpricedModels(),
        });
      },
    );

    app.get(
      '/api/v1/traffic/recent',
      {
        config: { access: 'admin', activity: 'traffic.recent' },
        schema: {
          tags,
          summary: 'The latest exchanges, the newest first',
          description: 'Without bodies, queries, keys and addresses: none of them is kept.',
          querystring: z.object({
            limit: z.coerce.number().int().min(1).max(500).default(50),
            failed: z.stringbool().optional().describe('Only those that did not end well.'),
            door: z.enum(['backend', 'llm']).optional(),
            ...filters,
          }),
          response: { 200: z.object({ items: z.array(exchangeSchema), next_cursor: z.null() }) },
        },
      },
      async ({ query }) => {
        const { limit, failed, door, target: targetId, workspace, user } = query;
        const found = traffic.recent({ limit, failed, door, targetId, workspace, user });
        return { items: found.map(exchangeBody), next_cursor: null };
      },
    );
  };

function backendBody(
  { traffic, consumption }: TrafficRouteDeps,
  { keptFromMs, toMs }: { keptFromMs: number; toMs: number },
): z.infer<typeof summarySchema>['backend'] {
  const took = consumption.between(keptFromMs, toMs);
  if (took === undefined) return null;
  const operations = traffic.operationsBetween(took.fromMs, took.toMs);
  const perOperation = (amount: number | undefined): number | null =>
    amount === undefined || operations === 0 ? null : amount / operations;
  return {
    from: isoInstant(took.fromMs),
    to: isoInstant(took.toMs),
    operations,
    cpu_seconds: took.cpuSeconds ?? null,
    read_bytes: took.readBytes ?? null,
    written_bytes: took.writtenBytes ?? null,
    average_rss_bytes: took.residentBytes.average,
    peak_rss_bytes: took.residentBytes.greatest,
    cpu_seconds_per_operation: perOperation(took.cpuSeconds),
    written_bytes_per_operation: perOperation(took.writtenBytes),
  };
}
