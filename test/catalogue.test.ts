import { readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rebuildCatalogueOffline } from '../src/app/index.ts';
import { readConfig, requireConfig } from '../src/config/index.ts';
import { silentLogger } from '../src/platform/logging.ts';
import {
  failureOf,
  type OpenWarden,
  openWarden,
  password,
  prepareDataFolder,
  prepareRepository,
  restic,
  sampleOf,
  takeGood,
  wait,
} from './faults/ground.ts';
import { hasPart } from './setup/parts.ts';
import { field, removeFolder, startWarden, temporaryFolder, until } from './warden-harness.ts';

type Row = Record<string, unknown>;

/** The table as it lies on disk, while nobody has it open or beside whoever has. */
function dump(dataDir: string, where = '1 = 1'): Row[] {
  const database = new DatabaseSync(join(dataDir, 'state.sqlite'), { readOnly: true, timeout: 5_000 });
  try {
    return database.prepare(`select * from recovery_point where ${where} order by taken_ms, id`).all();
  } finally {
    database.close();
  }
}

function change(dataDir: string, statement: string, ...values: string[]): void {
  const database = new DatabaseSync(join(dataDir, 'state.sqlite'), { timeout: 5_000 });
  database.prepare(statement).run(...values);
  database.close();
}

const existing = `status in ('success', 'partial') and forgotten_ms is null`;

describe.skipIf(!hasPart('restic'))('the catalogue of recovery points', () => {
  const place = temporaryFolder('catalogue-repository');
  const repository = join(place, 'repository');
  const passwordFile = join(place, 'password');
  const settings = { BACKUP_DIR: repository, RAGWARDEN_REPOSITORY_PASSWORD_FILE: passwordFile };
  const asOperator = (args: readonly string[], options = {}): string => restic(repository, passwordFile, args, options);
  const folders: string[] = [place];
  let dataDir: string;
  let warden: OpenWarden;
  let before: Row[];
  const ids: { scheduled: string; manual: string; partial: string } = { scheduled: '', manual: '', partial: '' };

  const rebuild = async (body: object = {}): Promise<unknown> => {
    const answer = await warden.call('POST', '/api/v1/backup/rebuild-catalogue', body, wait);
    expect(field(answer.body, 'error')).toBeNull();
    return field(answer.body, 'result');
  };
  const actions = (report: unknown): Record<string, unknown> => {
    const items = field(report, 'items');
    return Object.fromEntries(
      (Array.isArray(items) ? items : []).map((item) => [field(item, 'backup_id'), field(item, 'action')]),
    );
  };

  beforeAll(async () => {
    await prepareRepository(repository, passwordFile);
    dataDir = await prepareDataFolder('catalogue', { repository: join(place, 'unused') });
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
    folders.push(dataDir);
    warden = await openWarden(dataDir, { settings: { ...settings, RAGWARDEN_BACKUP_AT_START: 'true' } });
    await until('the scheduled point', async () => ((await warden.points()).length === 1 ? true : undefined));
    ids.scheduled = String(field((await warden.points())[0], 'backup_id'));
    // An empty list of points would make it take another one in the middle of a test.
    expect((await warden.call('POST', '/api/v1/backup/stop')).status).toBe(200);
    ids.manual = await takeGood(warden);
    symlinkSync('/etc', join(sampleOf(dataDir).workspace, 'outside'));
    ids.partial = await takeGood(warden);
    rmSync(join(sampleOf(dataDir).workspace, 'outside'));
    expect((await warden.call('PUT', `/api/v1/backup/points/${ids.manual}/pin`)).body).toMatchObject({
      pinned: true,
      allowed_actions: ['restore', 'verify', 'unpin'],
    });
    const verified = await warden.call('POST', `/api/v1/backup/points/${ids.scheduled}/verify`, undefined, wait);
    expect(field(verified.body, 'state')).toBe('succeeded');
    before = dump(dataDir, existing);
  }, 120_000);
  afterAll(async () => {
    await warden?.stop();
    for (const folder of folders) removeFolder(folder);
  });

  test('holds points of several kinds to begin with', () => {
    expect(before.map((row) => [row.cause, row.status, row.pinned])).toEqual([
      ['scheduled', 'success', 0],
      ['manual', 'success', 1],
      ['manual', 'partial', 0],
    ]);
    const [scheduled] = before;
    expect(Number(scheduled?.verified_ms)).toBeGreaterThan(Number(scheduled?.finished_ms));
    for (const row of before)
      for (const [column, value] of Object.entries(row))
        if (!['error', 'forgotten_ms', 'workspace'].includes(column))
          expect([column, value]).not.toEqual([column, null]);
  });

  test('a rebuild that finds both sides agreeing changes nothing', async () => {
    expect(await rebuild()).toMatchObject({ added: 0, completed: 0, kept: 3, lost: 0, mismatched: 0, refused: 0 });
    expect(dump(dataDir, existing)).toEqual(before);
  });

  test('a dry run shows what would come and changes nothing; a rebuild gives back every row as it was', async () => {
    change(dataDir, 'delete from recovery_point');
    const plan = await rebuild({ dry_run: true });
    expect(plan).toMatchObject({ dry_run: true, added: 3 });
    expect(dump(dataDir)).toEqual([]);
    expect(await rebuild()).toMatchObject({ dry_run: false, added: 3, leftovers: [] });
    expect(dump(dataDir)).toEqual(before);
    expect(await rebuild()).toMatchObject({ added: 0, kept: 3 });
    expect(field((await warden.events('backup.catalogue-rebuilt'))[0], 'data', 'add')).toBe(3);
    const audit = field((await warden.call('GET', '/api/v1/audit?action=backup.rebuild-catalogue')).body, 'items');
    expect(Array.isArray(audit) && audit.length).toBe(3);
  });

  test('what is missing comes, what was forgotten stays forgotten, what is being taken is left alone', async () => {
    change(dataDir, 'delete from recovery_point where id = ?', ids.partial);
    change(dataDir, 'update recovery_point set forgotten_ms = 1 where id = ?', ids.manual);
    change(dataDir, `update recovery_point set status = 'running' where id = ?`, ids.scheduled);
    const report = await rebuild();
    expect(actions(report)).toEqual({ [ids.scheduled]: 'leave', [ids.manual]: 'keep', [ids.partial]: 'add' });
    expect(dump(dataDir).map((row) => [row.id, row.status, row.forgotten_ms])).toEqual([
      [ids.scheduled, 'running', null],
      [ids.manual, 'success', 1],
      [ids.partial, 'partial', null],
    ]);
    change(dataDir, 'update recovery_point set forgotten_ms = null where id = ?', ids.manual);
    change(dataDir, `update recovery_point set status = 'success' where id = ?`, ids.scheduled);
    expect(dump(dataDir)).toEqual(before);
  });

  test('one that the repository lost is marked, told and not offered; when it is there again it is as it was', async () => {
    const [snapshot] = JSON.parse(asOperator(['snapshots', '--json', '--tag', `rp:${ids.partial}`]));
    const [kept, aside] = [join(repository, 'snapshots', snapshot.id), join(place, snapshot.id)];
    renameSync(kept, aside);
    expect(await rebuild()).toMatchObject({ lost: 1, kept: 2 });
    expect(field((await warden.events('backup.point-lost'))[0], 'message')).toContain(ids.partial);
    expect((await warden.points()).map((point) => field(point, 'backup_id'))).toEqual([ids.manual, ids.scheduled]);
    expect(failureOf((await warden.plan(ids.partial)).body)).toMatch(/conflict\/state: .* is lost/);
    expect(await rebuild()).toMatchObject({ lost: 0, kept: 2 });
    renameSync(aside, kept);
    expect(await rebuild()).toMatchObject({ added: 1, kept: 2 });
    expect(dump(dataDir)).toEqual(before);
  });

  test('what is altered, foreign, rejected or half there is refused alone, and named', async () => {
    const tree = join(place, 'tree');
    asOperator(['restore', '--quiet', '--tag', `rp:${ids.manual}`, '--target', tree, 'latest']);
    const manifest = JSON.parse(readFileSync(join(tree, 'manifest.json'), 'utf8'));
    const names = manifest.components.map((one: { name: string }) => `component:${one.name}`);
    const store = (id: string, told: unknown, tags: readonly string[]): void => {
      writeFileSync(join(tree, 'manifest.json'), typeof told === 'string' ? told : JSON.stringify(told));
      const all = [`rp:${id}`, ...tags].map((tag) => `--tag=${tag}`);
      asOperator(['backup', '--quiet', ...all, 'manifest.json'], { cwd: tree });
    };
    const whole = ['manifest', 'target:default', ...names];
    const made = (tail: string): string => `backup_20260101_000000_${tail}`;
    store(made('aaaa'), manifest, whole);
    store(made('bbbb'), { ...manifest, id: made('bbbb'), target: { ...manifest.target, id: 'elsewhere' } }, whole);
    store(made('cccc'), { ...manifest, id: made('cccc'), version: 2 }, whole);
    store(made('dddd'), '{', whole);
    store(made('eeee'), { ...manifest, id: made('eeee') }, [...whole, 'rejected']);
    store(made('ffff'), { ...manifest, id: made('ffff') }, ['target:default']);
    store(ids.manual, { ...manifest, grade: 'fuzzy' }, whole);
    change(dataDir, 'delete from recovery_point where id = ?', ids.scheduled);
    const report = await rebuild();
    expect(actions(report)).toEqual({
      [made('aaaa')]: 'refuse',
      [made('bbbb')]: 'refuse',
      [made('cccc')]: 'refuse',
      [made('dddd')]: 'refuse',
      [ids.manual]: 'refuse',
      [ids.scheduled]: 'add',
      [ids.partial]: 'keep',
    });
    const leftovers = field(report, 'leftovers');
    expect(Array.isArray(leftovers) && leftovers.map((one) => field(one, 'backup_id')).sort()).toEqual([
      made('eeee'),
      made('ffff'),
    ]);
    expect(dump(dataDir)).toEqual(before);
    const all: { id: string; tags: string[]; time: string }[] = JSON.parse(asOperator(['snapshots', '--json']));
    const [, forged] = all.filter((one) => one.tags.includes(`rp:${ids.manual}`));
    const strange = all.filter((one) => one.tags.some((tag) => tag.startsWith('rp:backup_20260101')));
    asOperator(['forget', '--quiet', String(forged?.id), ...strange.map((one) => one.id)]);
    expect(await rebuild()).toMatchObject({ kept: 3, refused: 0, leftovers: [] });
  });

  test('with the data folder lost, a new one finds the points by itself, goes on after a kill, and offline does the same', async () => {
    await warden.stop();
    const fresh = await prepareDataFolder('catalogue-fresh', { repository: join(place, 'unused-2') });
    folders.push(fresh);
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
    const doomed = await startWarden({
      dataDir: fresh,
      killAt: 'catalogue:item',
      settings: { ...settings, RAGWARDEN_BACKUP_AT_START: 'false' },
    });
    expect((await doomed.exited).signal).toBe('SIGKILL');
    expect(dump(fresh)).toHaveLength(1);
    warden = await openWarden(fresh, { settings });
    await until('the other points', () => (dump(fresh).length === 3 ? true : undefined));
    expect(dump(fresh)).toEqual(before);

    const offline = temporaryFolder('catalogue-offline');
    folders.push(offline);
    const config = requireConfig(
      readConfig({ env: { ...settings, RAGWARDEN_DATA_DIR: offline }, cwd: offline, flags: {} }),
    );
    const work = { dryRun: false, log: silentLogger, signal: new AbortController().signal };
    expect(await rebuildCatalogueOffline(config, work)).toMatchObject({ added: 3 });
    expect(dump(offline)).toEqual(before);
    await expect(rebuildCatalogueOffline({ ...config, dataDir: fresh }, work)).rejects.toMatchObject({
      code: 'storage/data-folder-in-use',
    });
  });

  test('no repository, or a wrong password, is an error and loses nothing', async () => {
    const rows = dump(warden.dataDir);
    renameSync(join(repository, 'config'), join(place, 'config-aside'));
    const gone = await warden.call('POST', '/api/v1/backup/rebuild-catalogue', undefined, wait);
    expect(failureOf(gone.body)).toMatch(/^repository\/missing: /);
    renameSync(join(place, 'config-aside'), join(repository, 'config'));
    writeFileSync(passwordFile, 'another password\n');
    const wrong = await warden.call('POST', '/api/v1/backup/rebuild-catalogue', undefined, wait);
    expect(failureOf(wrong.body)).toMatch(/^repository\/wrong-password: /);
    writeFileSync(passwordFile, `${password}\n`);
    expect(dump(warden.dataDir)).toEqual(rows);
  });
});
