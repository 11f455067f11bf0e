import type { Redis } from 'ioredis';
import { z } from 'zod';
import { ownKeyPrefix } from '../../sources/redis/lightrag-keys.ts';
import { listKeys } from '../../sources/redis/redis-connection.ts';

/**
 * How far a restore came, kept in the Redis itself under `ragwarden:restore:<operation>`; it moves in the same transactions
 * as the keys, so it never says more or less than is so.
 *
 * staging → prepared → moving-out (old keys aside) → moving-in (new keys to their names) → committed → finished
 * undo: moving-in, committed → emptying (new keys away) → moving-back; moving-out → moving-back; then nothing is left.
 */
export const markerStates = [
  'staging',
  'prepared',
  'moving-out',
  'moving-in',
  'committed',
  'emptying',
  'moving-back',
  'finished',
] as const;
export type MarkerState = (typeof markerStates)[number];

const markerSchema = z.object({
  state: z.enum(markerStates),
  point: z.string(),
  /** The workspace of the target that it belongs to: several installations may share a server. */
  owner: z.string(),
  /** Of what was staged: lasting keys and their digest. */
  keys: z.coerce.number().optional(),
  digest: z.string().optional(),
});
export type Marker = z.infer<typeof markerSchema>;

export const markerKey = (operationId: string): string => `${ownKeyPrefix}restore:${operationId}`;
export const stagedPrefix = (operationId: string): Buffer => Buffer.from(`${ownKeyPrefix}staged:${operationId}:`);
export const beforePrefix = (operationId: string): Buffer => Buffer.from(`${ownKeyPrefix}before:${operationId}:`);

export const under = (prefix: Buffer, key: Buffer): Buffer => Buffer.concat([prefix, key]);
export const hasBytes = (key: Buffer, prefix: Buffer): boolean => key.subarray(0, prefix.length).equals(prefix);

export async function readMarker(redis: Redis, operationId: string): Promise<Marker | undefined> {
  const found = await redis.hgetall(markerKey(operationId));
  return Object.keys(found).length === 0 ? undefined : markerSchema.parse(found);
}

export const keysUnder = (redis: Redis, prefix: Buffer, signal: AbortSignal): Promise<Buffer[]> =>
  // The names hold nothing that a pattern would take for something else.
  listKeys(redis, (key) => hasBytes(key, prefix), signal, `${prefix.toString()}*`);

/** Operations of this owner that are over and kept the keys of before. */
export async function findKept(redis: Redis, owner: string, signal: AbortSignal): Promise<string[]> {
  const prefix = Buffer.from(markerKey(''));
  const found: string[] = [];
  for (const key of await keysUnder(redis, prefix, signal)) {
    const id = key.subarray(prefix.length).toString();
    const marker = await readMarker(redis, id);
    if (marker?.state === 'finished' && marker.owner === owner) found.push(id);
  }
  return found;
}
