import { isIP } from 'node:net';
import type { Redis } from 'ioredis';
import { describeError } from '../../../platform/errors.ts';
import type { RedisPlace } from './redis-place.ts';

const connectLimitMs = 10_000;
/** A command that is answered later than this is not answered: one chunk of a restore takes far less. */
const commandLimitMs = 120_000;

/**
 * Opens one connection for one piece of work; it is never made anew behind our back, since what was begun on it would be
 * forgotten. The client is loaded only where a Redis is spoken with.
 * @throws what `complain` makes of the cause
 */
export async function openRedis(
  place: RedisPlace,
  signal: AbortSignal,
  complain: (cause: string, err: unknown) => Error,
  /** For connecting and for each command; also lets us in while it loads its data, so that it can say so. */
  limits: { readonly ms?: number } = {},
): Promise<{ readonly redis: Redis; close(): void }> {
  signal.throwIfAborted();
  // The default alone is there in the bundle too, where a module of the older kind has no names of its own.
  const { Redis: Client } = (await import('ioredis')).default;
  const redis = new Client({
    ...(place.path === undefined ? { host: place.host, port: place.port } : { path: place.path }),
    ...(place.username === undefined ? {} : { username: place.username }),
    ...(place.password === undefined ? {} : { password: place.password }),
    db: place.database,
    ...(place.tls === undefined
      ? {}
      : {
          tls: {
            rejectUnauthorized: place.tls.verify,
            ...(isIP(place.host) === 0 ? { servername: place.host } : {}),
            ...(place.tls.ca === undefined ? {} : { ca: place.tls.ca }),
          },
        }),
    lazyConnect: true,
    connectTimeout: limits.ms ?? connectLimitMs,
    commandTimeout: limits.ms ?? commandLimitMs,
    ...(limits.ms === undefined ? {} : { enableReadyCheck: false }),
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    connectionName: 'ragwarden',
  });
  // Each failure also arrives where it is awaited.
  let cause: unknown;
  redis.on('error', (err: unknown) => {
    cause = err;
  });
  const close = (): void => {
    signal.removeEventListener('abort', close);
    redis.disconnect();
  };
  signal.addEventListener('abort', close, { once: true });
  try {
    await redis.connect();
    return { redis, close };
  } catch (err) {
    close();
    signal.throwIfAborted();
    throw complain(describeError(cause ?? err), cause ?? err);
  }
}

/** A batch is in memory at once, with its values; LightRAG keeps whole documents in one. */
const scanCount = 200;

/** Every key of the connection's database in batches; one that stands there all the while comes at least once. */
export async function* scanKeys(redis: Redis, signal: AbortSignal, pattern?: string): AsyncGenerator<Buffer[]> {
  let cursor = '0';
  do {
    signal.throwIfAborted();
    const [next, keys] = await (pattern === undefined
      ? redis.scanBuffer(cursor, 'COUNT', scanCount)
      : redis.scanBuffer(cursor, 'MATCH', pattern, 'COUNT', scanCount));
    cursor = next.toString();
    if (keys.length > 0) yield keys;
  } while (cursor !== '0');
}

/** Every key for which `wants` holds, once. */
export async function listKeys(
  redis: Redis,
  wants: (key: Buffer) => boolean,
  signal: AbortSignal,
  pattern?: string,
): Promise<Buffer[]> {
  const seen = new Map<string, Buffer>();
  for await (const batch of scanKeys(redis, signal, pattern))
    for (const key of batch) if (wants(key)) seen.set(key.toString('latin1'), key);
  return [...seen.values()];
}

/**
 * Whether the server writes dumps of itself in any case. Managed servers refuse to tell.
 */
export async function savesByItself(redis: Redis): Promise<boolean> {
  try {
    const answer: unknown = await redis.config('GET', 'save');
    return Array.isArray(answer) && typeof answer[1] === 'string' && answer[1] !== '';
  } catch {
    return false;
  }
}
