import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { systemRandom } from '../platform/ids.ts';
import { createLeases } from '../platform/leases.ts';
import { replicaLeaseMs } from './held-work.ts';
import type { Place } from './places/place.ts';
import type { Replica } from './replica.ts';
import { createReplication } from './replication.ts';
import type { ReplicationDeps } from './replication-deps.ts';
import { createReplicationStore } from './replication-store.ts';

let state: TestState;
beforeEach(async () => {
  state = await openTestState();
});
afterEach(() => state.remove());

test('a failing copy is told until one succeeds, and what was seen at one place is forgotten when the file names another', async () => {
  const { db } = state;
  const [clock, store] = [createFakeClock(), createReplicationStore(db)];
  let place = '/mnt/one';
  const asked: (string | null)[] = [];
  const replication = createReplication({
    ...{ db, store, clock, random: systemRandom, events: createEventLog({ db, clock, instance: 'test' }) },
    leases: createLeases({ db, clock, instance: 'test', ttlMs: replicaLeaseMs }),
    replicas: { require: async () => ({ id: 'far', offline: false, place }) as Replica },
    openPlace: async () =>
      // Of a place, what a look asks.
      ({
        async look(known: string | null) {
          asked.push(known);
          return { repositoryId: place, storedBytes: 1 };
        },
      }) as unknown as Place,
    // Of replication is given, what a look uses.
  } as unknown as ReplicationDeps);
  const look = () => replication.look('far', new AbortController().signal);
  await look();
  await db.unit((tx) =>
    store.writeCopy(tx, { replicaId: 'far', pointId: 'p', targetId: 'a', treeId: 't', takenMs: 1, copiedMs: 2 }),
  );
  await look();
  expect(await store.copies()).toHaveLength(1);
  // A place that answers and takes nothing is not well because it answers.
  const failed = { failuresInRow: 2, status: 'degraded' as const, error: 'it is full' };
  await db.unit((tx) => store.changeState(tx, 'far', failed));
  expect(await look()).toMatchObject(failed);
  // Nor is one with a conflict because its line is back: that is what it is told for again.
  const away = { status: 'unreachable' as const, error: 'timeout', conflict: 'p1 is two points' };
  await db.unit((tx) => store.changeState(tx, 'far', away));
  expect(await look()).toMatchObject({ status: 'degraded', error: 'p1 is two points', conflict: 'p1 is two points' });
  place = '/mnt/two';
  expect(await look()).toMatchObject({ status: 'healthy', repositoryId: '/mnt/two' });
  expect(asked).toEqual([null, '/mnt/one', '/mnt/one', '/mnt/one', null]);
  expect(await store.copies()).toEqual([]);
});
