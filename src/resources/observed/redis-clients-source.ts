import type { ObservedSource } from './observer.ts';

/** Answers `INFO`. */
export type AskedRedis = { info(): Promise<string>; close(): void };

/** Clients of a Redis, as the server counts them. Opened for each look: who asks every half minute holds no connection in between. */
export function createRedisClientsSource(options: { name: string; connect(): Promise<AskedRedis> }): ObservedSource {
  const { name, connect } = options;
  return {
    name,
    async look() {
      const redis = await connect();
      try {
        const text = await redis.info();
        const field = (key: string): number => Number(new RegExp(`^${key}:(\\d+)`, 'm').exec(text)?.[1]);
        // The one that asks is none of those that could leak.
        const [value, upSeconds] = [field('connected_clients') - 1, field('uptime_in_seconds')];
        return Number.isNaN(value + upSeconds) ? [] : [{ subject: name, measure: 'redis_clients', value, upSeconds }];
      } finally {
        redis.close();
      }
    },
  };
}
