import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from '../setup/parts.ts';
import { type PostgresCluster, startPostgresCluster } from '../setup/postgres-cluster.ts';
import { startRedis, type TestRedis } from '../setup/redis-server.ts';
import { field, until } from '../warden-harness.ts';
import { type AllStores, differing, prepareAllStores } from './all-stores.ts';
import { failureOf, type OpenWarden, openWarden, takeGood, wait, whenFree } from './ground.ts';

const never = (): never => {
  throw new Error('no such store');
};

/** The servers are ended at once in the middle of the work, and come back when it is over. */
describe.skipIf(!hasPart('restic') || !hasPart('postgresql') || !hasPart('redis'))('a store that dies', () => {
  let cluster: PostgresCluster;
  let redis: TestRedis;
  let stores: AllStores;
  let warden: OpenWarden;
  let step: (name: string) => Promise<void> | void = () => {};
  beforeAll(async () => {
    cluster = await startPostgresCluster({ durable: true });
    redis = await startRedis('--appendonly', 'yes', '--appendfsync', 'always');
    stores = await prepareAllStores('dying', { redis, redisDatabase: 0, server: cluster.url('postgres') });
    warden = await openWarden(stores.dataDir, {
      settings: { ...stores.settings, RAGWARDEN_TARGET_START_TIMEOUT: '1' },
      step: (name) => step(name),
    });
  });
  afterAll(async () => {
    await warden?.stop();
    await stores?.remove();
    await redis?.remove();
    await cluster?.remove();
  });

  const dies: Record<string, { end(): Promise<void>; back(): Promise<void>; says: RegExp }> = {
    PostgreSQL: { end: () => cluster.takeAway(), back: () => cluster.giveBack(), says: /database|PostgreSQL|pg_/i },
    Redis: { end: () => redis.kill(), back: () => redis.again(), says: /redis/i },
  };
  /** Told by name: of a long one a report shows that it is one. */
  const nothingIsLeft = async (): Promise<void> => {
    const left = await stores.leftovers();
    expect(left, left.join(', ')).toEqual([]);
  };
  /** Once, at this boundary. */
  const at = (boundary: string, work: () => Promise<void>): void => {
    step = async (name) => {
      if (name !== boundary) return;
      step = () => {};
      await work();
    };
  };

  test.each([
    ['PostgreSQL', 'backup:captured-database'],
    ['Redis', 'backup:captured-database'],
    ['PostgreSQL', 'backup:captured-redis'],
  ])('%s at %s: no point, it is said what failed, and the next one is taken', async (which, boundary) => {
    const { end, back, says } = dies[which] ?? never();
    const before = (await warden.points()).length;
    at(boundary, end);
    const taken = await whenFree(() => warden.call('POST', '/api/v1/backup/trigger', undefined, wait));
    await back();
    expect(failureOf(taken.body)).toMatch(/^backup\/capture-failed: /);
    expect(failureOf(taken.body)).toMatch(says);
    expect(field((await warden.history())[0], 'status')).toBe('error');
    expect(await warden.points()).toHaveLength(before);
    await takeGood(warden);
    await nothingIsLeft();
  });

  let states = 0;
  test.each([
    ['PostgreSQL', 'restore:postgres:created'],
    ['Redis', 'restore:redis:fetched'],
    ['PostgreSQL', 'restore:exchanged-database'],
    ['Redis', 'restore:exchanged-redis'],
  ])('%s at %s of a restore: everything stands as before, and the next restore brings all', async (which, boundary) => {
    const { end, back, says } = dies[which] ?? never();
    const good = await stores.state();
    const point = await takeGood(warden);
    states += 1;
    await stores.change(states);
    const bad = await stores.state();
    at(boundary, end);
    const path = `/api/v1/backup/restore/${point}`;
    const body = { confirm: true, safety_point: false };
    const id = String(field((await whenFree(() => warden.call('POST', path, body))).body, 'id'));
    await until('word that the former state waits for the store', async () => {
      const waiting = await warden.events('restore.undo-waits');
      return waiting.some((one) => field(one, 'operation_id') === id) ? true : undefined;
    });
    // Nothing else may come near the target before all of it stands in one state.
    expect(failureOf((await warden.call('POST', '/api/v1/backup/trigger')).body)).toMatch(/^operation\/busy/);
    await back();
    const ended = await until('the end of the restore', async () => {
      const { body: operation } = await warden.call('GET', `/api/v1/operations/${id}`);
      return field(operation, 'state') === 'running' ? undefined : operation;
    });
    expect(field(ended, 'state')).toBe('failed');
    expect(failureOf(ended)).toMatch(says);
    expect(failureOf(ended)).not.toMatch(/^internal/);
    expect(differing(await stores.state(), bad)).toEqual([]);
    await nothingIsLeft();
    const done = await whenFree(() => warden.call('POST', path, body, wait));
    expect(field(done.body, 'error'), done.text).toBeNull();
    expect(differing(await stores.state(), good)).toEqual([]);
    await nothingIsLeft();
  });

  test('a flipped byte in what is stored of a database, is found by verifying, by a drill and by a check', async () => {
    const packs = (): string[] =>
      readdirSync(join(stores.dataDir, 'repository', 'data'), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name));
    await stores.change(1_000);
    let before: string[] = [];
    let stored: string[] = [];
    step = (name) => {
      if (name === 'backup:captured-redis') before = packs();
      if (name === 'backup:completed-database') stored = packs().filter((one) => !before.includes(one));
    };
    const point = await takeGood(warden);
    step = () => {};
    expect(stored.length).toBeGreaterThan(0);
    const asked = async (path: string, body: object = {}) =>
      (await whenFree(() => warden.call('POST', path, body, wait))).body;
    const looks = async (): Promise<void> => {
      expect(failureOf(await asked(`/api/v1/backup/points/${point}/verify`))).toMatch(
        /^repository\/damaged|^backup\/verif/,
      );
      const drilled = await asked('/api/v1/recovery/drills', { backup_id: point });
      expect([field(drilled, 'result', 'verdict'), field(drilled, 'error')]).toEqual(['failed', null]);
      expect((await warden.events('recovery.drill-ended'))[0]).toMatchObject({ severity: 'error' });
    };
    for (const pack of stored) {
      const bytes = readFileSync(pack);
      bytes[100] = (bytes[100] ?? 0) ^ 1;
      chmodSync(pack, 0o600);
      writeFileSync(pack, bytes);
    }
    await looks();
    expect(failureOf(await asked('/api/v1/repository/check', { read_data: true }))).toMatch(/^repository\/damaged/);
  });
});
