import { describe, expect, test } from 'vitest';
import type { Observation, Target } from '../targets/index.ts';
import { countMissing } from './count-missing.ts';
import type { Manifest } from './manifest.ts';
import type { RecoveryPoint } from './point.ts';
import { wholeTarget } from './selection.ts';
import type { SourceKind } from './sources/source.ts';
import { emptiedComponents, missingComponents } from './write-manifest.ts';

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

describe('a folder that is empty now', () => {
  type Part = { name: string; files: number };
  type Missing = { name: string; reason: string };
  const pointOf = (id: string, components: Part[], missing: Missing[] = []): RecoveryPoint =>
    ({ id, manifest: { components, missing } }) as unknown as RecoveryPoint;
  const whole = pointOf('whole', [
    { name: 'workspace', files: 12 },
    { name: 'inputs', files: 3 },
  ]);
  const now = [
    { name: 'workspace', kind: 'files' as const, files: 0 },
    { name: 'inputs', kind: 'files' as const, files: 0 },
  ];
  const seen = (processed: number, storage = 'JsonDocStatusStorage'): Observation =>
    ({ documents: { processed }, storageClasses: { doc_status_storage: storage } }) as unknown as Observation;
  const onPurpose = 'where it was emptied on purpose, any file in it (an empty one named .keep) says so';
  const workspace = { name: 'workspace', reason: `its folder is empty, while whole held 12 files of it; ${onPurpose}` };
  const inputs = { name: 'inputs', reason: `its folder is empty, while whole held 3 files of it; ${onPurpose}` };

  test('is missing when the point before held files of it, and not when there was none', () => {
    expect(emptiedComponents(now, { previous: whole, lastGood: whole, observation: seen(100) })).toEqual([
      workspace,
      inputs,
    ]);
    expect(emptiedComponents(now, { previous: undefined, lastGood: undefined, observation: undefined })).toEqual([]);
  });

  test('is missing from every point after that one too, while inputs are told once', () => {
    const after = pointOf('after', [...now], [workspace, inputs]);
    expect(emptiedComponents(now, { previous: after, lastGood: whole, observation: seen(100) })).toEqual([workspace]);
    expect(emptiedComponents(now, { previous: after, lastGood: undefined, observation: undefined })).toEqual([
      workspace,
    ]);
  });

  test('is missing also when the backend, started on it, tells of no document', () => {
    const before = { previous: whole, lastGood: whole };
    expect(emptiedComponents(now, { ...before, observation: seen(0) })).toEqual([workspace, inputs]);
    const empty = { documents: {} } as unknown as Observation;
    expect(emptiedComponents(now, { ...before, observation: empty })).toEqual([workspace, inputs]);
    // Somebody who means it puts a file there.
    const kept = [{ name: 'workspace', kind: 'files' as const, files: 1 }];
    expect(emptiedComponents(kept, { ...before, observation: seen(0) })).toEqual([]);
  });

  test('was cleared when the backend tells of no document out of a database, or has its own files still', () => {
    const before = { previous: whole, lastGood: whole };
    expect(emptiedComponents(now, { ...before, observation: seen(0, 'PGDocStatusStorage') })).toEqual([]);
    expect(emptiedComponents(now, { ...before, observation: seen(7, 'PGDocStatusStorage') })).toHaveLength(2);
    const cleared = now.map((one) => (one.name === 'workspace' ? { ...one, files: 9 } : one));
    expect(emptiedComponents(cleared, { ...before, observation: seen(0) })).toEqual([]);
    expect(emptiedComponents(cleared, { ...before, observation: seen(7) })).toEqual([inputs]);
  });
});
