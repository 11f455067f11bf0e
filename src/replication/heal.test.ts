import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Repository } from '../backup/index.ts';
import { createEventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import type { OperationContext } from '../operations/index.ts';
import { AppError } from '../platform/errors.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { systemRandom } from '../platform/ids.ts';
import { silentLogger } from '../platform/logging.ts';
import { heal } from './heal.ts';
import { readOverview } from './overview.ts';
import type { Place } from './places/place.ts';
import { createRepositoryPlace } from './places/repository-place.ts';
import { pruneReplica } from './prune-replica.ts';
import type { Replica } from './replica.ts';
import type { ReplicationDeps } from './replication-deps.ts';
import { createReplicationStore } from './replication-store.ts';
import { syncReplica } from './sync-replica.ts';
import { verifyReplica } from './verify-replica.ts';

const pack = 'a'.repeat(64);
/** Of a repository what is asked here; every snapshot of it lies at the other one too. */
const repository = (id: string, findings: string[] = []) => ({
  location: { kind: 'folder', display: id },
  open: async () => ({ state: 'ok' as const, id, formatVersion: 2 }),
  check: vi.fn(async () => ({ ok: findings.length === 0, findings })),
  snapshots: async () => [{ id: `${id}-1`, tree: 't1', tags: ['rp:a', 'manifest'] }],
  removeOwnStaleLocks: async () => ({ removed: [], remaining: [] }),
  usersOfPacks: async () => [`${id}-1`],
  forget: vi.fn(async () => ({ forgotten: 1 })),
  mendIndex: vi.fn(async () => ({ moved: [pack] })),
  prune: vi.fn(async () => ({ freedBytes: 0 })),
  copyFrom: vi.fn(async ({ onProgress }: Pick<Parameters<Repository['copyFrom']>[0], 'onProgress' | 'snapshotIds'>) => {
    onProgress?.({ bytesDone: 300, bytesTotal: null });
    return { durationMs: 0, bytes: 400 };
  }),
});
type Fake = ReturnType<typeof repository>;

let state: TestState;
beforeEach(async () => {
  state = await openTestState();
});
afterEach(() => state.remove());

const replica = { id: 'far', offline: false, limitKiB: null } as Replica;
const context = {
  ...{ id: 'op', epoch: 1, signal: new AbortController().signal, log: silentLogger, phase: async () => undefined },
  ...{ progress: () => undefined, markPartial: () => undefined, checkHeld: async () => undefined },
} satisfies OperationContext;

function given(source: Fake, there: Fake, more: Partial<ReplicationDeps> = {}): ReplicationDeps {
  const [here, copy] = [source, there] as unknown as Repository[];
  const clock = createFakeClock();
  return {
    ...{ db: state.db, store: createReplicationStore(state.db), clock, random: systemRandom, log: silentLogger },
    events: createEventLog({ db: state.db, clock, instance: 'test' }),
    source: here,
    openPlace: async () =>
      createRepositoryPlace({ source: here as Repository, repository: copy as Repository, folder: undefined }),
    ...{
      sourceUnsound: async () => undefined,
      asideDir: '/nowhere',
      broughtDir: '/nowhere',
      step: async () => undefined,
      targetIds: [],
    },
    settings: () => ({ keepForgottenMs: 0 }),
    ...more,
    // Of what replication is given, what these pieces of work use.
  } as unknown as ReplicationDeps;
}

test.each(['target', 'source'] as const)(
  'what is the repository itself by another way is no copy: %s is not healed from it',
  async (damaged) => {
    const [source, there] = [repository('same', [`pack ${pack}: x`]), repository('same', [`pack ${pack}: x`])];
    await expect(heal(given(source, there), replica, { damaged }, context)).rejects.toMatchObject({
      code: 'repository/invalid-location',
    });
    for (const one of [source, there]) expect(one.forget).not.toHaveBeenCalled();
  },
);

test('nothing is dropped where the other side is damaged by the books, or as soon as it is read', async () => {
  const damage = [`pack ${pack}: does not exist`];
  const [source, there] = [repository('here', damage), repository('there', damage)];
  const unsound = given(source, there, { sourceUnsound: async () => 'The repository is damaged.' });
  const deps = given(source, there);
  for (const [given, damaged] of [[unsound, 'target'] as const, [deps, 'target'] as const, [deps, 'source'] as const])
    await expect(heal(given, replica, { damaged }, context)).rejects.toMatchObject({
      code: 'replication/source-unsound',
    });
  // Nothing but what was told of it before speaks against it.
  there.check.mockResolvedValue({ ok: true, findings: [] });
  await state.db.unit((tx) => deps.store.changeState(tx, 'far', { findings: damage }));
  await expect(heal(deps, replica, { damaged: 'source' }, context)).rejects.toMatchObject({
    code: 'replication/source-unsound',
  });
  for (const one of [source, there])
    for (const change of [one.forget, one.mendIndex, one.prune, one.copyFrom]) expect(change).not.toHaveBeenCalled();
});

test('a heal that is killed before it is over leaves the copy told as damaged', async () => {
  const deps = given(repository('here'), repository('there', [`pack ${pack}: does not exist`]), {
    step: () => Promise.reject(new Error('killed')),
  });
  await expect(heal(deps, replica, { damaged: 'target' }, context)).rejects.toThrow('killed');
  expect((await deps.store.states()).get('far')).toMatchObject({
    status: 'degraded',
    findings: [expect.stringContaining(pack)],
  });
});

test('a heal mends damage and no conflict: that is told afterwards as before', async () => {
  const there = repository('there', [`pack ${pack}: does not exist`]);
  const deps = given(repository('here'), there, {
    // Read again it is sound.
    step: async () => void there.check.mockResolvedValue({ ok: true, findings: [] }),
  });
  const [stateOf, conflict] = [async () => (await deps.store.states()).get('far'), 'p1 is two points'];
  const failed = { status: 'degraded' as const, error: 'it is full', failuresInRow: 2 };
  await state.db.unit((tx) => deps.store.changeState(tx, 'far', { ...failed, conflict }));
  await heal(deps, replica, { damaged: 'target' }, context);
  expect(await stateOf()).toMatchObject({ status: 'degraded', error: conflict, conflict, findings: [] });
  await state.db.unit((tx) => deps.store.changeState(tx, 'far', { ...failed, conflict: null }));
  await heal(deps, replica, { damaged: 'target' }, context);
  expect(await stateOf()).toMatchObject({ status: 'healthy', error: null, failuresInRow: 0 });
});

test.each([
  ['what lies here', 't1', null, []],
  ['the catalogue', undefined, 't1', []],
  ['neither', undefined, null, ['m', 's']],
  ['the catalogue, as the one that is there', undefined, 't2', ['m', 's']],
])(
  'a heal brings no other point of the same id, and which is the own one is told by %s',
  async (_, here, treeId, brought) => {
    const [source, there] = [repository('here'), repository('there')];
    const snapshots = here === undefined ? [] : [{ id: 'here-1', tree: here, tags: ['rp:a', 'manifest'] }];
    const foreign = [
      { id: 'm', tree: 't2', tags: ['rp:a', 'manifest'] },
      { id: 's', tree: 't3', tags: ['rp:a', 'stream:db.dump'] },
    ];
    const deps = given(
      { ...source, snapshots: async () => snapshots },
      { ...there, snapshots: async () => foreign },
      {
        // Of the catalogue, what a heal asks.
        points: { find: async () => ({ forgottenMs: null, treeId }) } as unknown as ReplicationDeps['points'],
        onSourceHealed: async () => undefined,
      },
    );
    const { backup_ids: ids } = await heal(deps, replica, { damaged: 'source' }, context);
    const copied = source.copyFrom.mock.calls.flatMap(([{ snapshotIds }]) => snapshotIds ?? []);
    expect([copied.sort(), ids]).toEqual([brought, brought.length > 0 ? ['a'] : []]);
  },
);

test('a heal shows the bytes while they come back; how many they were is told by operation, log and event', async () => {
  const there = repository('there', [`pack ${pack}: does not exist`]);
  let copies = 0;
  const deps = given(repository('here'), there, {
    // Sound after the second round.
    async step(name) {
      if (name === 'heal:copied' && ++copies === 2) there.check.mockResolvedValue({ ok: true, findings: [] });
    },
  });
  const progress = vi.fn();
  const result = await heal(deps, replica, { damaged: 'target' }, { ...context, progress });
  // Of each round a manifest.
  expect(progress.mock.calls.map(([{ bytesDone }]) => bytesDone)).toEqual([300, 400, 700, 800]);
  expect(result).toMatchObject({ rounds: 3, bytes: 800 });
  expect(await deps.store.log({ type: 'heal', limit: 1 })).toMatchObject([{ status: 'validated', bytes: 800 }]);
  const events = createEventLog({ db: state.db, clock: deps.clock, instance: 'test' });
  expect(await events.list({ types: ['replication.healed'], limit: 1 })).toMatchObject([{ data: { bytes: 800 } }]);
});

test('another repository than the one that was copied to is not healed', async () => {
  const deps = given(repository('here'), repository('there', [`pack ${pack}: x`]));
  await state.db.unit((tx) => deps.store.changeState(tx, 'far', { repositoryId: 'the one before' }));
  await expect(heal(deps, replica, { damaged: 'target' }, context)).rejects.toMatchObject({
    code: 'repository/replaced',
  });
});

test('damage that was found stays found over copies and shares without damage, until everything was read', async () => {
  const place: Partial<Place> = {
    look: async () => ({ repositoryId: 'r', storedBytes: 1 }),
    plan: async () => ({ copy: [], held: [], conflicts: [] }),
    verify: async () => ({ ok: true, findings: [] }),
  };
  const deps = given(repository('here'), repository('there'), {
    // Of a place, what a copy without points and a verification ask.
    openPlace: async () => place as Place,
  });
  await state.db.unit((tx) => deps.store.changeState(tx, 'far', { findings: ['a pack'], status: 'degraded' }));
  await syncReplica(deps, replica, {}, context);
  const stateOf = async () => (await deps.store.states()).get('far');
  expect(await stateOf()).toMatchObject({ status: 'degraded', error: 'Damaged: a pack', findings: ['a pack'] });
  await verifyReplica(deps, replica, { percent: 5 }, context);
  expect(await stateOf()).toMatchObject({ status: 'degraded', error: 'Damaged: a pack', verifiedPercent: 5 });
  await verifyReplica(deps, replica, { percent: 100 }, context);
  expect(await stateOf()).toMatchObject({ status: 'healthy', error: null, findings: [] });
});

test('a copy that the other side dropped by itself is none any more, and what it would not keep is not missing', async () => {
  const place: Partial<Place> = {
    look: async () => ({ repositoryId: null, storedBytes: 1, keep: 1 }),
    plan: async () => ({ copy: [], held: [], conflicts: [], listed: new Set(['new']) }),
  };
  const deps = given(repository('here'), repository('there'), {
    openPlace: async () => place as Place,
    points: { find: async () => undefined } as unknown as ReplicationDeps['points'],
  });
  for (const [pointId, takenMs] of [['old', 1] as const, ['new', 2] as const])
    await state.db.unit((tx) =>
      deps.store.writeCopy(tx, { replicaId: 'far', pointId, targetId: 'a', treeId: 't', takenMs, copiedMs: 3 }),
    );
  await syncReplica(deps, replica, {}, context);
  expect((await deps.store.copies()).map(({ pointId }) => pointId)).toEqual(['new']);
  const points = ['new', 'old'].map((id) => ({ id, targetId: 'a', takenMs: id === 'new' ? 2 : 1, verifiedMs: 1 }));
  const overview = await readOverview({
    ...{ ...deps, targetIds: ['a'], settings: () => ({ enabled: true }), points: { list: async () => points } },
    replicas: { list: async () => [replica] },
    // Of replication, what its overview reads.
  } as unknown as ReplicationDeps);
  expect(overview.replicas[0]?.targets).toMatchObject([{ copies: 1, points: 0, lagMs: 0 }]);
});

test('space is freed at a replica, also where none is left to repack; the log, the state and the figures tell it', async () => {
  const there = repository('there');
  there.prune
    .mockRejectedValueOnce(new AppError('storage/full', 'It is full.'))
    .mockResolvedValueOnce({ freedBytes: 700 })
    .mockRejectedValueOnce(new AppError('repository/locked', 'Somebody works there.'));
  const onPruned = vi.fn();
  const deps = given(repository('here'), there, { onPruned });
  expect(await pruneReplica(deps, replica, context)).toEqual({ target_id: 'far', freed_bytes: 700 });
  expect(there.prune).toHaveBeenLastCalledWith(expect.objectContaining({ withoutRepacking: true }));
  expect(onPruned.mock.calls).toEqual([[{ replicaId: 'far', freedBytes: 700 }]]);
  const nowMs = deps.clock.now();
  const stateOf = async () => (await deps.store.states()).get('far');
  expect(await stateOf()).toMatchObject({ prunedMs: nowMs, pruneTriedMs: nowMs, repositoryId: 'there' });
  await expect(pruneReplica(deps, replica, context)).rejects.toMatchObject({ code: 'repository/locked' });
  const log = await deps.store.log({ type: 'prune', limit: 9 });
  expect(log.map(({ status, bytes, error }) => [status, bytes, error]).sort()).toEqual([
    ['completed', 700, null],
    ['failed', null, 'Somebody works there.'],
  ]);
  // Of a place that keeps whole files, what is asked before it is known as one.
  const whole = { look: async () => ({ repositoryId: null, storedBytes: 1 }) } as Partial<Place> as Place;
  await expect(pruneReplica({ ...deps, openPlace: async () => whole }, replica, context)).rejects.toMatchObject({
    code: 'conflict/state',
  });
});

test('a share that found damage asks for a reading of everything, once; the repository here, healed, is copied from again', async () => {
  const [source, there] = [repository('here', ['a pack']), repository('there', ['a pack'])];
  const onSourceHealed = vi.fn(async () => undefined);
  const deps = given(source, there, { onSourceHealed });
  const stateOf = async () => (await deps.store.states()).get('far');
  await expect(verifyReplica(deps, replica, { percent: 5 }, context)).rejects.toThrow();
  expect(await stateOf()).toMatchObject({ status: 'degraded', findings: ['a pack'], damageReadMs: null });
  await expect(verifyReplica(deps, replica, { percent: 100 }, context)).rejects.toThrow();
  await expect(verifyReplica(deps, replica, { percent: 5 }, context)).rejects.toThrow();
  expect(await stateOf()).toMatchObject({ findings: ['a pack'], damageReadMs: deps.clock.now() });
  there.check.mockResolvedValue({ ok: true, findings: [] });
  await verifyReplica(deps, replica, { percent: 100 }, context);
  expect(await stateOf()).toMatchObject({ status: 'healthy', findings: [], damageReadMs: null });
  expect(onSourceHealed).not.toHaveBeenCalled();
  source.check.mockResolvedValue({ ok: true, findings: [] });
  const points = { find: async () => undefined } as unknown as ReplicationDeps['points'];
  await heal({ ...deps, points }, replica, { damaged: 'source' }, context);
  expect(onSourceHealed).toHaveBeenCalledOnce();
});
