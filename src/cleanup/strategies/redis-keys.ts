import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { AppError, describeError } from '../../platform/errors.ts';
import { flush } from '../durable.ts';
import { type ContainedInNewestPoint, type KeptItem, mostItems, mostKept, type PlanItem } from '../plan.ts';
import type { NewEntry, OpenQuarantine, QuarantineKind } from '../quarantine.ts';
import type { CleanupStrategy, Outcome } from '../strategy.ts';

/** The backend's Redis, as the settings name it. */
export type CleanupRedis = {
  readonly targetId: string;
  open(signal: AbortSignal): Promise<{ readonly redis: Redis; close(): void }>;
};

const params = z.strictObject({
  pattern: z
    .string()
    .max(200)
    .regex(/^[^*?[\]\\\s]{3,}/, 'must begin with three characters that are no wildcard')
    .describe('As SCAN has it, such as `session:*`.'),
  idle_seconds: z.number().min(0).max(31_536_000).default(86_400),
});

/** What LightRAG keeps there and never gets again: documents, chunks, anchors and their status. */
const documents =
  /(^|_)(full_docs|text_chunks|doc_status|full_entities|full_relations|entity_chunks|relation_chunks)(:|__)/;
/** Without these rows a deletion cannot rebuild what several documents said of one thing. */
const extraction = /_llm_response_cache:[^:]*:(extract|summary|analysis)/;
/** A value is in memory as a whole while it is copied. */
const greatestValue = 64 * 1_024 * 1_024;

/** What was dumped is taken away only while it is still the same: looked at and done in one step of the server. */
const unlinkSame = `if redis.call('DUMP', KEYS[1]) == ARGV[1] then return redis.call('UNLINK', KEYS[1]) end return 0`;

/** Keys by pattern that nobody used for a while. Each is dumped into the quarantine before it goes. */
export function createRedisKeys(deps: {
  redis(): CleanupRedis | undefined;
  contained: ContainedInNewestPoint;
}): CleanupStrategy<z.infer<typeof params>> {
  return {
    name: 'redis-keys',
    about: "Keys of the backend's Redis that fit a pattern and were not used for a while.",
    undo: 'quarantine',
    params,
    missing: () => (deps.redis() ? undefined : noRedis),
    async find({ pattern, idle_seconds }, { signal, nowMs }) {
      const place = deps.redis();
      const items: PlanItem[] = [];
      const kept: KeptItem[] = [];
      let complete = true;
      if (!place) return { items, kept, complete };
      const { redis, close } = await place.open(signal);
      try {
        const contained = await deps.contained({
          ...{ kind: 'redis', targetId: place.targetId, changedMs: nowMs - idle_seconds * 1_000 },
        });
        const seen = new Set<string>();
        let cursor = '0';
        do {
          const [next, keys] = await redis.scanBuffer(cursor, 'MATCH', pattern, 'COUNT', 500);
          cursor = next.toString();
          const fresh = keys.filter((key) => !seen.has(key.toString('latin1')));
          for (const key of fresh) seen.add(key.toString('latin1'));
          for (const [at, facts] of (await factsOf(redis, fresh)).entries()) {
            const key = fresh[at];
            if (!key) continue;
            const what = key.toString('utf8').slice(0, 200);
            const why = whyKept(what, facts, idle_seconds);
            if (why !== undefined) {
              if (kept.length < mostKept) kept.push({ what, why });
            } else if (items.length === mostItems) complete = false;
            else
              items.push({
                ...{ key: key.toString('base64'), what, bytes: facts.bytes, risk: 'medium', contained },
                why: `not used for ${facts.idle} s`,
                seen: { key: key.toString('base64'), idle_seconds },
              });
          }
        } while (cursor !== '0' && complete && !signal.aborted);
      } finally {
        close();
      }
      return { items, kept, complete };
    },
    async begin(_, { signal }) {
      const place = deps.redis();
      if (!place) throw new AppError('feature/disabled', noRedis);
      const { redis, close } = await place.open(signal);
      let file = 0;
      return {
        async carryOut(items, quarantine) {
          file += 1;
          return takeKeys({ redis, items, quarantine, file: `keys-${file}.rdb`, targetId: place.targetId });
        },
        async findLeft(items) {
          const last = items.at(-1);
          if (last && (await redis.exists(Buffer.from(String(last.seen.key), 'base64'))) > 0) return last.what;
          return undefined;
        },
        end: async () => close(),
      };
    },
  };
}

const noRedis = 'No Redis of the backend is named. Set REDIS_URI, or `target.redis` in the settings file.';

type KeyFacts = { readonly idle: number; readonly bytes: number | null; readonly fault: string | undefined };

/** Neither command counts as a use of the key. */
async function factsOf(redis: Redis, keys: readonly Buffer[]): Promise<readonly KeyFacts[]> {
  if (keys.length === 0) return [];
  const pipeline = redis.pipeline();
  for (const key of keys) {
    pipeline.object('IDLETIME', key);
    pipeline.call('MEMORY', 'USAGE', key);
  }
  const answers = (await pipeline.exec()) ?? [];
  return keys.map((_, at) => {
    const [failure, idle] = answers[at * 2] ?? [];
    const [, bytes] = answers[at * 2 + 1] ?? [];
    return {
      idle: typeof idle === 'number' ? idle : 0,
      bytes: typeof bytes === 'number' ? bytes : null,
      fault: failure ? describeError(failure) : undefined,
    };
  });
}

function whyKept(key: string, { idle, bytes, fault }: KeyFacts, idleSeconds: number): string | undefined {
  // With an LFU policy the server keeps no idle times.
  if (fault !== undefined) return `the server does not say how long it is idle: ${fault}`;
  if (documents.test(key)) return 'it holds documents of the backend';
  if (extraction.test(key)) return 'it is extraction work, without which a deletion cannot rebuild what others said';
  if (bytes !== null && bytes > greatestValue) return 'it is too large to be kept in the quarantine';
  return idle < idleSeconds ? `it was used ${idle} s ago` : undefined;
}

async function takeKeys(options: {
  redis: Redis;
  items: readonly PlanItem[];
  quarantine: OpenQuarantine;
  file: string;
  targetId: string;
}): Promise<readonly Outcome[]> {
  const { redis, items, quarantine, targetId } = options;
  const keys = items.map(({ seen }) => Buffer.from(String(seen.key), 'base64'));
  const facts = await factsOf(redis, keys);
  const outcomes: (Outcome | undefined)[] = items.map(({ what, seen }, at) => {
    const one = facts[at];
    const why = one ? whyKept(what, one, Number(seen.idle_seconds)) : 'it is gone';
    return why === undefined ? undefined : { done: false, why };
  });
  const going = items.flatMap((_, at) => (outcomes[at] === undefined ? [at] : []));
  const pipeline = redis.pipeline();
  for (const at of going) {
    pipeline.dumpBuffer(keys[at] ?? '');
    pipeline.pttl(keys[at] ?? '');
  }
  const answers = (await pipeline.exec()) ?? [];
  const dumped: { at: number; dump: Buffer; ttlMs: number; offset: number }[] = [];
  let offset = 0;
  for (const [i, at] of going.entries()) {
    const dump = answers[i * 2]?.[1];
    const ttlMs = answers[i * 2 + 1]?.[1];
    if (!Buffer.isBuffer(dump)) outcomes[at] = { done: false, why: 'it is gone' };
    else {
      dumped.push({ at, dump, ttlMs: typeof ttlMs === 'number' ? ttlMs : -1, offset });
      offset += dump.length;
    }
  }
  const entries = await quarantineDumps(options, dumped, keys, quarantine, targetId);
  const gone: typeof entries = [];
  for (const [i, { at, dump }] of dumped.entries()) {
    try {
      const answer = await redis.eval(unlinkSame, 1, keys[at] ?? '', dump);
      outcomes[at] =
        answer === 1
          ? { done: true, bytes: items[at]?.bytes ?? dump.length }
          : { done: false, why: 'it changed, or went, while it was copied' };
      const entry = entries[i];
      if (answer === 1 && entry) gone.push(entry);
    } catch (err) {
      outcomes[at] = { failed: describeError(err) };
    }
  }
  await quarantine.settle(gone);
  return outcomes.map((one): Outcome => one ?? { done: false, why: 'it is gone' });
}

async function quarantineDumps(
  { items, file }: Parameters<typeof takeKeys>[0],
  dumped: readonly { at: number; dump: Buffer; ttlMs: number; offset: number }[],
  keys: readonly Buffer[],
  quarantine: OpenQuarantine,
  targetId: string,
) {
  if (dumped.length === 0) return [];
  await quarantine.prepare();
  const handle = await open(join(quarantine.folder, file), 'wx', 0o600);
  try {
    for (const { dump } of dumped) await handle.write(dump);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await flush(quarantine.folder);
  const made = await quarantine.announce(
    dumped.map(
      ({ at, dump, ttlMs, offset }): NewEntry => ({
        ...{ kind: 'redis', what: items[at]?.what ?? '', bytes: dump.length },
        data: {
          ...{ target: targetId, key: (keys[at] ?? Buffer.alloc(0)).toString('base64'), ttl_ms: ttlMs },
          ...{ file: join(quarantine.folder, file), offset, length: dump.length },
        },
      }),
    ),
  );
  return [...made];
}

/** Keys come back with their rest of life, and never over a key that is there. */
export function createRedisQuarantine(redisOf: () => CleanupRedis | undefined): QuarantineKind {
  return {
    name: 'redis',
    async restore({ data, what }, signal) {
      const place = redisOf();
      if (!place || place.targetId !== data.target) throw new AppError('feature/disabled', noRedis);
      const file = await open(String(data.file), 'r');
      const dump = Buffer.alloc(Number(data.length));
      try {
        await file.read(dump, 0, dump.length, Number(data.offset));
      } finally {
        await file.close();
      }
      const key = Buffer.from(String(data.key), 'base64');
      const { redis, close } = await place.open(signal);
      try {
        await redis.restore(key, Math.max(0, Number(data.ttl_ms)), dump);
      } catch (err) {
        if (!describeError(err).includes('BUSYKEY')) throw err;
        const there = await redis.dumpBuffer(key);
        if (there?.equals(dump)) return;
        throw new AppError('conflict/state', `${what} is there again, with another value. Remove it first.`);
      } finally {
        close();
      }
    },
    // Its bytes lie in a file with those of others, which goes with the last of the run.
    purge: async () => undefined,
    // In doubt it was: bringing it back finds it unchanged and does nothing.
    wasTaken: async () => true,
  };
}
