import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from '../../test/setup/parts.ts';
import { openTestStatesOn } from '../migrations/test-state.ts';
import { createOperations, type Operations } from '../operations/index.ts';
import { createLeases } from '../platform/leases.ts';
import { silentLogger } from '../platform/logging.ts';
import { leaseOf, replicaLeaseMs } from './held-work.ts';
import { createReplication } from './replication.ts';
import { createReplicationJob } from './replication-job.ts';
import { openTestReplication, type TestReplication } from './test-replication.ts';

describe.skipIf(!hasPart('restic') || !hasPart('postgresql'))('two instances that share a state on PostgreSQL', () => {
  let given: TestReplication;
  const others: Operations[] = [];
  /** Another process, as far as state and places can tell. */
  const instance = (name: string) => {
    const { db, clock } = given.deps;
    const operations = createOperations({ db, clock, log: silentLogger, events: given.events, instance: name });
    others.push(operations);
    const leases = createLeases({ db, clock, instance: name, ttlMs: replicaLeaseMs });
    const deps = { ...given.deps, operations, leases };
    const replication = createReplication(deps);
    return {
      leases,
      replication,
      operations,
      job: createReplicationJob({ ...deps, replication, onOverview: () => undefined }),
    };
  };

  beforeAll(async () => {
    openTestStatesOn('postgres');
    try {
      given = await openTestReplication();
    } finally {
      openTestStatesOn('sqlite');
    }
  });
  afterAll(async () => {
    for (const one of others) await one.stop();
    await given?.remove();
  });

  test('copy at once to the same places: each point lies at each place once, and the log has one line for it', async () => {
    const places = ['near', 'far'];
    for (const id of places) await given.register({ id });
    const points = [
      await given.makePoint(randomBytes(20_000)),
      await given.makePoint(randomBytes(20_000), { stream: randomBytes(500) }),
    ];
    const both = [instance('one'), instance('two')];
    // Whoever comes second finds the place held, and looks again later.
    await expect
      .poll(
        async () => {
          await Promise.all(both.map(({ job }) => job.runOnce()));
          return (await given.replication.store.copies()).length;
        },
        { timeout: 120_000, interval: 50 },
      )
      .toBe(places.length * points.length);
    await Promise.all(both.map(({ job }) => job.stop?.()));
    const log = await given.replication.store.log({ type: 'sync', limit: 100 });
    expect(log.map((one) => `${one.replicaId} ${one.pointId} ${one.status}`).sort()).toEqual(
      places.flatMap((place) => points.map(({ id }) => `${place} ${id} completed`)).sort(),
    );
    for (const place of places)
      expect(await given.repositoryAt(join(given.folder, place)).snapshots({ tags: ['manifest'] })).toHaveLength(2);
  });

  test('the work of one that died is free for the other when its lease has run out, and not before', async () => {
    const request = { replicaId: 'near', requestedBy: 'local:admin' };
    const [dead, living] = [instance('dead'), instance('living')];
    const held = await dead.leases.acquire(leaseOf('near'));
    await expect(living.replication.sync(request)).rejects.toMatchObject({ code: 'operation/busy' });
    await given.clock.advance(replicaLeaseMs - 1);
    await expect(living.replication.sync(request)).rejects.toMatchObject({ code: 'operation/busy' });
    await given.clock.advance(1);
    const ended = await living.operations.wait((await living.replication.sync(request)).id);
    expect(ended.result).toMatchObject({ copied: [], already_there: 2 });
    // One that was only slow finds out that it is not its work any more.
    expect(held && (await dead.leases.renew(held))).toBe(false);
  });
});
