import { describeError } from '../../platform/errors.ts';
import { formatBytes } from '../format.ts';
import { fail, type Outcome, ok, warn } from './check.ts';
import { isLoopbackHost, listeningReach } from './listeners.ts';

const connectLimitMs = 4_000;
/** Of `maxmemory`; above it a Redis that evicts nothing will soon refuse writes. */
const nearlyFull = 0.9;

/**
 * What a Redis that holds LightRAG's records may do to them: LightRAG keeps its system of record there without any TTL, so a
 * policy that evicts any key loses documents silently.
 * @param url `redis://` or `rediss://`; never shown, since it may hold a password
 */
export async function lookAtRedis(url: string, signal: AbortSignal): Promise<Outcome[]> {
  const place = placeOf(url);
  if (place === undefined) return [fail('its URL cannot be read', 'Write redis://HOST:PORT/DB.', 'Redis')];
  // Only commands that look at a Redis pay for loading the client.
  // The default alone is there in the bundle too.
  const { Redis } = (await import('ioredis')).default;
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: connectLimitMs,
    commandTimeout: connectLimitMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    connectionName: 'ragwarden-doctor',
  });
  // Each failure also arrives where it is awaited.
  let cause: unknown;
  redis.on('error', (err: unknown) => {
    cause = err;
  });
  const onAbort = (): void => redis.disconnect();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await redis.connect();
    const facts = parseInfo(await redis.info());
    // Managed servers refuse CONFIG; then the append-only file alone is known.
    const saves = await redis.config('GET', 'save').then(
      (answer) => (Array.isArray(answer) ? String(answer[1] ?? '') : undefined),
      () => undefined,
    );
    const exposed = await lookAtExposure(url, place);
    return [...judgeRedis(facts, saves, place), ...(exposed === undefined ? [] : [exposed])];
  } catch (err) {
    signal.throwIfAborted();
    return [
      fail(
        `${place} does not answer as a Redis: ${describeError(cause ?? err)}`,
        'Start it, or check REDIS_URI.',
        'Redis',
      ),
    ];
  } finally {
    signal.removeEventListener('abort', onAbort);
    redis.disconnect();
  }
}

/** Only said where it is bad: a Redis that asks nobody for a password and that other machines reach. */
async function lookAtExposure(url: string, place: string): Promise<Outcome | undefined> {
  const { password, hostname, port } = new URL(url);
  if (password !== '') return undefined;
  if (isLoopbackHost(hostname) && (await listeningReach(Number(port || 6379))) !== 'elsewhere') return undefined;
  return fail(
    `${place} lets everybody in without a password and can be reached from elsewhere`,
    'Set requirepass and put the password into REDIS_URI, or bind it to 127.0.0.1.',
    'Redis access',
  );
}

/** Host and port, without what may be secret. */
function placeOf(url: string): string | undefined {
  const parsed = URL.parse(url);
  return parsed && /^rediss?:$/.test(parsed.protocol)
    ? `${parsed.hostname || 'localhost'}:${parsed.port || '6379'}`
    : undefined;
}

/** `name:value` lines, sections and blanks left out. */
const parseInfo = (info: string): ReadonlyMap<string, string> =>
  new Map(
    info.split(/\r?\n/).flatMap((line): [string, string][] => {
      const colon = line.indexOf(':');
      return line.startsWith('#') || colon < 1 ? [] : [[line.slice(0, colon), line.slice(colon + 1)]];
    }),
  );

/** @param saves the `save` setting: empty when no snapshot is ever written, undefined when it is not told */
export function judgeRedis(facts: ReadonlyMap<string, string>, saves: string | undefined, place: string): Outcome[] {
  return [judgeEviction(facts, place), judgePersistence(facts, saves)];
}

function judgeEviction(facts: ReadonlyMap<string, string>, place: string): Outcome {
  const what = 'Redis eviction';
  const policy = facts.get('maxmemory_policy') ?? 'unknown';
  const limit = Number(facts.get('maxmemory') ?? 0);
  const used = Number(facts.get('used_memory') ?? 0);
  const room = limit > 0 ? `${formatBytes(used)} of ${formatBytes(limit)}` : `${formatBytes(used)}, no maxmemory`;
  const server = `Redis ${facts.get('redis_version') ?? ''} at ${place}: ${policy}, ${room}`;
  if (policy.startsWith('allkeys-'))
    return fail(
      `${server}; when memory is short it deletes any key, and with it documents, silently (LightRAG 1.5.5 and newer refuse to start)`,
      'redis-cli CONFIG SET maxmemory-policy noeviction && redis-cli CONFIG REWRITE',
      what,
    );
  if (limit > 0 && used > limit * nearlyFull)
    return warn(
      `${server}; ${policy === 'noeviction' ? 'writes will be refused soon' : 'records without a TTL stay, so writes will be refused soon'}`,
      'Raise maxmemory: redis-cli CONFIG SET maxmemory …',
      what,
    );
  return ok(server, what);
}

function judgePersistence(facts: ReadonlyMap<string, string>, saves: string | undefined): Outcome {
  const what = 'Redis persistence';
  const appends = facts.get('aof_enabled') === '1';
  if (facts.get('rdb_last_bgsave_status') === 'err' || (appends && facts.get('aof_last_write_status') === 'err'))
    return fail(
      'its last write to disk failed; a restart loses what came since',
      'Free space on its disk and look into its log, then: redis-cli BGSAVE',
      what,
    );
  if (appends) return ok('the append-only file is on', what);
  return saves === ''
    ? warn(
        'neither snapshots nor the append-only file are on: a restart loses everything',
        'redis-cli CONFIG SET appendonly yes && redis-cli CONFIG REWRITE',
        what,
      )
    : warn(
        `${saves === undefined ? 'no append-only file' : `snapshots only (save ${saves})`}: a crash loses what was written since the last one`,
        'redis-cli CONFIG SET appendonly yes && redis-cli CONFIG REWRITE',
        what,
      );
}
