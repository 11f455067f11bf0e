import { z } from 'zod';
import { type Check, type Subject, skipped } from './check.ts';
import { judgeExtensions, lookAtClients, seePostgres } from './postgres.ts';
import { lookAtQdrant } from './qdrant.ts';
import { lookAtRedis } from './redis.ts';

/** The Redis of the backend, where somebody named one. */
export const targetRedisCheck: Check = {
  id: 'target-redis',
  what: 'Redis',
  async look({ config }, signal) {
    const { redis } = config.targetDatabases;
    return redis === undefined ? skipped('none is configured for the backend') : lookAtRedis(redis.url, signal);
  },
};

/** The Qdrant of the backend. */
export const targetQdrantCheck: Check = {
  id: 'target-qdrant',
  what: 'Qdrant',
  async look({ config, http }, signal) {
    const { qdrant } = config.targetDatabases;
    return qdrant === undefined ? skipped('none is configured for the backend') : lookAtQdrant(http, qdrant, signal);
  },
};

/** The PostgreSQL of the backend, and whether the clients here can dump it. */
export const targetPostgresCheck: Check = {
  id: 'target-postgres',
  what: 'PostgreSQL',
  async look(subject, signal) {
    const { postgres } = subject.config.targetDatabases;
    if (postgres === undefined) return skipped('none is configured for the backend');
    const seen = await seePostgres(postgres, 'PostgreSQL', 'POSTGRES_HOST and its siblings', signal);
    if ('verdict' in seen) return seen;
    const [storages, clients] = await Promise.all([findStorages(subject, signal), lookAtClients(seen, signal)]);
    return [judgeExtensions(seen, storages), clients];
  },
};

const health = z.looseObject({ configuration: z.record(z.string(), z.unknown()).catch({}) });

/** Class names of the backend's storages, as its health tells them to whoever has the key; none when it does not. */
async function findStorages({ config, http }: Subject, signal: AbortSignal): Promise<string[]> {
  const { target } = config;
  if (target?.url === undefined || target.kind !== 'lightrag') return [];
  try {
    const answer = await http.request({
      url: `${target.url.replace(/\/+$/, '')}/health`,
      headers: target.apiKey === undefined ? {} : { 'x-api-key': target.apiKey },
      timeoutMs: 4_000,
      maxBytes: 1024 * 1024,
      signal,
    });
    const { configuration } = health.parse(answer.json());
    return Object.entries(configuration).flatMap(([name, value]) =>
      name.endsWith('_storage') && typeof value === 'string' ? [value] : [],
    );
  } catch {
    // Whether the backend answers is the matter of another check.
    signal.throwIfAborted();
    return [];
  }
}
