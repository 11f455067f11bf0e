import { expect, test } from 'vitest';
import { createFakeClock } from '../platform/fake-clock.ts';
import type { Leases } from '../platform/leases.ts';
import { replicaLeaseMs, whileHeld } from './held-work.ts';

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
