import { expect, test } from 'vitest';
import type { Operations } from '../operations/index.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import type { Leases } from '../platform/leases.ts';
import { holdOf, ownRepository, replicaLeaseMs, startHeld, whileHeld } from './held-work.ts';

const lease = { name: 'replica:far', epoch: 1 };

/** Work that goes on until it is told to end; what it was told. */
async function heldWith(renew: () => Promise<boolean>) {
  const clock = createFakeClock();
  // Of leases, what held work uses.
  const leases = { renew, release: async () => undefined } as unknown as Leases;
  let told: unknown;
  const end = Promise.withResolvers<void>();
  const over = whileHeld({ leases, clock }, lease, undefined, (signal) => {
    signal.addEventListener('abort', () => {
      told = signal.reason;
    });
    return end.promise;
  });
  return {
    clock,
    told: () => told,
    async finish() {
      end.resolve();
      await over;
    },
  };
}

test('a renewal that fails is tried again, and the work goes on when one succeeds in time', async () => {
  let calls = 0;
  const held = await heldWith(async () => {
    calls += 1;
    if (calls % 3 !== 0) throw new Error('the database is busy');
    return true;
  });
  for (let step = 0; step < 10; step += 1) await held.clock.advance(replicaLeaseMs / 3);
  expect(held.told()).toBeUndefined();
  await held.finish();
});

test.each([
  ['nobody can renew it', () => Promise.reject(new Error('the database is away'))],
  ['somebody else has it', () => Promise.resolve(false)],
  ['a renewal hangs', () => new Promise<boolean>(() => undefined)],
])('the work ends before another instance may begin it when %s', async (_, renew) => {
  const held = await heldWith(renew);
  await held.clock.advance(replicaLeaseMs - 1);
  expect(held.told()).toMatchObject({ code: 'operation/lease-lost' });
  let over = false;
  const finished = held.finish().then(() => {
    over = true;
  });
  // What hangs is waited for a little, and no longer.
  for (let step = 0; step < 50 && !over; step += 1) await held.clock.advance(replicaLeaseMs / 12);
  await finished;
});

test('what needs two things begins when it has both, and gives the first one back when somebody has the second', async () => {
  const taken = new Set<string>();
  // Of leases and operations, what held work uses.
  const leases = {
    acquire: async (name: string) => {
      if (taken.has(name)) return undefined;
      taken.add(name);
      return { name, epoch: 1 };
    },
    renew: async () => true,
    release: async ({ name }: { name: string }) => void taken.delete(name),
  } as unknown as Leases;
  let seen: string[] = [];
  const operations = {
    start: async ({ run }: { run(context: object): Promise<unknown> }) => {
      await run({ signal: new AbortController().signal });
      return {};
    },
  } as unknown as Operations;
  const start = () =>
    startHeld(
      { operations, leases, clock: createFakeClock() },
      {
        ...{ kind: 'replication.heal', holds: [holdOf('far'), ownRepository], input: {}, requestedBy: 'somebody' },
        run: async () => {
          seen = [...taken];
        },
      },
    );
  taken.add('repository:own');
  await expect(start()).rejects.toMatchObject({ code: 'operation/busy' });
  expect([seen, [...taken]]).toEqual([[], ['repository:own']]);
  taken.clear();
  await start();
  expect([seen, [...taken]]).toEqual([['replica:far', 'repository:own'], []]);
});
