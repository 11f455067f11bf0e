import type { ObservedSource } from './observer.ts';

/** Answers `INFO`; a connection made anew when it broke. */
export type AskedRedis = { info(): Promise<string>; close(): void };

/** Clients of a Redis, as the server counts them. */
export function createRedisClientsSource(options: {
  name: string;
  connect(): Promise<AskedRedis>;
}): ObservedSource & { close(): void } {
  const { name, connect } = options;
  let redis: AskedRedis | undefined;
  return {
    name,
    async look() {
      redis ??= await connect();
      try {
        const text = await redis.info();
        const field = (key: string): number => Number(new RegExp(`^${key}:(\\d+)`, 'm').exec(text)?.[1]);
        const [value, upSeconds] = [field('connected_clients'), field('uptime_in_seconds')];
        return Number.isNaN(value + upSeconds) ? [] : [{ subject: name, measure: 'redis_clients', value, upSeconds }];
      } catch (err) {
        redis.close();
        redis = undefined;
        throw err;
      }
    },
    close() {
      redis?.close();
      redis = undefined;
    },
  };
}
