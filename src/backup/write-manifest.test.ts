import { expect, test } from 'vitest';
import type { Observation, Target } from '../targets/index.ts';
import { countMissing } from './count-missing.ts';
import type { Manifest } from './manifest.ts';
import { wholeTarget } from './selection.ts';
import type { SourceKind } from './sources/source.ts';
import { missingComponents } from './write-manifest.ts';

const target = {
  kind: 'lightrag',
  stores: [
    { name: 'workspace', path: '/w' },
    { name: 'inputs', path: '/i' },
  ],
} as unknown as Target;
const folders = ['workspace', 'inputs'].map((name) => ({ name, kind: 'files' as const }));

/** @param storages as the backend's health tells them @param stores captured beside the folders @param held by a command */
function missingOf(
  storages: Record<string, string>,
  stores: readonly { name: string; kind: SourceKind }[] = [],
  held: Readonly<Record<string, string>> = {},
): string[] {
  const observation = { storageClasses: storages } as unknown as Observation;
  const guarded = { target, holderOf: (storage: string) => held[storage] };
  return missingComponents(guarded, [...folders, ...stores], observation, wholeTarget).map(
    ({ name, reason }) => `${name}: ${reason}`,
  );
}

test.each([
  'Neo4JStorage',
  'MemgraphStorage',
  'MilvusVectorDBStorage',
  'MongoDocStatusStorage',
  'OpenSearchKVStorage',
  'StorageOfTheFuture',
])('what lies in %s is named as missing, until a command that was captured says that it holds it', (storage) => {
  const storages = { graph_storage: storage, kv_storage: 'JsonKVStorage' };
  const named = [`graph_storage: the backend keeps it in ${storage}, which is not captured`];
  expect(missingOf(storages)).toEqual(named);
  const command = { name: 'graph', kind: 'command' as const };
  expect(missingOf(storages, [command])).toEqual(named);
  expect(missingOf(storages, [command], { [storage]: 'graph' })).toEqual([]);
  // It is configured, and was not in this point.
  expect(missingOf(storages, [], { [storage]: 'graph' })).toEqual(named);
});

test.each([
  ['QdrantVectorDBStorage', 'qdrant', /no Qdrant \(QDRANT_URL\) of the target was captured/],
  ['RedisKVStorage', 'redis', /no Redis \(REDIS_URI\)/],
  ['PGGraphStorage', 'postgres', /no PostgreSQL/],
] as const)('what lies in %s is missing without the component that holds it', (storage, kind, words) => {
  expect(missingOf({ vector_storage: storage }).join()).toMatch(words);
  expect(missingOf({ vector_storage: storage }, [{ name: kind, kind }])).toEqual([]);
});

test('what a point lacks is counted for the alarm, and what was left out as asked is not', () => {
  const reason = 'the backend keeps it in Neo4JStorage, which is not captured';
  const manifest = {
    missing: [
      { name: 'graph_storage', reason },
      { name: 'config', reason: 'left out as asked (include_config was false)' },
    ],
    components: [{ partial: true }, { partial: false }],
  } as unknown as Manifest;
  expect(countMissing({ manifest })).toBe(2);
  expect(countMissing({ manifest: null })).toBe(0);
});
