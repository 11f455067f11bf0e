import { z } from 'zod';
import { isoInstantOrNull } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { Gateway } from './gateway.ts';
import type { GatewayState } from './ports.ts';

const statusSchema = z.object({
  phase: z.enum(['off', 'running', 'restarting']),
  url: z.string().nullable().describe('Where it listens.'),
  restarts: z.number().int().describe('How often its thread died and was brought back.'),
  looked_at: z.string().nullable().describe('When its thread told last what follows.'),
  connections: z.number().int().nullable(),
  requests_under_way: z.number().int().nullable(),
  connections_refused: z.number().int().nullable().describe('Beyond gateway.max_connections.'),
  requests_unreadable: z.number().int().nullable().describe('What was no HTTP/1.1 that can be read in one way only.'),
  observations_waiting: z.number().int().nullable(),
  observations_dropped: z.number().int().nullable().describe('Since its thread started; there was no room for them.'),
  quota_unanswered: z.number().int().nullable().describe('Requests about which no quota answered in time.'),
  barrier: z
    .object({ holding: z.array(z.string()).describe('Targets whose writes wait.'), waiting: z.number().int() })
    .nullable(),
  upstreams: z.array(
    z.object({
      id: z.string().describe('`target/workspace`.'),
      target_id: z.string(),
      workspace: z.string(),
      path_prefix: z.string().nullable(),
      hosts: z.array(z.string()),
      has_key: z.boolean().describe('Whether holders of a key of ours get one of the backend put in.'),
      state: z
        .enum(['closed', 'open', 'probing', 'unknown'])
        .describe(
          'open: it could not be reached, and is tried again now and then. unknown: nothing went to it yet, or the last did not reach it.',
        ),
    }),
  ),
  providers: z.array(
    z.object({
      id: z.string(),
      api: z.enum(['openai', 'ollama']),
      has_key: z.boolean(),
      state: z.enum(['closed', 'open', 'probing', 'unknown']),
    }),
  ),
});

/** How the gateway fares. Addresses of upstreams and keys are not told. */
export const gatewayRoutes =
  (deps: {
    /** Undefined: nobody listens; `why` says what would have to be set. */
    gateway: Gateway | undefined;
    why: string;
    state(): GatewayState;
  }): RoutePlugin =>
  async (app) => {
    app.get(
      '/api/v1/gateway/status',
      {
        config: { access: 'admin', activity: 'gateway status', problems: ['feature/disabled'] },
        schema: {
          tags: ['gateway'],
          summary: 'The gateway: where it listens, what passes, which backends it reaches',
          response: { 200: statusSchema },
        },
      },
      async () => {
        const { gateway } = deps;
        if (!gateway) throw new AppError('feature/disabled', deps.why);
        const { phase, url, restarts, worker, atMs } = await gateway.status();
        const breakers = new Map(worker?.upstreams.map(({ id, breaker }) => [id, breaker]));
        const { upstreams, providers } = deps.state();
        return {
          phase,
          url,
          restarts,
          looked_at: isoInstantOrNull(atMs),
          connections: worker?.connections ?? null,
          requests_under_way: worker?.exchanges ?? null,
          connections_refused: worker?.refusedConnections ?? null,
          requests_unreadable: worker?.unreadableRequests ?? null,
          observations_waiting: worker?.buffered ?? null,
          observations_dropped: worker?.dropped ?? null,
          quota_unanswered: worker?.unansweredAsks ?? null,
          barrier: worker === null ? null : { holding: [...worker.barrier.holding], waiting: worker.barrier.waiting },
          upstreams: upstreams.map((one) => ({
            id: one.id,
            target_id: one.targetId,
            workspace: one.workspace,
            path_prefix: one.pathPrefix,
            hosts: [...one.hosts],
            has_key: one.apiKey !== null,
            state: breakers.get(one.id) ?? ('unknown' as const),
          })),
          providers: providers.map((one) => ({
            id: one.id,
            api: one.api,
            has_key: one.apiKey !== null,
            state: breakers.get(`llm/${one.id}`) ?? ('unknown' as const),
          })),
        };
      },
    );
  };
