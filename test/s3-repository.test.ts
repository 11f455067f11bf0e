import { rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rebuildCatalogueOffline, recoverOffline } from '../src/app/index.ts';
import { parseRepositoryLocation, recoveryKit } from '../src/backup/index.ts';
import { readConfig, requireConfig } from '../src/config/index.ts';
import { silentLogger } from '../src/platform/logging.ts';
import {
  failureOf,
  type OpenWarden,
  openWarden,
  password,
  prepareDataFolder,
  sampleOf,
  takeGood,
  wait,
  whenFree,
} from './faults/ground.ts';
import { hasPart } from './setup/parts.ts';
import { type StoreObjects, startStore, type TestStore } from './setup/radosgw.ts';
import { contentOf, field, removeFolder, temporaryFolder } from './warden-harness.ts';

const bucket = 'own';

describe.skipIf(!hasPart('restic') || !hasPart('ceph') || !hasPart('openssl'))('a repository in an S3 store', () => {
  let store: TestStore;
  let objects: StoreObjects;
  let dataDir: string;
  let warden: OpenWarden;
  let secret: string;
  /** What says where the repository is, and opens the store. */
  let here: { BACKUP_DIR: string } & Record<string, string>;

  const run = async (verb: string, body?: object): Promise<unknown> =>
    (await warden.call('POST', `/api/v1/repository/${verb}`, body, wait)).body;

  beforeAll(async () => {
    store = await startStore();
    const keys = await store.user('owner');
    secret = keys.AWS_SECRET_ACCESS_KEY;
    objects = store.objects(keys);
    dataDir = await prepareDataFolder('s3');
    // One with a light key, so that no start of restic stretches the password.
    await objects.makeBucket(bucket);
    const prepared = join(dataDir, 'repository');
    for (const name of await readdir(prepared, { recursive: true }))
      if (/^config$|^keys\/./.test(name))
        await objects.write(bucket, `here/${name}`, await readFile(join(prepared, name)));
    rmSync(prepared, { recursive: true });
    writeFileSync(join(dataDir, 's3-secret'), `${secret}\n`, { mode: 0o600 });
    here = {
      BACKUP_DIR: store.tlsLocation(`${bucket}/here`),
      RAGWARDEN_REPOSITORY_CA_FILE: store.certificate.certFile,
      AWS_ACCESS_KEY_ID: keys.AWS_ACCESS_KEY_ID,
      AWS_SECRET_ACCESS_KEY_FILE: join(dataDir, 's3-secret'),
    };
    warden = await openWarden(dataDir, { settings: here });
    await warden.call('POST', '/api/v1/backup/stop');
  });
  afterAll(async () => {
    await warden?.stop();
    await store?.remove();
    if (dataDir) removeFolder(dataDir);
  });

  test('takes points with keys from variable and file and a certificate of its own, and a lost workspace comes back', async () => {
    const { workspace } = sampleOf(dataDir);
    const point = await takeGood(warden);
    expect((await warden.call('GET', '/api/v1/repository')).body).toMatchObject({
      ...{ location: store.tlsLocation(`${bucket}/here`), kind: 's3', state: 'ok', locks: [], warnings: [] },
    });
    expect((await objects.list(bucket, 'here/snapshots/')).length).toBeGreaterThan(0);
    const verify = () => warden.call('POST', `/api/v1/backup/points/${point}/verify`, undefined, wait);
    expect((await whenFree(verify)).body).toMatchObject({ state: 'succeeded' });
    const before = contentOf(workspace);
    rmSync(workspace, { recursive: true });
    const plan = await warden.call('POST', `/api/v1/backup/restore/${point}`, { plan_only: true });
    expect(field(plan.body, 'blockers')).toEqual([]);
    const confirmed = { plan_id: field(plan.body, 'plan_id'), confirm: true };
    const restore = () => warden.call('POST', `/api/v1/backup/restore/${point}`, confirmed, wait);
    expect(field((await whenFree(restore)).body, 'error')).toBeNull();
    expect(contentOf(workspace)).toEqual(before);
    const drilled = await warden.call('POST', '/api/v1/recovery/drills', { backup_id: point }, wait);
    expect(field(drilled.body, 'result'), drilled.text).toMatchObject({ verdict: 'passed', backup_id: point });
  });

  test('tells a machine that has nothing else which points there are, and brings one back there by the kit', async () => {
    const point = await takeGood(warden);
    const machine = temporaryFolder('s3-machine');
    try {
      const kit = join(machine, 'kit.txt');
      const location = parseRepositoryLocation(here.BACKUP_DIR, 'file');
      writeFileSync(kit, recoveryKit({ repositories: [{ location }], password, formatVersion: 1, createdAtMs: 0 }));
      const dataDir = join(machine, 'data');
      // The kit has no keys of the store: they come as for the warden, whose BACKUP_DIR is not set here.
      const { BACKUP_DIR, ...keys } = here;
      const configOf = (env: Record<string, string>) =>
        requireConfig(readConfig({ env: { ...env, RAGWARDEN_DATA_DIR: dataDir }, cwd: machine }));
      const always = { log: silentLogger, signal: new AbortController().signal };
      const folders = new Map(['workspace', 'inputs'].map((name) => [name, join(machine, name)]));
      const report = await recoverOffline(configOf(keys), {
        ...{ ...always, kitFile: kit, folders, pointId: point, without: new Set(), besideDir: join(machine, 'beside') },
        ...{ confirm: async () => true, tell: () => undefined },
      });
      expect(report).toMatchObject({ recovered: true, backup_id: point, blockers: [] });
      expect(contentOf(join(machine, 'workspace'))).toEqual(contentOf(sampleOf(warden.dataDir).workspace));
      // The list of points was lost with the data folder, and the password came with the kit.
      rmSync(join(dataDir, 'state.sqlite'), { force: true });
      const rebuilt = await rebuildCatalogueOffline(configOf({ ...keys, BACKUP_DIR }), { ...always, dryRun: false });
      expect(JSON.stringify(rebuilt)).toContain(point);
    } finally {
      removeFolder(machine);
    }
  });

  test('is thinned out and checked there, is full in time, and its secret is told nowhere', async () => {
    const point = await takeGood(warden);
    const packs = async () => (await objects.list(bucket, 'here/data/')).length;
    const before = await packs();
    const graph = field((await warden.points())[0], 'target_id');
    const snapshots = `/api/v1/backup-replication/backup/graphs/${graph}/snapshots`;
    const dropped = await warden.call('DELETE', `${snapshots}/${point}?force=true`);
    expect(dropped.status, dropped.text).toBeLessThan(300);
    expect(field(await run('forget'), 'state')).toBe('succeeded');
    expect(field(await run('prune'), 'state')).toBe('succeeded');
    expect(await packs()).toBeLessThan(before);
    expect(field(await run('check', { read_data: true }), 'result')).toMatchObject({ sound: true, read_data: 'all' });
    await store.limit('owner', 1_000);
    const full = await warden.take();
    await store.limit('owner', 1e9);
    expect(failureOf(full)).toMatch(/^storage\/full: /);
    await takeGood(warden);
    const told = await Promise.all(
      ['/api/v1/settings', '/api/v1/repository', '/api/v1/events?limit=200', '/metrics'].map(
        async (path) => (await warden.call('GET', path)).text,
      ),
    );
    for (const text of [warden.log(), ...told]) expect(text).not.toContain(secret);
  });
});
