import type { KeyCensus, WorkspaceCensus } from '../../sources/redis/key-census.ts';
import type { RedisDetails } from '../../sources/redis/redis-details.ts';
import type { RedisFacts } from '../../sources/redis/redis-facts.ts';
import type { KeyScope } from './restore-scope.ts';

/** A server that told nothing of itself: what lies in memory takes about this much more than what travels. */
const usualRatio = 2;

/**
 * Memory that the keys of the point will take, in bytes, by what its server took for all it held when it was captured. Old
 * and new keys are there at once until the next restore, so all of it comes on top.
 */
export function estimateMemory(details: RedisDetails, scope: KeyScope, streamBytes: number): number {
  const { census, dataset_memory_bytes: dataset } = details;
  if (!census) return dataset ?? streamBytes * usualRatio;
  const wanted = bytesOf(census, scope);
  const all = bytesOf(census, undefined) + census.foreign.bytes;
  // The lines of single keys say nothing of what else the server held.
  const ratio = details.form === 'rdb' && dataset !== null && all > 0 ? dataset / all : usualRatio;
  return Math.ceil(wanted * Math.max(1, ratio));
}

function bytesOf(census: KeyCensus, scope: KeyScope | undefined): number {
  const workspaces = Object.entries(census.workspaces).filter(([name]) => scope?.workspaces?.has(name) ?? true);
  return workspaces.reduce((sum, [, one]) => sum + workspaceTally(one).bytes, census.prefixed.bytes);
}

export function workspaceTally(census: WorkspaceCensus): { keys: number; bytes: number } {
  const all = [...Object.values(census.namespaces), census.indexes];
  return {
    keys: all.reduce((sum, one) => sum + one.keys, 0),
    bytes: all.reduce((sum, one) => sum + one.bytes, 0),
  };
}

/** Undefined: the server has no limit of its own. */
export const freeMemory = (facts: RedisFacts): number | undefined =>
  facts.maxMemory === 0 ? undefined : Math.max(0, facts.maxMemory - facts.usedMemory);
