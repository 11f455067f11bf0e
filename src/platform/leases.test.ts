import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
import { createLeases, type Leases } from './leases.ts';

let state: TestState;
let clock: FakeClock;
let ours: Leases;
let theirs: Leases;

beforeEach(async () => {
  state = await openTestState();
  clock = createFakeClock();
  ours = createLeases({ db: state.db, clock, instance: 'a', ttlMs: 30_000 });
  theirs = createLeases({ db: state.db, clock, instance: 'b', ttlMs: 30_000 });
});
afterEach(() => state.remove());

test('of many who ask at once exactly one gets the lease', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? ours : theirs).acquire('target:x')));
  expect(answers.filter((lease) => lease !== undefined)).toHaveLength(1);
});

test('a released lease is free at once and its epoch goes on', async () => {
  const first = await ours.acquire('target:x');
  expect(first).toEqual({ name: 'target:x', epoch: 1 });
  await ours.release(first!);
  expect(await theirs.acquire('target:x')).toEqual({ name: 'target:x', epoch: 2 });
});

test('renewing keeps a lease beyond its time, and without it the lease falls to who asks', async () => {
  const lease = (await ours.acquire('fleet'))!;
  await clock.advance(20_000);
  expect(await ours.renew(lease)).toBe(true);
  await clock.advance(20_000);
  expect(await theirs.acquire('fleet')).toBeUndefined();
  await ours.check(lease);

  await clock.advance(10_000);
  await expect(ours.check(lease)).rejects.toMatchObject({ code: 'operation/lease-lost' });
  const taken = (await theirs.acquire('fleet'))!;
  expect(taken.epoch).toBe(2);
  expect(await ours.renew(lease)).toBe(false);
  await ours.release(lease);
  await theirs.check(taken);
});

test('an expired lease that nobody took can be renewed', async () => {
  const lease = (await ours.acquire('fleet'))!;
  await clock.advance(60_000);
  expect(await ours.renew(lease)).toBe(true);
  await ours.check(lease);
});

test('taking over ends the hold of the one it names, even of an earlier life of the same holder, and of nobody else', async () => {
  const before = (await ours.takeOver('instance:a', 'a'))!;
  const after = (await ours.takeOver('instance:a', 'a'))!;
  expect(after.epoch).toBe(before.epoch + 1);
  await expect(ours.check(before)).rejects.toMatchObject({ code: 'operation/lease-lost' });
  expect(await theirs.takeOver('instance:a', 'c')).toBeUndefined();
  expect(await theirs.takeOver('instance:a', 'a')).toMatchObject({ epoch: after.epoch + 1 });
});

test('a lease acquired in a unit that fails is not held', async () => {
  const failed = state.db.unit(async (tx) => {
    await ours.acquire('target:x', tx);
    throw new Error('no');
  });
  await expect(failed).rejects.toThrow('no');
  expect(await theirs.acquire('target:x')).toEqual({ name: 'target:x', epoch: 1 });
});
