import { join } from 'node:path';
import type { Redis } from 'ioredis';
import type { ChildProcesses } from '../../../platform/child-processes/index.ts';
import type { Clock } from '../../../platform/clock.ts';
import { extractKeys, type TakeKey } from '../../sources/redis/audit-rows.ts';
import { countKey, emptyCensus, type KeyCensus, rowsOf } from '../../sources/redis/key-census.ts';
import { findOwner } from '../../sources/redis/lightrag-keys.ts';
import { stringOfDump } from '../../sources/redis/rdb-keys.ts';
import type { RedisDetails } from '../../sources/redis/redis-details.ts';
import { type RedisFacts, readFacts } from '../../sources/redis/redis-facts.ts';
import type { Rehearsal, RestorerContext, RestorerRequest } from '../restorer.ts';
import { createContentDigest } from './key-digest.ts';
import { supplyFromLines, supplyFromServer } from './key-supply.ts';
import type { KeyScope } from './restore-scope.ts';
import { fetchVerified, withThrowaway } from './stage-keys.ts';

/** Loads the copy into a Redis of our own, counts what came out, and reads the status of every document. */
export async function rehearseRedis(
  request: RestorerRequest,
  details: RedisDetails,
  context: RestorerContext,
  options: {
    readonly children: ChildProcesses;
    readonly clock: Clock;
    readonly workspace: string;
    named(workspace: string): string;
    scopeOf(details: RedisDetails): KeyScope;
  },
): Promise<Rehearsal> {
  const { clock, children } = options;
  const { signal } = context;
  const scope = options.scopeOf(details);
  const phases: { name: string; ms: number }[] = [];
  let since = clock.monotonic();
  const over = (name: string): void => {
    const now = clock.monotonic();
    phases.push({ name, ms: Math.round(now - since) });
    since = now;
  };
  const file = await fetchVerified(details, context);
  over('fetch');
  await context.step('redis:fetched');
  const census = emptyCensus();
  const digest = createContentDigest();
  const problems: string[] = [];
  // Lines of single keys are put into an empty one: that it takes them is what is rehearsed.
  const dump = details.form === 'rdb' ? details.stream : 'empty.rdb';
  let facts: RedisFacts | undefined;
  const look = async (take: TakeKey): Promise<boolean> => {
    facts = await withThrowaway(
      { ...details, stream: dump },
      request.operationId,
      context,
      { children },
      async (redis) => {
        over('start');
        if (details.form === 'keys') {
          for await (const batch of supplyFromLines(file, scope)) {
            const pipeline = redis.pipeline();
            for (const { key, dump: value, expiresAtMs } of batch)
              if (expiresAtMs === undefined) pipeline.restore(key, 0, value, 'REPLACE');
              else pipeline.restore(key, expiresAtMs, value, 'REPLACE', 'ABSTTL');
            for (const [failure] of (await pipeline.exec()) ?? [])
              if (failure) problems.push(`a value was refused: ${failure.message}`);
          }
          over('load');
        }
        await context.step('redis:loaded');
        let unreadable = 0;
        for await (const batch of supplyFromServer(redis, scope, () => clock.now(), signal)) {
          for (const { key, dump: value, expiresAtMs } of batch) {
            countKey(
              census,
              { database: details.database, key, bytes: value.length, expires: expiresAtMs !== undefined },
              details,
            );
            take(key, () => stringOfDump(value));
          }
          await digest.add(
            redis,
            batch.map(({ key }) => ({ at: key, name: key })),
          );
          unreadable += await countUnreadable(
            redis,
            batch.map(({ key }) => key),
          );
        }
        if (unreadable > 0) problems.push(`${unreadable} rows of doc_status are no JSON`);
        over('count');
        return readFacts(await redis.info());
      },
    );
    return true;
  };
  const extracts = await extractKeys(
    {
      folder: join(context.scratchDir, 'audit'),
      name: request.component.name,
      workspace: details.workspace ?? options.workspace,
    },
    look,
  );
  problems.push(...compareCensus(details.census, census, scope));
  const workspace = options.named(request.scope.workspace ?? '') || options.workspace;
  return {
    phases,
    bytes: request.component.bytes,
    counts: rowsOf(census, request.scope.workspace === undefined ? options.workspace : workspace),
    facts: {
      sha256: details.sha256,
      content_digest: digest.hex(),
      keys: digest.keys(),
      redis_version: facts?.version ?? details.redis_version,
    },
    problems,
    extracts,
    // The server has ended; the folder belongs to whoever gave it.
    remove: async () => undefined,
  };
}

async function countUnreadable(redis: Redis, keys: readonly Buffer[]): Promise<number> {
  const statuses = keys.filter((key) => {
    const owner = findOwner(key);
    return owner?.namespace === 'doc_status' && !owner.index;
  });
  if (statuses.length === 0) return 0;
  const texts = await redis.mget([...statuses]);
  return texts.filter((text) => {
    try {
      return typeof JSON.parse(text ?? '') !== 'object';
    } catch {
      return true;
    }
  }).length;
}

/** Namespace by namespace; keys that end by themselves may be missing. */
function compareCensus(expected: KeyCensus | null, found: KeyCensus, scope: KeyScope): string[] {
  if (expected === null) return [];
  return Object.entries(expected.workspaces)
    .filter(([name]) => scope.workspaces?.has(name) ?? true)
    .flatMap(([workspace, { namespaces, indexes }]) =>
      [...Object.entries(namespaces), ['side indexes', indexes] as const].flatMap(([namespace, tally]) => {
        const there = found.workspaces[workspace];
        const keys = (namespace === 'side indexes' ? there?.indexes : there?.namespaces[namespace])?.keys ?? 0;
        return keys > tally.keys || keys < tally.keys - expected.expiring
          ? [
              `${namespace} of ${workspace || 'the unnamed workspace'}: ${keys} keys came back, ${tally.keys} were captured`,
            ]
          : [];
      }),
    );
}
