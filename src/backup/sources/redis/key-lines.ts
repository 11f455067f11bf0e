import type { Redis } from 'ioredis';
import { z } from 'zod';
import { countKey, emptyCensus, type KeyCensus } from './key-census.ts';
import { findOwner, hasPrefix } from './lightrag-keys.ts';
import { scanKeys } from './redis-connection.ts';

/** A key as it travels: what DUMP gave, and the instant (epoch milliseconds UTC) at which it ends, if it does. */
export type CarriedKey = { readonly key: Buffer; readonly dump: Buffer; readonly expiresAtMs: number | undefined };

export const keyLinesFormat = 'ragwarden-redis-keys';

const header = z.object({ format: z.literal(keyLinesFormat), version: z.literal(1) });
const base64 = z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/);
const line = z.union([
  z.object({ key: base64, dump: base64, expires_at_ms: z.number().optional() }),
  z.object({ end: z.literal(true), keys: z.number() }),
]);

/**
 * The backend's keys of one database as lines of JSON: a head, one line per key, and an end that counts them. A key that
 * is named twice by the walk is carried once; one that vanishes during the walk is not in it.
 */
export async function* writeKeyLines(
  redis: Redis,
  own: { readonly database: number; readonly prefixes: readonly string[]; readonly only?: string },
  facts: { readonly redisVersion: string; readonly now: () => number; readonly signal: AbortSignal },
): AsyncGenerator<Buffer, KeyCensus> {
  const census = emptyCensus();
  const seen = new Set<string>();
  yield lineOf({ format: keyLinesFormat, version: 1, redis_version: facts.redisVersion, database: own.database });
  let keys = 0;
  for await (const batch of scanKeys(redis, facts.signal)) {
    const wanted: Buffer[] = [];
    for (const key of batch) {
      const name = key.toString('latin1');
      if (seen.has(name)) continue;
      seen.add(name);
      if (isWanted(key, own)) wanted.push(key);
      else if (own.only === undefined)
        countKey(census, { database: own.database, key, bytes: key.length, expires: false }, own);
    }
    for (const { key, dump, expiresAtMs } of await carryKeys(redis, wanted, facts.now)) {
      keys += 1;
      const bytes = key.length + dump.length;
      countKey(census, { database: own.database, key, bytes, expires: expiresAtMs !== undefined }, own);
      yield lineOf({
        key: key.toString('base64'),
        dump: dump.toString('base64'),
        ...(expiresAtMs === undefined ? {} : { expires_at_ms: expiresAtMs }),
      });
    }
  }
  yield lineOf({ end: true, keys });
  return census;
}

/** Of one workspace alone only what its name says. */
function isWanted(key: Buffer, own: { readonly prefixes: readonly string[]; readonly only?: string }): boolean {
  const owner = findOwner(key);
  if (own.only !== undefined) return owner?.workspace === own.only;
  return owner !== undefined || hasPrefix(key, own.prefixes);
}

const lineOf = (value: object): Buffer => Buffer.from(`${JSON.stringify(value)}\n`);

/** Content and end of each key; keys that are gone are left out. */
export async function carryKeys(redis: Redis, keys: readonly Buffer[], now: () => number): Promise<CarriedKey[]> {
  if (keys.length === 0) return [];
  const pipeline = redis.pipeline();
  for (const key of keys) {
    pipeline.dumpBuffer(key);
    pipeline.pttl(key);
  }
  const answers = (await pipeline.exec()) ?? [];
  return keys.flatMap((key, index) => {
    const [failure, dump] = answers[2 * index] ?? [];
    const [, left] = answers[2 * index + 1] ?? [];
    if (failure) throw failure;
    if (!Buffer.isBuffer(dump)) return [];
    return [{ key, dump, expiresAtMs: typeof left === 'number' && left > 0 ? now() + left : undefined }];
  });
}

/**
 * Reads such lines back, in batches.
 * @throws Error when a line is not one of this format, or the end is missing
 */
export async function* readKeyLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<CarriedKey[]> {
  let keys = 0;
  let begun = false;
  let ended = false;
  let rest = '';
  const take = (text: string): CarriedKey | undefined => {
    if (ended) throw new Error('lines follow the end');
    const value: unknown = JSON.parse(text);
    if (!begun) {
      header.parse(value);
      begun = true;
      return undefined;
    }
    const parsed = line.parse(value);
    if ('end' in parsed) {
      if (parsed.keys !== keys) throw new Error(`it holds ${keys} keys and counts ${parsed.keys}`);
      ended = true;
      return undefined;
    }
    keys += 1;
    return {
      key: Buffer.from(parsed.key, 'base64'),
      dump: Buffer.from(parsed.dump, 'base64'),
      expiresAtMs: parsed.expires_at_ms,
    };
  };
  for await (const chunk of chunks) {
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    const batch = lines.flatMap((text) => take(text) ?? []);
    if (batch.length > 0) yield batch;
  }
  if (rest !== '' || !ended) throw new Error('it ends in the middle');
}
