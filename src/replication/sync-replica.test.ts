import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PointStore, RecoveryPoint } from '../backup/index.ts';
import { createEventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import type { OperationContext } from '../operations/index.ts';
import { AppError } from '../platform/errors.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { systemRandom } from '../platform/ids.ts';
import type { Overview } from './overview.ts';
import type { Place } from './places/place.ts';
import { pruneReplica } from './prune-replica.ts';
import { freshState, type Replica } from './replica.ts';
import type { ReplicationDeps } from './replication-deps.ts';
import { createReplicationStore } from './replication-store.ts';
import { judgeOverview } from './routes/replication-bodies.ts';
import { syncReplica } from './sync-replica.ts';
import { verifyReplica } from './verify-replica.ts';

const clock = createFakeClock();
const all = [1, 2, 3].map(
  // Of a point, what a copy looks at.
  (takenMs) => ({ id: `p${takenMs}`, targetId: 'default', takenMs, verifiedMs: 1, forgottenMs: null }) as RecoveryPoint,
);
let state: TestState;
let replica: Replica;
let told: object[];
let stop: AbortController;

beforeEach(async () => {
  state = await openTestState();
  // Of a replica, what work on it asks.
  replica = { id: 'far', offline: false, enabled: true, place: '/mnt/far', limitKiB: null } as Replica;
  told = [];
  stop = new AbortController();
});
afterEach(() => state.remove());

function given(place: Partial<Place>) {
  const { db } = state;
  const store = createReplicationStore(db);
  const deps = {
    ...{ db, store, clock, random: systemRandom, events: createEventLog({ db, clock, instance: 'test' }) },
    replicas: { require: async () => replica },
    // Of the catalogue, what is listed and found.
    points: {
      list: async () => [...all].reverse(),
      find: async (id: string) => all.find((one) => one.id === id),
    } as unknown as PointStore,
    ...{ targetIds: ['default'], sourceUnsound: async () => undefined, step: async () => undefined },
    ...{ onTransfer: () => undefined, onPruned: () => undefined },
    settings: () => ({ enabled: true, limitKiB: 0, keepForgottenMs: 1_000, checkIntervalMs: 60_000 }),
    openPlace: async () => ({
      look: async () => ({ repositoryId: null, storedBytes: 0 }),
      plan: async () => ({
        copy: [...all].reverse().map((point) => ({ point, streams: [], manifest: 'm', treeId: `t-${point.id}` })),
        ...{ held: [], conflicts: [] },
      }),
      ...place,
    }),
    // Of replication is given, what work at one place uses.
  } as unknown as ReplicationDeps;
  const context = {
    ...{ id: 'op_1', signal: stop.signal, phase: async () => undefined, checkHeld: async () => undefined },
    progress: (update: object) => told.push(update),
  } as unknown as OperationContext;
  return { deps, store, context };
}

test('a copy tells the bytes that went over, and how many it will be when the last point is packed', async () => {
  const { deps, context } = given({
    async bring({ treeId }, _, { onProgress }) {
      for (const bytesDone of [0, 50, 100]) onProgress?.({ bytesDone, bytesTotal: 100 });
      // A part of it was there from an earlier attempt.
      return { treeId, bytes: 1_000, dataHash: null };
    },
  });
  await syncReplica(deps, replica, {}, context);
  expect(told.filter((one) => 'bytesTotal' in one)).toEqual([
    { bytesDone: 200, bytesTotal: 300 },
    { bytesDone: 250, bytesTotal: 300 },
    { bytesDone: 300, bytesTotal: 300 },
  ]);
  const bytes = told.flatMap((one) => ('bytesDone' in one ? [Number(one.bytesDone)] : []));
  expect(bytes).toEqual([...bytes].sort((one, other) => one - other));
});

const bringing = (failing: readonly string[], code: AppError['code']): Pick<Place, 'bring'> => ({
  async bring({ point, treeId }) {
    if (failing.includes(point.id)) throw new AppError(code, `not ${point.id}`);
    return { treeId, bytes: 1, dataHash: null };
  },
});

test('one that a place does not keep, since it has newer ones, keeps no other from being copied', async () => {
  const { deps, store, context } = given(bringing(['p3'], 'replication/not-kept'));
  await expect(syncReplica(deps, replica, {}, context)).rejects.toThrow('not p3');
  expect((await store.copies()).map(({ pointId }) => pointId)).toEqual(['p2', 'p1']);
  expect((await store.states()).get('far')).toMatchObject({ status: 'healthy' });
});

test('the total is told with the last point also where an earlier one could not be copied', async () => {
  const { deps, context } = given({
    async bring({ point, treeId }, _, { onProgress }) {
      if (point.id === 'p3') throw new AppError('request/too-large', 'not p3');
      onProgress?.({ bytesDone: 100, bytesTotal: 100 });
      return { treeId, bytes: 100, dataHash: null };
    },
  });
  await expect(syncReplica(deps, replica, {}, context)).rejects.toThrow('not p3');
  expect(told.filter((one) => 'bytesTotal' in one)).toEqual([{ bytesDone: 200, bytesTotal: 200 }]);
});

test('a point that cannot be copied keeps no other from being copied, holds nothing else up at its place, and is told once', async () => {
  const forgotten: string[][] = [];
  const events = createEventLog({ db: state.db, clock, instance: 'test' });
  const { deps, store, context } = given({
    ...bringing(['p3'], 'request/too-large'),
    async forget(pointIds) {
      forgotten.push([...pointIds]);
      return [...pointIds];
    },
    verify: async () => ({ ok: true, findings: [] }),
  });
  const old = { ...all[0], id: 'old', forgottenMs: clock.now() - 1_000 } as RecoveryPoint;
  const find = deps.points.find;
  Object.assign(deps.points, { find: async (id: string) => (id === 'old' ? old : find(id)) });
  const copy = { replicaId: 'far', pointId: 'old', targetId: 'default', treeId: 't', takenMs: 1, copiedMs: 2 };
  await state.db.unit((tx) => store.writeCopy(tx, copy));
  const seen = async () => (await store.states()).get('far');
  await expect(syncReplica(deps, replica, {}, context)).rejects.toThrow('not p3');
  expect((await store.copies()).map(({ pointId }) => pointId)).toEqual(['p2', 'p1']);
  expect(forgotten).toEqual([['old']]);
  // The place is well, is verified and pruned in turn, and is told not to have all.
  const well = { status: 'healthy', failuresInRow: 1, syncedMs: null, error: 'not p3' } as const;
  expect(await seen()).toMatchObject(well);
  await verifyReplica(deps, replica, { percent: 5 }, context);
  expect(await seen()).toMatchObject(well);
  // Of an overview, what is judged.
  const overview = { enabled: true, paused: null, placement: [], replicas: [{ replica, state: await seen() }] };
  expect(judgeOverview(overview as unknown as Overview)).toEqual({ status: 'degraded', message: 'far: not p3' });
  await expect(syncReplica(deps, replica, {}, context)).rejects.toThrow('not p3');
  expect(await seen()).toMatchObject({ ...well, failuresInRow: 2 });
  expect(await events.list({ types: ['replication.failed'], limit: 9 })).toHaveLength(1);
  await syncReplica(given(bringing([], 'request/too-large')).deps, replica, {}, context);
  expect(await seen()).toMatchObject({ status: 'healthy', failuresInRow: 0, error: null });
});

test('a place that takes none is not asked for each', async () => {
  const { deps, store, context } = given(bringing(['p3'], 'storage/full'));
  await expect(syncReplica(deps, replica, {}, context)).rejects.toThrow('not p3');
  expect(await store.copies()).toEqual([]);
});

test('what is switched off while it copies ends with the point that is under way, and has not failed', async () => {
  const rates: number[] = [];
  const { deps, store, context } = given({
    async bring({ point, treeId }, limitKiB) {
      rates.push(limitKiB);
      replica = { ...replica, limitKiB: 70, enabled: point.id !== 'p2' };
      return { treeId, bytes: 1, dataHash: null };
    },
  });
  await expect(syncReplica(deps, replica, {}, context)).rejects.toMatchObject({ code: 'conflict/state' });
  expect((await store.copies()).map(({ pointId }) => pointId)).toEqual(['p3', 'p2']);
  expect(rates).toEqual([0, 70]);
  expect((await store.states()).get('far')).toMatchObject({ failuresInRow: 0, status: 'healthy' });
});

test('a verification asks for what was copied there, and for nothing that others keep beside it', async () => {
  const asked: unknown[] = [];
  const { deps, store, context } = given({
    async verify(percent, _, known) {
      asked.push(percent, [...(known ?? ['nobody said which'])]);
      return { ok: true, findings: [] };
    },
  });
  const copy = { replicaId: 'far', pointId: 'p1', targetId: 'default', treeId: 't', takenMs: 1, copiedMs: 2 };
  await state.db.unit((tx) => store.writeCopy(tx, copy));
  await verifyReplica(deps, replica, { percent: 5 }, context);
  expect(asked).toEqual([5, ['p1']]);
  expect(await store.log({ limit: 1 })).toMatchObject([{ type: 'validate', metadata: { percent: 5 } }]);
});

test('a prune that fails is counted until one ends well; one that was ended, or cannot be, is not', async () => {
  let fails: unknown = new AppError('repository/refused', 'may not delete');
  const { deps, store, context } = given({
    async prune() {
      if (fails !== undefined) throw fails;
      return { freedBytes: 1 };
    },
  });
  const failures = async () => (await store.states()).get('far')?.pruneFailures;
  const prune = () => pruneReplica(deps, replica, context).catch(() => undefined);
  for (const count of [1, 2, 3]) {
    await prune();
    expect(await failures()).toBe(count);
  }
  fails = new AppError('conflict/state', 'keeps each point as one file');
  await prune();
  expect(await failures()).toBe(3);
  fails = undefined;
  await prune();
  expect(await failures()).toBe(0);
  [fails] = [new Error('ended')];
  stop.abort();
  await prune();
  expect(await failures()).toBe(0);
});

test('a point that cannot be copied is tried again on its own schedule, whatever comes after it', async () => {
  const tried: string[] = [];
  const { deps, store, context } = given({
    async bring({ point, treeId }) {
      tried.push(point.id);
      if (point.id === 'p2') throw new AppError('repository/damaged', 'p2 is damaged here');
      return { treeId, bytes: 1, dataHash: null };
    },
  });
  const patient = { patient: true };
  const state = async () => (await store.states()).get('far');
  await expect(syncReplica(deps, replica, patient, context)).rejects.toThrow('p2 is damaged here');
  const stuck = [{ pointId: 'p2', error: 'p2 is damaged here', failures: 1, triedMs: clock.now() }];
  expect(await state()).toMatchObject({ status: 'healthy', pointsOnly: true, failuresInRow: 1, stuck });
  // The next one comes before its time: it is copied, and that one is still told.
  tried.length = 0;
  await clock.advance(59_999);
  await syncReplica(deps, replica, patient, context);
  expect(tried).toEqual(['p3', 'p1']);
  expect(await state()).toMatchObject({ status: 'healthy', error: 'p2 is damaged here', stuck, syncedMs: null });
  // Whoever asks for it need not wait.
  await expect(syncReplica(deps, replica, {}, context)).rejects.toThrow('p2 is damaged here');
  await clock.advance(119_999);
  await syncReplica(deps, replica, patient, context);
  await clock.advance(1);
  await expect(syncReplica(deps, replica, patient, context)).rejects.toThrow('p2 is damaged here');
  expect((await state())?.stuck).toMatchObject([{ pointId: 'p2', failures: 3 }]);
});

test('one id with two contents is not copied and is told with both; the others are', async () => {
  const { deps, store, context } = given({
    ...bringing([], 'storage/full'),
    plan: async () => ({
      copy: all.slice(1).map((point) => ({ point, streams: [], manifest: 'm', treeId: 't' })),
      ...{ held: [], conflicts: [{ pointId: 'p1', here: 'tree-here', there: 'tree-there' }] },
    }),
  });
  await expect(syncReplica(deps, replica, {}, context)).rejects.toMatchObject({ code: 'replication/conflict' });
  expect((await store.copies()).map(({ pointId }) => pointId).sort()).toEqual(['p2', 'p3']);
  const { status, conflict, stuck } = (await store.states()).get('far') ?? {};
  expect([status, stuck?.map(({ pointId }) => pointId)]).toEqual(['degraded', ['p1']]);
  expect(conflict).toMatch(/^p1 .*tree-here.*tree-there/);
  await syncReplica(given(bringing([], 'storage/full')).deps, replica, {}, context);
  expect((await store.states()).get('far')).toMatchObject({ status: 'healthy', conflict: null, stuck: [] });
});

test('more of them than a place is asked for at once are behind each other no longer than a round', async () => {
  const failing = ['x1', 'x2', 'x3', 'x4', 'x5'];
  const copy = [...failing, 'good'].map((id) => ({
    ...{ point: { ...all[0], id } as RecoveryPoint, streams: [], manifest: 'm', treeId: 't' },
  }));
  const { deps, store, context } = given({
    ...bringing(failing, 'request/too-large'),
    plan: async () => ({ copy, held: [], conflicts: [] }),
  });
  await expect(syncReplica(deps, replica, { patient: true }, context)).rejects.toThrow('not x1');
  expect(await store.copies()).toEqual([]);
  await expect(syncReplica(deps, replica, { patient: true }, context)).rejects.toThrow('not x5');
  expect((await store.copies()).map(({ pointId }) => pointId)).toEqual(['good']);
});

const inConflict = (others: readonly string[] = []): Pick<Place, 'plan'> => ({
  plan: async () => ({
    copy: others.map((id) => ({
      ...{ point: { ...all[0], id } as RecoveryPoint, treeId: 't' },
      streams: [],
      manifest: 'm',
    })),
    ...{ held: [], conflicts: [{ pointId: 'p1', here: 'tree-here', there: 'tree-there' }] },
  }),
});

test('what ends a copy before or beside a conflict leaves it known', async () => {
  const failing = ['x1', 'x2', 'x3', 'x4'];
  const { deps, store, context } = given(inConflict());
  const seen = async () => (await store.states()).get('far');
  await expect(syncReplica(deps, replica, {}, context)).rejects.toMatchObject({ code: 'replication/conflict' });
  const conflict = (await seen())?.conflict;
  expect(conflict).toMatch(/^p1 /);
  const away = async () => {
    throw new AppError('repository/unreachable', 'nobody answers');
  };
  await expect(syncReplica(given({ look: away }).deps, replica, {}, context)).rejects.toThrow('nobody answers');
  expect(await seen()).toMatchObject({ status: 'unreachable', error: 'nobody answers', conflict });
  const many = given({ ...inConflict(failing), ...bringing(failing, 'request/too-large') });
  await expect(syncReplica(many.deps, replica, {}, context)).rejects.toThrow('not x1');
  expect(await seen()).toMatchObject({ status: 'degraded', conflict });
  // Also to whom it is told for the first time.
  await state.db.unit((tx) => store.changeState(tx, 'far', freshState));
  await expect(syncReplica(many.deps, replica, {}, context)).rejects.toThrow('not x1');
  expect(await seen()).toMatchObject({ status: 'degraded', conflict });
});

test('a conflict that stands is told once, waits for its turn like all that is stuck, and is seen while another copy runs', async () => {
  const events = createEventLog({ db: state.db, clock, instance: 'test' });
  const conflicts = () => events.list({ types: ['replication.conflict'], limit: 9 });
  const seen = async () => (await store.states()).get('far');
  const { deps, store, context } = given(inConflict());
  const patient = { patient: true };
  await expect(syncReplica(deps, replica, patient, context)).rejects.toThrow('p1 is another point here');
  const error = (await seen())?.conflict;
  // Another point comes before its time.
  const during: unknown[] = [];
  const one = given({
    ...inConflict(['p4']),
    async bring({ treeId }) {
      during.push((await seen())?.status, (await seen())?.error);
      return { treeId, bytes: 1, dataHash: null };
    },
  });
  await syncReplica(one.deps, replica, patient, context);
  expect(during).toEqual(['degraded', error]);
  expect(await seen()).toMatchObject({ status: 'degraded', error, conflict: error, stuck: [{ failures: 1 }] });
  await expect(syncReplica(deps, replica, {}, context)).rejects.toThrow('p1 is another point here');
  expect(await seen()).toMatchObject({ status: 'degraded', error, conflict: error, stuck: [{ failures: 2 }] });
  expect(await conflicts()).toHaveLength(1);
});

test('a new conflict is told also where the copy then ends for a reason of the place, and that reason once', async () => {
  const events = createEventLog({ db: state.db, clock, instance: 'test' });
  const { deps, context } = given({ ...inConflict(['x1']), ...bringing(['x1'], 'storage/full') });
  for (const _ of [1, 2]) await expect(syncReplica(deps, replica, {}, context)).rejects.toThrow('not x1');
  const told = await events.list({ types: ['replication.conflict', 'replication.failed'], limit: 9 });
  expect(told.map(({ type }) => type).sort()).toEqual(['replication.conflict', 'replication.failed']);
});

test('where all that are stuck are due together the one behind them is reached, and the place is not left alone for long', async () => {
  const failing = ['x1', 'x2', 'x3', 'x4', 'x5'];
  const copy = [...failing, 'good'].map((id) => ({
    ...{ point: { ...all[0], id } as RecoveryPoint, streams: [], manifest: 'm', treeId: 't' },
  }));
  const plan = async () => ({ copy, held: [], conflicts: [] });
  const { deps, store, context } = given({ ...bringing(failing, 'request/too-large'), plan });
  const seen = async () => (await store.states()).get('far');
  for (const most of ['not x1', 'not x5', 'not x4', 'not x5']) {
    await expect(syncReplica(deps, replica, { patient: true }, context)).rejects.toThrow(most);
    expect(await seen()).toMatchObject({ status: 'degraded', pointsOnly: true });
    // Longer than any of them waits.
    await clock.advance(12 * 60_000);
  }
  expect((await store.copies()).map(({ pointId }) => pointId)).toEqual(['good']);
  expect(await seen()).toMatchObject({ failuresInRow: 4 });
  // The line drops: that is the first failure of the place.
  const away = given({
    async look() {
      throw new AppError('repository/unreachable', 'nobody answers');
    },
  });
  for (const failuresInRow of [1, 2]) {
    await expect(syncReplica(away.deps, replica, {}, context)).rejects.toThrow('nobody answers');
    expect(await seen()).toMatchObject({ status: 'unreachable', pointsOnly: false, failuresInRow });
  }
});

test('of more than a hundred that are stuck the latest are remembered, among them one that was tried again', async () => {
  const stuck = Array.from({ length: 100 }, (_, at) => ({ pointId: `c${at}`, error: 'e', failures: 1, triedMs: 1 }));
  const conflicts = ['c0', 'new'].map((pointId) => ({ pointId, here: 'h', there: 't' }));
  const { deps, store, context } = given({ plan: async () => ({ copy: [], held: [], conflicts }) });
  await state.db.unit((tx) => store.changeState(tx, 'far', { stuck }));
  await expect(syncReplica(deps, replica, { targetId: 'default' }, context)).rejects.toThrow('c0 is another');
  const ids = (await store.states()).get('far')?.stuck.map(({ pointId }) => pointId);
  expect(ids).toEqual([...stuck.slice(2).map(({ pointId }) => pointId), 'c0', 'new']);
});
