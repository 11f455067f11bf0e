import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PointStore, RecoveryPoint } from '../backup/index.ts';
import { createEventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import type { OperationContext } from '../operations/index.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { systemRandom } from '../platform/ids.ts';
import type { Place } from './places/place.ts';
import type { Replica } from './replica.ts';
import type { ReplicationDeps } from './replication-deps.ts';
import { createReplicationStore } from './replication-store.ts';
import { syncReplica } from './sync-replica.ts';

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
    settings: () => ({ enabled: true, limitKiB: 0, keepForgottenMs: 1_000 }),
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
