import type { UserUsage } from '../host/index.ts';
import type { Metrics } from '../metrics/index.ts';
import { isoInstant } from '../platform/clock.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { createTraffic, type Traffic, trafficRoutes } from '../traffic/index.ts';
import type { Ground } from './ground.ts';
import type { Watching } from './watching.ts';

export type TrafficWiring = {
  readonly traffic: Traffic;
  readonly trafficRoutes: RoutePlugin;
  /** What a user asked for, as the page of one user shows it. */
  usage(userId: string): UserUsage | undefined;
};

/** What passes is counted, and may be asked for. */
export function createTrafficWiring(ground: Ground, watching: Watching, metrics: Metrics): TrafficWiring {
  const { config, clock, db, events, logOf } = ground;
  const { recorder } = metrics;
  const traffic = createTraffic({
    recorder,
    clock,
    log: logOf('traffic'),
    prices: config.traffic.prices,
    mostKept: config.traffic.maxExchanges,
  });
  const [first] = watching.targets;
  return {
    traffic,
    trafficRoutes: trafficRoutes({
      traffic,
      recorder,
      db,
      events,
      clock,
      consumption: {
        between: (fromMs, toMs) => first && watching.consumptionBetween(first.target.id, fromMs, toMs),
      },
    }),
    usage(userId) {
      const user = traffic.user(userId);
      return (
        user && {
          requests: user.requests,
          errors: user.errors,
          llm_calls: user.llmCalls,
          prompt_tokens: user.promptTokens,
          completion_tokens: user.completionTokens,
          cost_usd: user.costUsd,
          first_seen: isoInstant(user.firstMs),
          last_seen: isoInstant(user.lastMs),
        }
      );
    },
  };
}
