import { afterEach, expect, test } from 'vitest';
import { createClaims, createResourceRegistry, resourceTypes } from '../resources/index.ts';
import { createResourceQuota } from './resource-quota.ts';
import { draft, openTestQuotas, type TestQuotas } from './test-quotas.ts';
import { readUsage } from './usage.ts';

let found: TestQuotas;
afterEach(() => found.remove());

const open = async (...drafts: Parameters<typeof draft>[0][]) => {
  found = await openTestQuotas(drafts.map((one) => draft(one)));
  const quota = createResourceQuota({ quotas: found.quotas, onlyTarget: () => 'main' });
  const resources = createResourceRegistry({
    ...{ clock: found.clock, mostTracked: () => 100 },
    onGone: (id) => claims.gone(id),
  });
  const claims = createClaims({ resources, quota });
  const register = (id: string, told: Partial<Parameters<typeof claims.register>[0]> = {}) =>
    claims.register(
      {
        ...{ id, type: 'database_connection' as const, owner: 'anna', workspaceId: 'a', parentId: null },
        ...{ sizeBytes: null, ttlMs: null, leaseMs: null, metadata: {}, ...told },
      },
      'local:app',
    );
  return { quota, resources, claims, register };
};
const standing = async (id = 'q'): Promise<number> => {
  await found.quotas.ledger.flush({ everything: true });
  const quota = found.quotas.definitions.require(id);
  const { buckets } = await readUsage(found.state.db, quota, { nowMs: found.clock.now(), limit: 10 });
  return buckets.reduce((sum, one) => sum + one.total, 0);
};

test('of each of the ten types no more than the limit is registered, and what is gone makes room', async () => {
  const lasting = { period: 'forever', limit: 2, per: ['user'] } as const;
  const { resources, register } = await open(...resourceTypes.map((type) => ({ id: type, counts: type, ...lasting })));
  for (const type of resourceTypes) {
    const add = (id: string, owner = 'anna') => register(`${type} ${id}`, { type, owner, sizeBytes: 1 });
    await add('one');
    await add('two');
    await expect(add('three')).rejects.toMatchObject({
      ...{ code: 'quota/exceeded', retryAfterSeconds: 1 },
      message: expect.stringMatching(
        /"Q" \([a-z_]+\) of user anna allows 2 .+ 0 .*left.+There is room when some of it is given back/,
      ),
    });
    expect(resources.find(`${type} three`)).toBeUndefined();
    // Somebody else has a limit of their own; a sign of life is no use of it.
    await add('four', 'bert');
    await add('two');
    resources.release(`${type} one`);
    await add('three');
    resources.unregister(`${type} three`);
    expect(await standing(type)).toBe(2);
    resources.unregister(`${type} two`);
    resources.unregister(`${type} four`);
    expect(await standing(type)).toBe(0);
  }
});

test('memory is counted by its bytes, as it grows and shrinks, and what does not fit stays as it was', async () => {
  const { resources, claims, register } = await open({ counts: 'memory', period: 'forever', limit: 1_000 });
  await register('heap', { type: 'memory', sizeBytes: 600 });
  await claims.touch('heap', { sizeBytes: 900 });
  expect(await standing()).toBe(900);
  await expect(claims.touch('heap', { sizeBytes: 1_001 })).rejects.toMatchObject({ code: 'quota/exceeded' });
  expect(resources.require('heap').sizeBytes).toBe(900);
  await claims.touch('heap', { sizeBytes: 200 });
  expect(await standing()).toBe(200);
  await register('other', { type: 'memory', sizeBytes: 800 });
  resources.release('heap');
  expect(await standing()).toBe(800);
});

test('two signs of life at once claim what it grew by once', async () => {
  const { claims, register } = await open({ counts: 'memory', period: 'forever', limit: 1_000 });
  await Promise.all([register('heap', { type: 'memory', sizeBytes: 100 }), register('heap', { type: 'memory' })]);
  await Promise.all([claims.touch('heap', { sizeBytes: 600 }), claims.touch('heap', { sizeBytes: 600 })]);
  expect(await standing()).toBe(600);
  // One that is refused holds up none after it.
  const turned = [claims.touch('heap', { sizeBytes: 2_000 }), claims.touch('heap', { sizeBytes: 700 })];
  expect((await Promise.allSettled(turned)).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  expect(await standing()).toBe(700);
});

test('of a quota that begins anew registering is a use, which nothing gives back', async () => {
  const { resources, register } = await open({ counts: 'database_connection', period: 'minute', limit: 1 });
  await register('one');
  resources.release('one');
  await expect(register('two')).rejects.toMatchObject({ code: 'quota/exceeded', retryAfterSeconds: 60 });
  await found.clock.advance(60_000);
  await register('two');
});

test('in shadow mode what is held is counted and told, nobody is turned away, and the dead keep nothing', async () => {
  const lasting = { counts: 'database_connection', period: 'forever', limit: 1, shadow: true } as const;
  const { quota, resources, register } = await open(lasting);
  await register('one');
  await register('two');
  expect(await standing()).toBe(2);
  await found.quotas.flush();
  expect(await quota.violations()).toEqual({ open: 1, total: 1 });
  // Two more of the default quotas count connections to databases, also only so.
  expect(found.quotas.totals()).toMatchObject({ checks: 2, blocks: 0 });
  resources.release('one');
  expect(await standing()).toBe(1);
  await found.clock.advance(31_000);
  await found.quotas.ledger.reap();
  const { buckets } = await readUsage(found.state.db, found.quotas.definitions.require('q'), {
    ...{ nowMs: found.clock.now(), limit: 10 },
  });
  expect(buckets.map(({ total }) => total)).toEqual([0]);
});

test('without its ledger a closed quota lets nothing be registered, and an open one keeps nothing for ever', async () => {
  const lasting = { period: 'forever', limit: 1 } as const;
  const { register } = await open(
    { id: 'closed', counts: 'lock', ...lasting },
    { id: 'open', counts: 'thread', whenLost: 'open', ...lasting },
  );
  const { unit } = found.state.db;
  Object.assign(found.state.db, { unit: () => Promise.reject(new Error('the database is gone')) });
  await expect(register('lock', { type: 'lock' })).rejects.toMatchObject({ code: 'quota/unavailable' });
  await register('one', { type: 'thread' });
  await register('two', { type: 'thread' });
  Object.assign(found.state.db, { unit });
  expect(await standing('open')).toBe(0);
});
