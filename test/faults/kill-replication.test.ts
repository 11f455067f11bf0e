import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { makeLightRepository } from '../../src/backup/repository/light-key.fixture.ts';
import { hasPart } from '../setup/parts.ts';
import { sharedPostgresUrl } from '../setup/shared-postgres.ts';
import {
  contentOf,
  field,
  type RunningWarden,
  removeFolder,
  startWarden,
  temporaryFolder,
  until,
} from '../warden-harness.ts';
import { calm, password, processesOf, restic, sampleOf, wait, whenFree } from './ground.ts';
import { type Prepared, prepareOnePoint } from './killed.ts';

const targets = '/api/v1/backup-replication/replication/targets';

/**
 * One life after the other on one data folder, each ended by SIGKILL at its boundary; the next finds what that one left. So a phase
 * costs one start, and the last life shows that none of the kills before did harm.
 */
function livesOn(dataDir: string, settings: Record<string, string>) {
  const start = (killAt?: string, more: Record<string, string> = {}) =>
    startWarden({ dataDir, settings: { ...calm, ...settings, ...more }, ...(killAt === undefined ? {} : { killAt }) });
  return {
    start,
    /** @param ask what brings it to the boundary; undefined: what the life before had begun */
    async killed(
      killAt: string,
      ask?: (warden: RunningWarden) => Promise<unknown>,
      more?: Record<string, string>,
    ): Promise<void> {
      const doomed = await start(killAt, more).catch((err: unknown) => {
        // It came to the boundary before it said that it was ready.
        if (ask === undefined && String(err).includes('(SIGKILL)')) return undefined;
        throw err;
      });
      // The answer may be lost with the process.
      if (doomed) await ask?.(doomed).catch((err: unknown) => err);
      if (doomed) await diesOf(killAt, doomed);
      await until('its child processes to be gone', () => (processesOf(dataDir).length === 0 ? true : undefined));
    },
  };
}

/** One that does not come there is ended, and says so. */
async function diesOf(killAt: string, doomed: RunningWarden): Promise<void> {
  await until(`the kill at ${killAt}`, () => doomed.process.signalCode ?? undefined).catch(async (err: unknown) => {
    doomed.process.kill('SIGKILL');
    await doomed.exited;
    throw new Error(`${String(err)}\n${doomed.log().slice(-3_000)}`);
  });
  expect(doomed.process.signalCode).toBe('SIGKILL');
}

describe.skipIf(!hasPart('restic'))('SIGKILL', () => {
  let prepared: Prepared;
  const folders: string[] = [];
  beforeAll(async () => {
    prepared = await prepareOnePoint();
  });
  afterAll(() => {
    for (const folder of [prepared?.dataDir, ...folders]) if (folder !== undefined) removeFolder(folder);
  });
  const copyOfIt = (): string => {
    const dataDir = temporaryFolder('kill-replication');
    folders.push(dataDir);
    cpSync(prepared.dataDir, dataDir, { recursive: true, preserveTimestamps: true });
    return dataDir;
  };

  test.concurrent('at every phase of a copy and of a heal, of the copy and of what is here: nothing is half-listed, the good side stays whole, and the next life ends it', async () => {
    const dataDir = copyOfIt();
    const cellar = temporaryFolder('kill-cellar');
    folders.push(cellar);
    await makeLightRepository(cellar, password);
    const { start, killed } = livesOn(dataDir, { LIGHTRAG_REPLICATION_ENABLED: 'true' });
    const passwordFile = join(dataDir, 'repository-password');
    const manifests = (place: string): number =>
      JSON.parse(restic(place, passwordFile, ['snapshots', '--json', '--no-lock', '--tag', 'manifest'])).length;
    const own = join(dataDir, 'repository');
    const copies = async (warden: RunningWarden) =>
      field((await warden.call('GET', `${targets}/cellar`)).body, 'lag', 0, 'copies');

    await killed('replicate:begun', (warden) =>
      warden.call('POST', targets, { name: 'cellar', target_id: 'cellar', location: cellar }),
    );
    expect(manifests(cellar)).toBe(0);
    await killed('replicate:copied');
    // It is there, and nobody had noted it yet.
    expect(manifests(cellar)).toBe(1);
    const healed = async (warden: RunningWarden, which: 'source' | 'target'): Promise<unknown> =>
      (await whenFree(() => warden.call('POST', `${targets}/cellar/heal`, { damaged: which, confirm: true }, wait)))
        .body;
    const heal = async (warden: RunningWarden) => {
      await until('the copy to be noted', async () => ((await copies(warden)) === 1 ? true : undefined));
      return healed(warden, 'target');
    };
    const healSource = (warden: RunningWarden) => healed(warden, 'source');
    const damaged = (warden: RunningWarden) => {
      damageLargestPack(cellar);
      return heal(warden);
    };
    await killed('heal:planned', damaged);
    expect(manifests(cellar)).toBe(1);
    for (const boundary of ['heal:forgotten', 'heal:mended']) await killed(boundary, heal);
    expect(manifests(own)).toBe(1);
    // What was dropped comes back by a copy in the next life, before anybody heals.
    await killed('heal:copied', damaged);
    expect([manifests(own), manifests(cellar)]).toEqual([1, 1]);
    const between = await start();
    try {
      expect(field(await heal(between), 'error')).toBeNull();
      expect(manifests(cellar)).toBe(1);
      restic(cellar, passwordFile, ['check', '--read-data', '--no-lock']);
    } finally {
      await between.stop();
    }
    // The other way round: what is damaged here comes from the copy.
    damageLargestPack(own);
    for (const boundary of ['heal:planned', 'heal:forgotten', 'heal:copied']) {
      await killed(boundary, healSource);
      expect(manifests(cellar)).toBe(1);
    }
    const warden = await start();
    try {
      expect(field(await healSource(warden), 'error')).toBeNull();
      expect([manifests(own), manifests(cellar)]).toEqual([1, 1]);
      restic(cellar, passwordFile, ['check', '--read-data', '--no-lock']);
      restic(own, passwordFile, ['check', '--read-data', '--no-lock']);
      const { body } = await warden.call('GET', '/api/v1/backup-replication/replication/logs?limit=100');
      const log = field(body, 'items') as { status: string; operation_type: string }[];
      expect(log.filter(({ status }) => status === 'in_progress' || status === 'pending')).toEqual([]);
      expect(log.filter((one) => one.operation_type === 'heal' && one.status === 'validated')).toHaveLength(2);
      const point = await warden.call('GET', `/api/v1/backup/points/${prepared.pointId}`);
      expect(point.body).toMatchObject({ status: 'success' });
    } finally {
      await warden.stop();
    }
  }, 600_000);

  test.skipIf(!hasPart('postgresql')).concurrent(
    'of one of two that share a PostgreSQL, in the middle of a copy: the other goes on when its lease is over, not before, and each point lies once at each place',
    async () => {
      const database = `two_wardens_${process.pid}_${Date.now()}`;
      const url = new URL(await sharedPostgresUrl());
      const query = async (sql: string, at = database): Promise<void> => {
        const client = new pg.Client({ connectionString: Object.assign(new URL(url), { pathname: `/${at}` }).href });
        await client.connect();
        await client.query(sql).finally(() => client.end());
      };
      await query(`create database ${database}`, 'postgres');
      const [one, other] = [copyOfIt(), copyOfIt()];
      const own = join(one, 'repository');
      const places = ['near', 'far'].map((name) => ({ name, location: temporaryFolder(`two-${name}`) }));
      folders.push(...places.map(({ location }) => location));
      for (const { location } of places) await makeLightRepository(location, password);
      const start = (dataDir: string, instance: string, killAt = '') =>
        startWarden({
          ...{ dataDir, killAt },
          settings: {
            ...calm,
            LIGHTRAG_RECOVERY_DB_URL: Object.assign(new URL(url), { pathname: `/${database}` }).href,
            ...{ RAGWARDEN_INSTANCE: instance, BACKUP_DIR: own, LIGHTRAG_REPLICATION_ENABLED: 'true' },
            // It looks when it is told to.
            LIGHTRAG_REPLICATION_HEALTH_CHECK_INTERVAL: '86400',
          },
        });
      const register = (warden: RunningWarden, { name, location }: (typeof places)[number]) =>
        warden.call('POST', targets, { name, target_id: name, location });
      const [near, far] = places as [(typeof places)[number], (typeof places)[number]];
      // Migrations are made by the first.
      const living = await start(other, 'living');
      try {
        const doomed = await start(one, 'doomed', 'replicate:copied');
        const taken = await whenFree(() => doomed.call('POST', '/api/v1/backup/trigger', undefined, wait));
        expect(field(taken.body, 'error')).toBeNull();
        // The answer may be lost with the process.
        await register(doomed, near).catch((err: unknown) => err);
        await diesOf('replicate:copied', doomed);
        // However slow this machine is.
        await query(`update lease set expires_ms = expires_ms + 3600000 where name = 'replica:near'`);
        expect((await register(living, far)).status).toBe(201);
        const copies = async (name: string) =>
          Number(field((await living.call('GET', `${targets}/${name}`)).body, 'lag', 0, 'copies'));
        const missing = async (name: string) =>
          Number(field((await living.call('GET', `${targets}/${name}`)).body, 'lag', 0, 'missing_points'));
        const replicate = () => living.call('POST', `${targets}/near/replicate`, {}, wait);
        expect(field((await replicate()).body, 'code')).toBe('operation/busy');
        expect(await copies('near')).toBe(0);
        // Its time is over.
        await query(`update lease set expires_ms = 0 where name = 'replica:near'`);
        const went = await whenFree(replicate);
        expect(field(went.body, 'error')).toBeNull();
        await until('the other place to have all', async () => ((await missing('far')) === 0 ? true : undefined));
        const points = (field((await living.call('GET', '/api/v1/backup/points')).body, 'items') as unknown[]).length;
        expect([points > 0, await copies('near'), await copies('far')]).toEqual([true, points, points]);
        for (const { location } of places) {
          const list = ['snapshots', '--json', '--no-lock', '--tag', 'manifest'];
          const found = JSON.parse(restic(location, join(one, 'repository-password'), list)) as { tags: string[] }[];
          expect(new Set(found.map(({ tags }) => tags.find((tag) => tag.startsWith('rp:')))).size).toBe(points);
          expect(found).toHaveLength(points);
        }
      } finally {
        await living.stop();
        await query(`drop database ${database} with (force)`, 'postgres');
      }
    },
    600_000,
  );

  test.concurrent('at every phase of a failover, of a reseed and of a way back: it ends by itself, one place serves, and the gateway leads there', async () => {
    const dataDir = copyOfIt();
    const home = sampleOf(dataDir).workspace;
    const standby = join(dataDir, 'sample-standby', 'rag_storage');
    const { start, killed } = livesOn(dataDir, { RAGWARDEN_GATEWAY_ENABLED: 'true' });
    const begin = (what: 'failover' | 'reseed') => (warden: RunningWarden) =>
      whenFree(() => warden.call('POST', `/api/v1/recovery/${what}`, { confirm: true }));
    const ended = async (warden: RunningWarden): Promise<unknown> => {
      const shown = await until('it to be over', async () => {
        const { body } = await warden.call('GET', '/api/v1/recovery/failover');
        return field(body, 'running') === null ? body : undefined;
      });
      // Whoever goes through the gateway comes to the one place that there is.
      await until('the gateway to lead to it', async () =>
        (await fetch(`${warden.gateway}/documents/status_counts`)).status === 200 ? true : undefined,
      );
      // Of the backend alone: restic names the folder too, as long as it reads there.
      const servers = (folder: string) => processesOf(folder).filter(({ args }) => args.includes('sample-backend'));
      const serving = () => [home, standby].map((folder) => servers(folder).length);
      await vi.waitFor(() => expect(serving()).toEqual(field(shown, 'active') === 'home' ? [1, 0] : [0, 1]));
      return shown;
    };

    await killed('failover:choosing', begin('failover'));
    const phases = ['fencing', 'restoring', 'recover:workspace-marked', 'starting', 'checking'];
    for (const phase of [...phases, 'switching', 'switched', 'verifying']) await killed(`failover:${phase}`);
    const first = await start('failover:taking');
    expect(await ended(first)).toMatchObject({
      active: 'standby',
      last: { state: 'succeeded', from: 'home', to: 'standby', lives: 10 },
    });
    expect(contentOf(standby)).toEqual(prepared.good);

    // The same life asks for the reseed, and dies of it. What somebody left there meanwhile has to be put aside.
    writeFileSync(join(home, 'kv_store_full_docs.json'), '{}');
    await begin('reseed')(first).catch((err: unknown) => err);
    await diesOf('failover:taking', first);
    for (const phase of ['restoring', 'set-aside']) await killed(`failover:${phase}`);
    const second = await start('failover:retreating', {
      RAGWARDEN_CANARY_QUESTION: 'What is never answered?',
      RAGWARDEN_CANARY_EXPECTED: 'what nobody says',
    });
    expect(await ended(second)).toMatchObject({ active: 'standby', seeded: { place: 'home' } });
    expect(contentOf(home)).toEqual(contentOf(standby));

    // The way back fails at its canary, and what takes it back is killed as well.
    await begin('failover')(second).catch((err: unknown) => err);
    await diesOf('failover:retreating', second);
    await killed('failover:taken-back');
    const last = await start();
    try {
      expect(await ended(last)).toMatchObject({ active: 'standby', last: { state: 'failed', from: 'standby' } });
      expect(contentOf(standby)).toEqual(prepared.good);
    } finally {
      await last.stop();
    }
  }, 600_000);
});

/** The largest holds data, the others trees. */
function damageLargestPack(repository: string): void {
  const below = join(repository, 'data');
  const packs = readdirSync(below, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort((one, other) => statSync(other).size - statSync(one).size);
  const [largest = ''] = packs;
  const bytes = readFileSync(largest);
  bytes[1_000] = (bytes[1_000] ?? 0) ^ 0xff;
  writeFileSync(largest, bytes);
}
