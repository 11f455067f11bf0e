import type { Clock } from '../../platform/clock.ts';
import { describeError } from '../../platform/errors.ts';
import type { CheckResult } from '../health-check.ts';
import { networkReason, rootOf } from './failure.ts';
import { judgeRedis, readInfo } from './judge-redis.ts';

/** One connection for one look. */
export type RedisSession = {
  call(command: string, ...args: readonly string[]): Promise<unknown>;
  close(): void;
};
export type OpenRedis = (signal: AbortSignal) => Promise<RedisSession>;

/** What the server had counted at the look before, so that shares are of the time in between. */
export type RedisCounters = {
  readonly runId: string;
  readonly hits: number;
  readonly misses: number;
  readonly evicted: number;
  readonly commands: number;
  /** Our key was read then, which counts among the hits. */
  readonly probed: boolean;
};

/** Lives as long as nobody takes it back, should we end between set and delete. Seconds. */
const keyLifeSeconds = 60;

/** Looks into a Redis: whether it answers, takes and gives back a key of ours, and what it may do to the keys of the backend. */
export function createRedisLook(options: {
  readonly open: OpenRedis;
  readonly clock: Clock;
  /** Of its own, so that two of us never take each other's key. */
  readonly key: () => string;
}): (signal: AbortSignal) => Promise<Omit<CheckResult, 'atMs'>> {
  const { clock } = options;
  let before: RedisCounters | undefined;

  return async (signal) => {
    let session: RedisSession | undefined;
    try {
      const openedMs = clock.monotonic();
      session = await options.open(signal);
      const { call } = session;
      // A server that cannot save refuses even this, and is still read: what it does not take the probe below tells.
      await call('PING').catch((err: unknown) => {
        if (refusalOf(describeError(rootOf(err))) === undefined) throw err;
      });
      const pingSeconds = (clock.monotonic() - openedMs) / 1_000;
      const info = readInfo(String(await call('INFO')));
      const probe = await probeKey(call, options.key(), clock);
      const { result, counters } = judgeRedis({ info, pingSeconds, probe, before });
      before = counters;
      return result;
    } catch (err) {
      return {
        status: 'unhealthy',
        message: whyNot(err, session === undefined),
        checks: { connection: { status: 'unhealthy', ping_time: null } },
      };
    } finally {
      session?.close();
    }
  };
}

export type KeyProbe = { readonly seconds: number } | { readonly refusal: string };

/** Set with a life of its own, get, delete. */
async function probeKey(call: RedisSession['call'], key: string, clock: Clock): Promise<KeyProbe> {
  const startedMs = clock.monotonic();
  try {
    await call('SET', key, key, 'EX', String(keyLifeSeconds));
    const got = await call('GET', key);
    await call('DEL', key);
    if (got !== key) return { refusal: 'What was written a moment ago does not come back.' };
    return { seconds: (clock.monotonic() - startedMs) / 1_000 };
  } catch (err) {
    const refusal = refusalOf(describeError(rootOf(err)));
    if (refusal === undefined) throw err;
    return { refusal };
  }
}

/** By the first word of the server's error. */
const refusals: Readonly<Record<string, string>> = {
  READONLY: 'It takes no writes: it is a replica, perhaps in the middle of a failover.',
  OOM: 'It is out of memory and refuses writes.',
  MISCONF: 'It refuses writes, since it cannot write to its disk.',
  NOREPLICAS: 'It refuses writes, since too few replicas follow it.',
  NOPERM: 'The user may not write keys of ours (ragwarden:health:*).',
};

const refusalOf = (message: string): string | undefined => refusals[message.split(' ')[0] ?? ''];

/** By the first word of the server's error. */
const closed: Readonly<Record<string, string>> = {
  LOADING: 'It is loading its data and answers nothing yet.',
  MASTERDOWN: 'It is a replica that has lost its primary.',
  NOAUTH: 'It wants a password: put it into REDIS_URI.',
  WRONGPASS: 'It refuses the password: check REDIS_URI.',
  ERR: '',
  NOPERM: 'The user may not ask it how it is (PING, INFO).',
  BUSY: 'A script blocks it.',
  CLUSTERDOWN: 'Its cluster is down.',
};

function whyNot(err: unknown, connecting: boolean): string {
  const root = rootOf(err);
  const text = describeError(root);
  const known = closed[text.split(' ')[0] ?? ''];
  if (known) return known;
  if (/max number of clients/.test(text)) return 'It is out of connections: all that it takes are in use.';
  const reason = networkReason(err);
  if (reason === 'it does not answer' || /Command timed out/.test(text))
    return connecting ? 'It takes the connection, if at all, and says nothing.' : 'It does not answer any more.';
  if (reason !== undefined) return `It cannot be reached: ${reason}.`;
  return connecting ? `It does not let us in: ${text}` : `It answers with an error: ${text}`;
}
