import { join } from 'node:path';
import type { Redis } from 'ioredis';
import type { ChildProcesses } from '../../../platform/child-processes/index.ts';
import type { Clock } from '../../../platform/clock.ts';
import { AppError } from '../../../platform/errors.ts';
import { digestFile } from '../../sources/file-digest.ts';
import { openRedis } from '../../sources/redis/redis-connection.ts';
import type { RedisDetails } from '../../sources/redis/redis-details.ts';
import { readFacts } from '../../sources/redis/redis-facts.ts';
import { placeInWords } from '../../sources/redis/redis-place.ts';
import type { RestorerContext, RestorerRequest } from '../restorer.ts';
import { type ContentDigest, createContentDigest } from './key-digest.ts';
import { removeKeys } from './key-moves.ts';
import { type SuppliedKey, supplyFromLines, supplyFromServer } from './key-supply.ts';
import { estimateMemory, freeMemory } from './memory.ts';
import type { OpenedRestore } from './opened-restore.ts';
import { beforePrefix, findKept, keysUnder, markerKey, stagedPrefix, under } from './restore-marker.ts';
import { startThrowawayRedis } from './throwaway-redis.ts';

/** What earlier restores of this backend kept aside goes now: there is memory for two states, not for three. */
export async function removeLeftovers(
  redis: Redis,
  operationId: string,
  owner: string,
  signal: AbortSignal,
): Promise<void> {
  for (const id of await findKept(redis, owner, signal)) {
    if (id === operationId) continue;
    await removeKeys(redis, await keysUnder(redis, beforePrefix(id), signal));
    await redis.unlink(markerKey(id));
  }
}

/**
 * Puts the keys of the point under names of their own into the living server. What was staged before under this operation
 * is begun anew.
 * @throws AppError `restore/digest-mismatch`, `restore/blocked` (no memory, values refused), `child/missing-program`
 */
export async function stageKeys(
  opened: OpenedRestore,
  request: RestorerRequest,
  context: RestorerContext,
  options: { readonly children: ChildProcesses; readonly clock: Clock; readonly workspace: string },
): Promise<void> {
  const { redis, details, scope } = opened;
  const { operationId } = request;
  const { signal } = context;
  const prefix = stagedPrefix(operationId);
  requireMemory(opened, request, readFacts(await redis.info()));
  const file = await fetchVerified(details, context);
  await context.step('redis:fetched');
  await removeKeys(redis, await keysUnder(redis, prefix, signal));
  await redis.hset(markerKey(operationId), { state: 'staging', point: request.pointId, owner: options.workspace });
  const digest = createContentDigest();
  let rows = 0;
  const put = async (batch: SuppliedKey[], from: Redis | undefined): Promise<void> => {
    await restoreBatch(opened, batch, prefix);
    await (from === undefined
      ? digest.add(
          redis,
          batch.map(({ name }) => ({ at: under(prefix, name), name })),
        )
      : digest.add(
          from,
          batch.map(({ key, name }) => ({ at: key, name })),
        ));
    if (rows === 0) await context.step('redis:staging');
    rows += batch.length;
    context.onProgress?.({ rowsDone: rows });
  };
  if (details.form === 'keys') for await (const batch of supplyFromLines(file, scope)) await put(batch, undefined);
  else
    await withThrowaway(details, operationId, context, options, async (copy) => {
      await context.step('redis:loaded');
      for await (const batch of supplyFromServer(copy, scope, () => options.clock.now(), signal))
        await put(batch, copy);
    });
  requireCounted(details, scope.workspaces, rows);
  await note(redis, operationId, digest);
}

async function note(redis: Redis, operationId: string, digest: ContentDigest): Promise<void> {
  await redis.hset(markerKey(operationId), { state: 'prepared', keys: digest.keys(), digest: digest.hex() });
}

function requireMemory(
  { details, scope, place }: OpenedRestore,
  request: RestorerRequest,
  facts: ReturnType<typeof readFacts>,
): void {
  const needed = estimateMemory(details, scope, request.component.bytes);
  const free = freeMemory(facts);
  if (free !== undefined && needed > free)
    throw new AppError(
      'restore/blocked',
      `The keys of the point take about ${needed} bytes of memory beside the living ones, and maxmemory of ${placeInWords(place)} leaves ${free}: raise it for the restore.`,
    );
}

/** Writes the stream into the scratch folder and holds it against the manifest. */
export async function fetchVerified(details: RedisDetails, context: RestorerContext): Promise<string> {
  const file = join(context.scratchDir, details.stream);
  await context.fetchStream(details.stream, file);
  const { sha256 } = await digestFile(file, { signal: context.signal });
  if (sha256 !== details.sha256)
    throw new AppError('restore/digest-mismatch', 'The captured Redis is not the one that the manifest names.');
  return file;
}

/** A Redis of our own with the copy in it, ended whatever happens. */
export async function withThrowaway<T>(
  details: RedisDetails,
  operationId: string,
  context: RestorerContext,
  options: { readonly children: ChildProcesses },
  work: (redis: Redis) => Promise<T>,
): Promise<T> {
  const server = await startThrowawayRedis({
    children: options.children,
    folder: context.scratchDir,
    dump: details.stream,
    operationId,
    signal: context.signal,
    database: details.database,
  });
  try {
    const { redis, close } = await openRedis(
      server.place,
      context.signal,
      (cause, err) =>
        new AppError('restore/blocked', `The throw-away Redis does not answer: ${cause}.`, { cause: err }),
    );
    try {
      return await work(redis);
    } finally {
      close();
    }
  } finally {
    await server.stop();
  }
}

async function restoreBatch({ redis, place }: OpenedRestore, batch: SuppliedKey[], prefix: Buffer): Promise<void> {
  const pipeline = redis.pipeline();
  for (const { name, dump, expiresAtMs } of batch)
    if (expiresAtMs === undefined) pipeline.restore(under(prefix, name), 0, dump, 'REPLACE');
    else pipeline.restore(under(prefix, name), expiresAtMs, dump, 'REPLACE', 'ABSTTL');
  for (const [failure] of (await pipeline.exec()) ?? [])
    if (failure)
      throw new AppError(
        'restore/blocked',
        /^OOM/.test(failure.message)
          ? `${placeInWords(place)} has no memory left for the keys of the point: raise its maxmemory for the restore.`
          : `${placeInWords(place)} refused a value of the point (${failure.message}): an older Redis does not take values of a newer one.`,
        { cause: failure },
      );
}

/** Keys that end by themselves may be gone by now; apart from those, all that were counted must be there. */
function requireCounted(
  { census }: RedisDetails,
  workspaces: ReadonlyMap<string, string> | undefined,
  rows: number,
): void {
  if (!census) return;
  const expected = Object.entries(census.workspaces)
    .filter(([name]) => workspaces?.has(name) ?? true)
    .flatMap(([, one]) => [...Object.values(one.namespaces), one.indexes])
    .reduce((sum, tally) => sum + tally.keys, 0);
  if (rows < expected - census.expiring || rows > expected + census.prefixed.keys)
    throw new AppError(
      'restore/digest-mismatch',
      `The captured Redis gives ${rows} keys of the backend, where its manifest counts ${expected}.`,
    );
}
