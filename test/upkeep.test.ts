import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failureOf, type OpenWarden, openWarden, prepareDataFolder, restic, takeGood, wait } from './faults/ground.ts';
import { hasPart, programOf } from './setup/parts.ts';
import { field, removeFolder, until } from './warden-harness.ts';

const dayMs = 86_400_000;

describe.skipIf(!hasPart('restic'))('a repository is kept in order', () => {
  let dataDir: string;
  let repository: string;
  let passwordFile: string;
  let warden: OpenWarden;
  let point: string;

  const asOperator = (...args: string[]): string => restic(repository, passwordFile, args, { cwd: dataDir });
  const tagsOf = (): string[][] =>
    (JSON.parse(asOperator('snapshots', '--json')) as { tags?: string[] }[]).map(({ tags }) => tags ?? []);
  const run = async (verb: string, body?: object): Promise<unknown> =>
    (await warden.call('POST', `/api/v1/repository/${verb}`, body, wait)).body;
  const upkeepOf = async (operation: string): Promise<unknown> => {
    const { body } = await warden.call('GET', '/api/v1/repository');
    const items = field(body, 'upkeep');
    return (Array.isArray(items) ? items : []).find((one) => field(one, 'operation') === operation);
  };
  const locks = async (): Promise<unknown> => field((await warden.call('GET', '/api/v1/repository')).body, 'locks');

  beforeAll(async () => {
    dataDir = await prepareDataFolder('upkeep');
    repository = join(dataDir, 'repository');
    passwordFile = join(dataDir, 'repository-password');
    warden = await openWarden(dataDir);
    expect((await warden.call('POST', '/api/v1/backup/stop')).status).toBe(200);
    point = await takeGood(warden);
  });
  afterAll(async () => {
    await warden?.stop();
    removeFolder(dataDir);
  });

  test('its status says where it is, that it opens, and that each operation has a success of its own', async () => {
    expect((await warden.call('GET', '/api/v1/repository')).body).toMatchObject({
      location: repository,
      kind: 'folder',
      state: 'ok',
      tool: expect.stringMatching(/^restic 0\./),
      locks: [],
      warnings: [],
    });
    expect(field(await run('prune'), 'result', 'freed_bytes')).toBeGreaterThanOrEqual(0);
    expect(await upkeepOf('prune')).toMatchObject({ last_success_at: expect.any(String), late: false });
    expect(await upkeepOf('check')).toMatchObject({ last_success_at: null });
    expect((await warden.call('GET', '/metrics')).text).toMatch(
      /^ragwarden_repository_last_success_timestamp_seconds\{operation="prune"\} \d/m,
    );
  });

  test('streams of a run that never ended are forgotten after a day, younger ones and foreign snapshots stay', async () => {
    mkdirSync(join(dataDir, 'loose'));
    writeFileSync(join(dataDir, 'loose', 'stream'), 'half a dump');
    const store = (tags: string[], ...more: string[]) =>
      asOperator('backup', '--quiet', ...tags.map((tag) => `--tag=${tag}`), ...more, 'loose');
    const old = '--time=2025-01-01 00:00:00';
    store(['rp:backup_20250101_000000_aaaa', 'target:sample', 'component:postgres'], old);
    store(['rp:backup_20250101_000000_bbbb', 'target:sample', 'component:postgres']);
    store(['of-somebody-else'], old);
    const plan = await run('forget', { dry_run: true });
    const leftovers = [{ backup_id: 'backup_20250101_000000_aaaa', reason: expect.stringContaining('manifest') }];
    expect(field(plan, 'result')).toMatchObject({ dry_run: true, forgotten: [], kept: 1, leftovers });
    expect(tagsOf()).toHaveLength(4);
    expect(await upkeepOf('forget')).toMatchObject({ last_success_at: null });
    expect(field(await run('forget'), 'result')).toMatchObject({ dry_run: false, leftovers });
    const left = tagsOf().flat();
    expect(left).not.toContain('rp:backup_20250101_000000_aaaa');
    expect(left).toEqual(expect.arrayContaining(['rp:backup_20250101_000000_bbbb', 'of-somebody-else', `rp:${point}`]));
    expect((await warden.plan(point)).status).toBe(200);
  });

  test('a lock of a dead process is removed when somebody asks, that of a living one never', async () => {
    const child = spawn(
      programOf('restic'),
      ['--no-cache', '-r', repository, '--password-file', passwordFile, 'backup', '--stdin', '--quiet'],
      { stdio: ['pipe', 'ignore', 'ignore'], env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent' } },
    );
    const ended = once(child, 'exit');
    const [lock] = await until('the lock', async () => {
      const found = await locks();
      return Array.isArray(found) && found.length > 0 ? found : undefined;
    });
    expect(lock).toMatchObject({ pid: child.pid, holder: 'alive' });
    expect(failureOf(await run('unlock', { lock_ids: [field(lock, 'id')] }))).toMatch(
      /^repository\/locked: .*is running/,
    );
    expect(field(await run('unlock'), 'result')).toMatchObject({ removed: [], remaining: [{ pid: child.pid }] });
    // Pruning fails behind it, taking points goes on: only a success of its own tells.
    expect(failureOf(await run('prune'))).toMatch(/^repository\/locked/);
    expect(await upkeepOf('prune')).toMatchObject({ last_error: expect.stringContaining('locked') });
    expect(field(await warden.status(), 'warnings')).toEqual(
      expect.arrayContaining([expect.stringContaining('Pruning the repository failed')]),
    );
    expect((await warden.call('GET', '/metrics')).text).toContain(
      'ragwarden_repository_failures_total{operation="prune"} 1',
    );
    child.kill('SIGKILL');
    await ended;
    expect(field(await run('unlock'), 'result')).toMatchObject({ removed: [{ pid: child.pid, holder: 'dead' }] });
    expect(field(await run('prune'), 'state')).toBe('succeeded');
    expect(await upkeepOf('prune')).toMatchObject({ last_error: null });
  });

  test('checks read the data part by part, in turn', async () => {
    expect(field(await run('check'), 'result')).toMatchObject({ sound: true, read_data: 'subset', subset: '1/10' });
    expect(field(await run('check'), 'result')).toMatchObject({ subset: '2/10' });
    expect(field(await run('check', { read_data: false }), 'result')).toMatchObject({ read_data: 'none' });
    expect(field(await run('check'), 'result')).toMatchObject({ subset: '3/10' });
    expect((await warden.call('POST', '/api/v1/repository/check', { subset: '--x' })).status).toBe(422);
  });

  test('what has not succeeded for too long rings once, by event, metric, status and health, though points are taken', async () => {
    await warden.stop();
    const database = new DatabaseSync(join(dataDir, 'state.sqlite'));
    const record = {
      ...{ sinceMs: Date.now() - 60 * dayMs, lastSuccessMs: Date.now() - 52 * dayMs, lastFailureMs: Date.now() - 1 },
      ...{ lastError: 'The repository is locked.', toldLateMs: null, nextPart: 1 },
    };
    database.prepare(`update backup_setting set value = ? where key = 'upkeep.prune'`).run(JSON.stringify(record));
    database.prepare(`update backup_setting set value = 'on' where key = 'schedule'`).run();
    database.close();
    warden = await openWarden(dataDir);
    const [event] = await until('the alarm', async () => {
      const found = await warden.events('repository.upkeep-late');
      return found.length > 0 ? found : undefined;
    });
    expect(event).toMatchObject({ severity: 'warning', message: expect.stringContaining('The repository is locked.') });
    const status = await warden.status();
    expect(field(status, 'rpo', 'met')).toBe(true);
    expect(JSON.stringify(field(status, 'warnings'))).toMatch(
      /has not freed the space .* Meanwhile the repository grows/,
    );
    expect((await warden.call('GET', '/metrics')).text).toContain('ragwarden_repository_late{operation="prune"} 1');
    const health = (await warden.call('GET', '/health')).text;
    expect(health).toContain('degraded');
    expect(field(await run('prune'), 'state')).toBe('succeeded');
    expect(field(await warden.status(), 'warnings')).not.toContainEqual(expect.stringContaining('freed the space'));
    expect(await warden.events('repository.upkeep-late')).toHaveLength(1);
  });

  test('forgetting that ends between manifest and rest is done by the next run; pinned and newest good points stay', async () => {
    await warden.stop();
    let breakAt = '';
    const settings = { BACKUP_RETENTION_DAYS: '0.00000001', LIGHTRAG_BACKUP_RETENTION_DAYS: '0.00000001' };
    const step = (name: string): void => {
      if (name === breakAt) throw new Error('the power went');
    };
    warden = await openWarden(dataDir, { settings, step });
    expect((await warden.call('POST', '/api/v1/backup/stop')).status).toBe(200);
    const pinned = await takeGood(warden);
    expect((await warden.call('PUT', `/api/v1/backup/points/${pinned}/pin`)).status).toBe(200);
    const newest = await takeGood(warden);
    breakAt = 'forget:manifests';
    expect(field(await run('forget'), 'state')).toBe('failed');
    // Not a point any more, and the list still promises it: the next run goes on.
    expect(tagsOf().flat()).not.toContain(`rp:${point}`);
    expect(await warden.points()).toHaveLength(3);
    breakAt = '';
    expect(field(await run('forget'), 'result', 'forgotten')).toMatchObject([{ backup_id: point }]);
    expect((await warden.points()).map((one) => field(one, 'backup_id'))).toEqual([newest, pinned]);
    expect((await warden.plan(pinned)).status).toBe(200);
    expect(failureOf((await warden.plan(point)).body)).toContain('was forgotten by retention');

    // The same by a cleanup: what is planned is what retention gives up, and what it frees is freed.
    const latest = await takeGood(warden);
    const pruned = field(await upkeepOf('prune'), 'last_success_at');
    const cleanup = '/api/v1/metrics/cleanup';
    const { body: plan } = await warden.call('POST', `${cleanup}/plans`, { strategy: 'repository' });
    expect(field(plan, 'items')).toMatchObject([
      { what: expect.stringMatching(/^1 recovery points of /), risk: 'medium' },
      { what: 'what nothing in the repository needs' },
    ]);
    expect(await warden.points()).toHaveLength(3);
    const { body: ran } = await warden.call('POST', `${cleanup}/runs`, { plan_id: field(plan, 'plan_id') }, wait);
    expect(field(ran, 'result')).toMatchObject({ outcome: 'success', cleaned: 2, failed: 0 });
    expect((await warden.points()).map((one) => field(one, 'backup_id'))).toEqual([latest, pinned]);
    expect(field(await upkeepOf('prune'), 'last_success_at')).not.toBe(pruned);
  });

  test('a flipped bit is found by reading the data, is told, and does not look like a success', async () => {
    const before = field(await upkeepOf('check'), 'last_success_at');
    const packs = readdirSync(join(repository, 'data'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    for (const pack of packs) {
      const bytes = readFileSync(pack);
      bytes[100] = (bytes[100] ?? 0) ^ 1;
      chmodSync(pack, 0o600);
      writeFileSync(pack, bytes);
    }
    expect(failureOf(await run('check', { read_data: true }))).toMatch(/^repository\/damaged: /);
    expect(await warden.events('repository.damaged')).toMatchObject([{ severity: 'critical' }]);
    expect(await upkeepOf('check')).toMatchObject({
      last_success_at: before,
      last_error: expect.stringContaining('damaged'),
    });
    expect(JSON.stringify(field(await warden.status(), 'warnings'))).toContain('Checking the repository failed');
  });
});
