import type { Redis } from 'ioredis';
import { countKey, emptyCensus, type KeyCensus, type Tally } from '../../sources/redis/key-census.ts';
import { findOwner, isOwnKey } from '../../sources/redis/lightrag-keys.ts';
import { scanKeys } from '../../sources/redis/redis-connection.ts';
import type { RedisDetails } from '../../sources/redis/redis-details.ts';
import { findWarnings, type RedisFacts, readFacts } from '../../sources/redis/redis-facts.ts';
import { placeInWords } from '../../sources/redis/redis-place.ts';
import type { ComponentPlan, RestorerRequest } from '../restorer.ts';
import { estimateMemory, freeMemory } from './memory.ts';
import type { OpenedRestore } from './opened-restore.ts';
import { beforePrefix, findKept, hasBytes } from './restore-marker.ts';
import { asideProblem, type KeyScope } from './restore-scope.ts';
import { findRedisServer } from './throwaway-redis.ts';

/** What lies there now, as far as a plan needs it. */
export type LivingKeys = {
  readonly census: KeyCensus;
  /** Keys that the restore replaces. */
  readonly replaced: number;
  /** What earlier restores kept, and the memory it takes; it goes before anything new comes. */
  readonly kept: { readonly keys: number; readonly bytes: number };
  readonly newer: { readonly rows: number; readonly examples: readonly string[] };
};

const mostExamples = 5;

/** Walks over all keys of the database once; what it holds is not read, but for the status of documents. */
export async function surveyKeys(
  redis: Redis,
  details: RedisDetails,
  scope: KeyScope,
  facts: { readonly takenMs: number; readonly kept: readonly Buffer[] },
  signal: AbortSignal,
): Promise<LivingKeys> {
  const census = emptyCensus();
  const seen = new Set<string>();
  let replaced = 0;
  const kept = { keys: 0, bytes: 0 };
  let newerRows = 0;
  const examples: string[] = [];
  for await (const batch of scanKeys(redis, signal)) {
    const fresh = batch.filter((key) => {
      const name = key.toString('latin1');
      return seen.has(name) ? false : Boolean(seen.add(name));
    });
    const memory = redis.pipeline();
    const statuses: Buffer[] = [];
    for (const key of fresh) {
      if (facts.kept.some((prefix) => hasBytes(key, prefix))) {
        kept.keys += 1;
        memory.memory('USAGE', key);
      }
      if (isOwnKey(key)) continue;
      countKey(
        census,
        { database: scope.database, key, bytes: 0, expires: false },
        { database: scope.database, prefixes: details.prefixes },
      );
      if (!scope.replaces(key)) continue;
      replaced += 1;
      const owner = findOwner(key);
      if (owner?.namespace === 'doc_status' && !owner.index) statuses.push(key);
    }
    for (const [, bytes] of (memory.length === 0 ? [] : await memory.exec()) ?? [])
      kept.bytes += typeof bytes === 'number' ? bytes : 0;
    for (const [index, text] of (statuses.length === 0 ? [] : await redis.mget(statuses)).entries()) {
      if (!isNewer(text, facts.takenMs)) continue;
      newerRows += 1;
      if (examples.length < mostExamples) examples.push(idOf(statuses[index]));
    }
  }
  return { census, replaced, kept, newer: { rows: newerRows, examples } };
}

const idOf = (key: Buffer | undefined): string => key?.subarray(key.indexOf(0x3a) + 1).toString() ?? '';

function isNewer(text: string | null, takenMs: number): boolean {
  try {
    const row: unknown = JSON.parse(text ?? '');
    const updated = typeof row === 'object' && row !== null && 'updated_at' in row ? row.updated_at : undefined;
    return typeof updated === 'string' && Date.parse(updated) > takenMs;
  } catch {
    // What the backend cannot read either is nobody's newer document.
    return false;
  }
}

/** @param owner the workspace of the target, as its keys name it */
export async function planRedis(
  { redis, place, details, scope }: OpenedRestore,
  request: RestorerRequest,
  owner: string,
  signal: AbortSignal,
): Promise<ComponentPlan> {
  const server = readFacts(await redis.info());
  const kept = (await findKept(redis, owner, signal)).map(beforePrefix);
  const living = await surveyKeys(redis, details, scope, { takenMs: request.takenMs, kept }, signal);
  const streamBytes = request.component.bytes;
  const needed = estimateMemory(details, scope, streamBytes);
  const limit = freeMemory(server);
  const available = limit === undefined ? undefined : limit + living.kept.bytes;
  return {
    place: placeInWords({ ...place, database: scope.database }),
    method: scope.beside
      ? 'the keys of the point are put beside the living ones, and take their names at once'
      : 'the keys of the point are put beside the living ones, and all change places at once; the old ones are kept aside until the next restore',
    items: planItems(details, scope, living.census),
    bytesIn: streamBytes,
    freeNeededBytes: needed,
    freeAvailableBytes: available ?? null,
    lost: scope.beside ? { rows: 0, examples: [] } : living.newer,
    warnings: [
      ...findWarnings(server).filter(() => server.role !== 'slave'),
      ...(isOlder(server.version, details.redis_version)
        ? [
            `it is a Redis ${server.version}, and the point came from ${details.redis_version}: values may be refused, before anything living is touched`,
          ]
        : []),
      ...(living.kept.keys > 0
        ? [`${living.kept.keys} keys that an earlier restore kept aside go for good before this one begins`]
        : []),
      ...(details.census === null ? ['the keys of the point were not counted when it was taken'] : []),
      ...leftAlone(details, scope, living.census),
    ],
    blockers: findBlockers(server, request, details, scope, living, needed, available),
  };
}

function findBlockers(
  server: RedisFacts,
  request: RestorerRequest,
  details: RedisDetails,
  scope: KeyScope,
  living: LivingKeys,
  needed: number,
  available: number | undefined,
): string[] {
  const problem = asideProblem(request.scope.aside);
  return [
    ...(problem === undefined ? [] : [problem]),
    ...(server.cluster ? ['it is one node of a cluster, which is not supported'] : []),
    ...(server.role === 'slave' ? ['it is a replica, which takes no writes: name its master in REDIS_URI'] : []),
    ...(details.form === 'rdb' && findRedisServer() === undefined
      ? ['redis-server is not installed here, and is needed to read the copy']
      : []),
    ...(available !== undefined && needed > available
      ? [
          `old and new keys are there at once, which takes about ${needed} bytes of memory, and its maxmemory leaves ${available}: raise maxmemory for the restore`,
        ]
      : []),
    ...(scope.beside && living.replaced > 0 ? [`${living.replaced} keys lie in that place already: name another`] : []),
  ];
}

function planItems(details: RedisDetails, scope: KeyScope, living: KeyCensus): ComponentPlan['items'] {
  const items: ComponentPlan['items'][number][] = [];
  for (const [from, to] of scope.workspaces ?? []) {
    const old = living.workspaces[to];
    const coming = details.census?.workspaces[from];
    const names = new Set([...Object.keys(old?.namespaces ?? {}), ...Object.keys(coming?.namespaces ?? {})]);
    for (const name of [...names].sort())
      items.push(itemOf(`${to === '' ? '' : `${to}_`}${name}`, old?.namespaces[name], coming?.namespaces[name]));
  }
  if (living.foreign.keys > 0)
    items.push({
      name: 'other keys',
      action: 'keep',
      reason: 'they are not the backend’s',
      oldBytes: null,
      newBytes: null,
      oldRows: living.foreign.keys,
      newRows: living.foreign.keys,
    });
  return items;
}

function itemOf(name: string, old: Tally | undefined, coming: Tally | undefined): ComponentPlan['items'][number] {
  const [oldRows, newRows] = [old?.keys ?? 0, coming?.keys ?? 0];
  const action = newRows === 0 ? 'remove' : oldRows === 0 ? 'add' : 'replace';
  const reasons = {
    replace: 'the rows of the point take the place of those that are there',
    add: 'the point has rows, and none are there',
    remove: 'the point has no rows of it',
  };
  return { name, action, reason: reasons[action], oldBytes: null, newBytes: coming?.bytes ?? 0, oldRows, newRows };
}

/** Workspaces that are there, and that this restore does not touch. */
function leftAlone(details: RedisDetails, scope: KeyScope, living: KeyCensus): string[] {
  if (scope.beside || scope.workspaces === undefined) return [];
  const taken = new Set(scope.workspaces.values());
  const others = Object.keys(living.workspaces).filter((name) => !taken.has(name));
  const why =
    scope.workspaces.size < Object.keys(details.census?.workspaces ?? {}).length
      ? ''
      : ', of which the point has nothing,';
  return others.length === 0
    ? []
    : [
        `${others.length === 1 ? 'a workspace' : `${others.length} workspaces`}${why} stay as they are: ${others
          .sort()
          .slice(0, 10)
          .map((name) => name || 'the unnamed one')
          .join(', ')}`,
      ];
}

function isOlder(server: string, point: string): boolean {
  const [a, b] = [server, point].map((version) => version.split('.').map(Number));
  const [major = 0, minor = 0] = a ?? [];
  const [pointMajor = 0, pointMinor = 0] = b ?? [];
  return major < pointMajor || (major === pointMajor && minor < pointMinor);
}
