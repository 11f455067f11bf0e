import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWarden, type Warden } from '../src/app/index.ts';
import { makeLightRepository } from '../src/backup/repository/light-key.fixture.ts';
import { runInPipe } from '../src/cli/test-terminal.ts';
import { readConfig } from '../src/config/index.ts';
import { silentLogger } from '../src/platform/logging.ts';
import {
  BackupManager,
  createClient,
  GraphReplicator,
  type OperationBody,
  type RagwardenClient,
  ReplicationManager,
  type Snapshot,
  SystemOperations,
} from '../src/sdk/index.ts';
import { password } from './faults/ground.ts';
import { hasPart } from './setup/parts.ts';
import { contentOf, prepareRepository, removeFolder, temporaryFolder, until } from './warden-harness.ts';

const token = 'an-admin-token-for-this-test-alone';
const waitSeconds = 90;

describe.skipIf(!hasPart('restic'))('snapshots of graphs', () => {
  const dataDir = temporaryFolder('graphs');
  const working = join(dataDir, 'rag_storage');
  const inputs = join(dataDir, 'inputs');
  /** Where copies go: a folder of another place, that is not there when it was not mounted. */
  const elsewhere = temporaryFolder('graphs-copies');
  const cellar = join(elsewhere, 'cellar');
  let warden: Warden;
  let client: RagwardenClient;
  let url = '';

  const start = async (): Promise<void> => {
    const env = {
      RAGWARDEN_ADMIN_TOKEN: token,
      RAGWARDEN_BACKUP_AT_START: 'false',
      // Nobody answers there: what is backed up are the files.
      RAGWARDEN_TARGET_URL: 'http://127.0.0.1:1',
      RAGWARDEN_TARGET_ID: 'rag',
      WORKING_DIR: working,
      INPUT_DIR: inputs,
      RAGWARDEN_ALLOWED_ROOTS: join(dataDir, 'restored'),
    };
    const flags = { 'data-dir': dataDir, port: '0', 'metrics-port': '0', 'gateway-port': '0' };
    warden = createWarden({ reading: readConfig({ env, flags, cwd: dataDir }), log: silentLogger, command: 'serve' });
    const started = await warden.start();
    url = started.api;
    client = createClient({ url, token });
  };
  const write = (workspace: string, text: string): void => {
    mkdirSync(join(working, workspace), { recursive: true });
    writeFileSync(join(working, workspace, 'kv_store_full_docs.json'), JSON.stringify({ 'doc-1': { content: text } }));
  };
  const status = async (method: string, path: string, body?: unknown): Promise<number> => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, prefer: `wait=${waitSeconds}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    await response.body?.cancel();
    return response.status;
  };
  const graphs = '/api/v1/backup-replication/backup/graphs';

  beforeAll(async () => {
    for (const name of ['', 'tenant', 'other']) {
      mkdirSync(join(inputs, name), { recursive: true });
      write(name, name === '' ? 'of nobody'.repeat(1_000) : `of ${name}`);
    }
    await prepareRepository(dataDir);
    await start();
    // What is due by itself would hold the target now and then.
    await client.backup.stopSchedule();
    await until('the target is free', async () =>
      (await client.operations.list({ state: 'running' })).items.length === 0 ? true : undefined,
    );
  });
  afterAll(async () => {
    await warden?.stop('the test is over');
    removeFolder(dataDir);
    removeFolder(elsewhere);
  });

  let first: Snapshot;

  test('a snapshot has the documented fields, is persisted, and says who it is for', async () => {
    first = await client.snapshots.create('rag:tenant', {
      sourceDir: join(working, 'tenant'),
      metadata: { ticket: 'OPS-1' },
      waitSeconds,
    });
    expect(first).toMatchObject({
      graph_id: 'rag:tenant',
      status: 'completed',
      metadata: { ticket: 'OPS-1' },
      scope: 'workspace',
      workspace: 'tenant',
    });
    expect(first.data_hash).toMatch(/^[0-9a-f]{64}$/);
    expect(first.size_bytes).toBe(33);
    expect(Date.parse(first.retention_until ?? '') - Date.parse(first.timestamp)).toBe(7 * 86_400_000);
    expect(first.checkpoint_path).toBe(`${dataDir}/repository#${first.backup_id}:/components/workspace`);
    expect(await client.snapshots.get('rag:tenant', first.backup_id)).toEqual(first);
    // A point of one workspace says nothing about the others, nor about the whole.
    expect(await client.snapshots.list('rag')).toEqual([]);
    expect((await client.backup.status()).last_backup).toBeNull();
    expect((await client.backup.point(first.backup_id)).workspace).toBe('tenant');
  });

  test('without patience the answer is the snapshot as it stands, and the same key finds it again', async () => {
    const ask = () => client.snapshots.create('rag:other', { idempotencyKey: 'once' });
    const begun = await ask();
    expect(['pending', 'in_progress']).toContain(begun.status);
    expect((await ask()).backup_id).toBe(begun.backup_id);
    await client.operations.wait(begun.operation_id ?? '');
    expect((await client.snapshots.get('rag:other', begun.backup_id)).status).toBe('completed');
    expect(await client.snapshots.list('rag:other')).toHaveLength(1);
  });

  test('a point of the whole target is a snapshot of each graph, told apart by size and digest', async () => {
    write('other', 'what others wrote meanwhile');
    const begun = await client.backup.trigger();
    const { result } = await client.operations.wait(begun);
    const { backup_id: id } = result as { backup_id: string };
    const [newest, older] = await client.snapshots.list('rag:tenant');
    expect(newest).toMatchObject({ backup_id: id, scope: 'target', size_bytes: 33, data_hash: first.data_hash });
    expect(newest?.checkpoint_path).toBe(`${dataDir}/repository#${id}:/components/workspace/tenant`);
    expect(older?.backup_id).toBe(first.backup_id);
    const [other, before] = await client.snapshots.list('rag:other');
    expect(other?.data_hash).not.toBe(before?.data_hash);
    expect(await client.snapshots.list('rag')).toHaveLength(1);
    expect((await client.snapshots.list('rag:'))[0]?.graph_id).toBe('rag');
  });

  describe('test_replication_workflow_with_server', () => {
    const routes = '/api/v1/backup-replication/replication';
    const call = async (method: string, path: string, body?: unknown) => {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: await response.json() };
    };
    const switchReplication = async (settings: object): Promise<void> => {
      expect((await call('PATCH', '/api/v1/settings', settings)).status).toBe(200);
    };
    const manager = () => new ReplicationManager({ url, token });
    const untilCopied = () =>
      until('everything to be copied', async () => {
        const { items } = await client.replication.targets();
        const [one] = items;
        return one?.lag[0]?.missing_points === 0 && one.lag[0].copies > 0 ? one : undefined;
      });

    /** Also of an attempt before. */
    const removeTargets = async (): Promise<void> => {
      for (const { target_id } of (await client.replication.targets()).items)
        await client.replication.remove(target_id);
    };

    test('while it is off a target may be registered and is told that nothing is copied; a key is never shown', async () => {
      await removeTargets();
      expect(await client.health.replication()).toMatchObject({ configured: false, status: 'not configured' });
      expect((await call('POST', `${routes}/targets`, { name: 'x' })).status).toBe(422);
      const key = 'a-key-that-nobody-sees-again';
      const other = await call('POST', `${routes}/targets`, {
        ...{ name: 'Second site', base_url: 'http://127.0.0.1:1', api_key: key, metadata: { floor: 2 } },
      });
      expect(other).toMatchObject({
        status: 201,
        body: {
          ...{ target_id: 'second-site', name: 'Second site', base_url: 'http://127.0.0.1:1', enabled: true },
          ...{ metadata: { floor: 2 }, status: 'unknown', idle_reason: expect.stringMatching(/switched off/) },
          allowed_actions: ['change', 'remove'],
        },
      });
      expect(Date.parse(other.body.created_at)).toBeGreaterThan(0);
      expect(JSON.stringify([other, await call('GET', `${routes}/targets`)])).not.toContain(key);
      expect(await manager().checkAllHealth()).toMatchObject([{ target_id: 'second-site', status: 'unreachable' }]);
      const refused = await call('POST', `${routes}/targets/second-site/replicate`);
      expect(refused).toMatchObject({ status: 409, body: { code: 'feature/disabled' } });
      expect(await call('DELETE', `${routes}/targets/second-site`)).toMatchObject({
        ...{ status: 200, body: { status: 'success', message: expect.stringMatching(/stays/) } },
      });
      expect((await call('GET', `${routes}/targets/second-site/health`)).status).toBe(404);
      await expect(manager().getGraphReplicator('rag').replicateSnapshot()).rejects.toMatchObject({
        code: 'conflict/state',
      });
    });

    test('switched on, points are copied, looked at, logged and counted', async () => {
      await removeTargets();
      await switchReplication({ 'replication.enabled': true });
      if (!existsSync(cellar)) await makeLightRepository(cellar, password);
      const made = await manager().registerTarget({ name: 'cellar', location: cellar, zone: 'house' });
      expect(made).toMatchObject({ target_id: 'cellar', kind: 'folder', location: cellar, idle_reason: null });
      expect((await manager().listTargets()).map(({ target_id }) => target_id)).toEqual(['cellar']);
      const replicator = manager().getGraphReplicator('rag:tenant');
      expect(replicator).toBeInstanceOf(GraphReplicator);
      // Whoever was first, the copy that follows each registration by itself or this one, everything is there in the end.
      const begun = await replicator.replicateSnapshot({ waitSeconds });
      expect(begun.graph_id).toBe('rag:tenant');
      expect([...begun.operation_ids.map(() => 'cellar'), ...begun.busy]).toEqual(['cellar']);
      const copied = await untilCopied();
      const points = (await client.backup.points()).items;
      expect(copied.lag).toMatchObject([
        { copies: points.length, lag_seconds: 0, newest_backup_id: points[0]?.backup_id, missing_bytes: 0 },
      ]);
      expect(await replicator.checkTargetHealth('cellar')).toMatchObject({ status: 'healthy', error: null });
      expect(await client.replication.health('cellar')).toMatchObject({ target_id: 'cellar', status: 'healthy' });

      const status = await replicator.getReplicationStatus();
      expect(status).toMatchObject({
        ...{ graph_id: 'rag:tenant', total_targets: 1, enabled_targets: 1, recent_operations: expect.any(Number) },
        ...{ newest_backup_id: points[0]?.backup_id, failed_operations: 0 },
        targets: [{ target_id: 'cellar', status: 'healthy' }],
      });
      expect(Date.parse(status.last_replication ?? '')).toBeGreaterThanOrEqual(
        Date.parse(points.at(-1)?.timestamp ?? ''),
      );
      expect(await client.health.replication()).toMatchObject({ configured: true, enabled: true, status: 'healthy' });
      expect(await manager().getReplicationMetrics()).toMatchObject({ targets: [{ lag: [{ missing_points: 0 }] }] });
      expect((await call('GET', `${routes}/graphs/nobody/status`)).status).toBe(404);

      expect(status.successful_operations).toBeGreaterThanOrEqual(points.length);
      const log = await replicator.getReplicationLogs();
      for (const one of log.filter(({ operation_type }) => operation_type === 'sync'))
        expect(one).toMatchObject({ target_id: 'cellar', status: 'completed', error_message: null });
      const pages: string[] = [];
      for (let cursor: string | undefined; ; ) {
        const page = await client.replication.logs({
          ...{ operationType: 'sync', status: 'completed', targetId: 'cellar', limit: 3 },
          ...(cursor === undefined ? {} : { cursor }),
        });
        pages.push(...page.items.map(({ backup_id }) => backup_id ?? ''));
        if (page.next_cursor === null) break;
        expect(page.items).toHaveLength(3);
        cursor = page.next_cursor;
      }
      expect([...new Set(pages)].sort()).toEqual(points.map(({ backup_id }) => backup_id).sort());
      expect((await client.replication.logs({ targetId: 'cellar', status: 'failed' })).items).toEqual([]);
      expect((await call('GET', `${routes}/logs?cursor=`)).status).toBe(422);

      await until('the figures to be shown', async () => {
        const text = await (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text();
        const value = (name: string, labels = 'target="rag",replica="cellar"'): number =>
          Number(new RegExp(`^${name}\\{${labels}\\} (.+)$`, 'm').exec(text)?.[1]);
        return value('ragwarden_replication_copies') === points.length &&
          value('replication_lag_seconds') === 0 &&
          value('replication_errors_total') === 0 &&
          value('ragwarden_replication_operations_total', 'target="rag",replica="cellar",outcome="success"') ===
            points.length &&
          value('ragwarden_replication_bytes_transferred_total') > 0 &&
          value('ragwarden_replication_target_up', 'replica="cellar"') === 1
          ? true
          : undefined;
      });
    });

    test('neither the repository nor a copy shows a word of what it holds, or a name of its files', () => {
      for (const folder of [join(dataDir, 'repository'), cellar]) {
        const bytes = Object.values(contentOf(folder))
          .filter((content) => !content.startsWith('mode '))
          .map((content) => Buffer.from(content, 'base64'));
        expect(
          bytes.reduce((sum, one) => sum + one.length, 0),
          folder,
        ).toBeGreaterThan(1_000);
        for (const word of ['of tenant', 'what others wrote', 'kv_store', 'rag_storage', 'tenant'])
          expect(
            bytes.filter((one) => one.includes(word)),
            `${word} in ${folder}`,
          ).toEqual([]);
      }
    });

    test('what is out of reach is told and does not go unnoticed, and comes back; read back, pruned, switched off and removed', async () => {
      if (!existsSync(`${cellar}-away`)) renameSync(cellar, `${cellar}-away`);
      // Whoever works there yet tells how it is until it is done.
      const look = async () => (await client.replication.health('cellar', { fresh: true })).status;
      await expect.poll(look, { timeout: 60_000 }).toBe('unreachable');
      expect(await client.health.replication()).toMatchObject({
        ...{ status: 'degraded', message: expect.stringContaining('cellar') },
      });
      renameSync(`${cellar}-away`, cellar);
      await expect.poll(look, { timeout: 60_000 }).toBe('healthy');
      const types = ['replication.target-lost', 'replication.target-back'];
      const { items } = await client.events.list({ types });
      expect(items.slice(0, 2).map(({ type }) => type)).toEqual(types.toReversed());

      const run = async (begin: () => Promise<OperationBody>) =>
        client.operations.wait(await until('the place to be free', () => begin().catch(() => undefined)));
      const verified = await run(() => client.replication.verify('cellar', { percent: 100 }));
      expect(verified.result).toMatchObject({ sound: true, read_percent: 100 });
      const pruned = await run(() => client.replication.prune('cellar'));
      expect(pruned.result).toMatchObject({ target_id: 'cellar' });
      expect((await client.replication.target('cellar')).last_pruned).not.toBeNull();
      const unconfirmed = client.replication.heal('cellar', { damaged: 'target', confirm: false });
      await expect(unconfirmed).rejects.toMatchObject({ code: 'conflict/confirmation-required' });

      expect(await client.replication.change('cellar', { enabled: false })).toMatchObject({
        ...{ enabled: false, idle_reason: 'This target is switched off.' },
      });
      expect((await client.replication.targets({ enabledOnly: true })).items).toEqual([]);
      await expect(client.replication.replicate('cellar')).rejects.toMatchObject({ code: 'conflict/state' });
      await manager().getGraphReplicator('rag').removeTarget('cellar');
      expect(await manager().listTargets()).toEqual([]);
      expect(existsSync(join(cellar, 'config'))).toBe(true);
      const { items: trail } = await client.audit.list({ action: 'replication.target-removed' });
      expect(trail[0]?.object).toBe('cellar');
      await switchReplication({ 'replication.enabled': false });
    });
  });

  test('what a point is asked without is not in it, and it says so', async () => {
    const begun = await client.backup.trigger({ include: { workspaces: false } });
    const ended = await client.operations.wait(begun).catch((err) => err.operation);
    // Without databases and configuration nothing is left.
    expect(ended.error?.code).toBe('backup/capture-failed');
    expect(
      await status('POST', '/api/v1/backup/trigger', {
        include_database: false,
        include_workspaces: false,
        include_config: false,
      }),
    ).toBe(422);
    const alone = await client.operations.wait(await client.backup.trigger({ include: { config: false } }));
    expect(alone.result).toMatchObject({
      components: { workspaces: { status: 'completed' } },
      database: { status: 'skipped', components: [] },
      config: { status: 'skipped' },
    });
    expect(await status('POST', '/api/v1/backup/trigger', { workspace: 'nobody' })).toBe(404);
    expect((await client.snapshots.list('rag:tenant')).at(-1)?.backup_id).toBe(first.backup_id);
  });

  test.each([
    ['unknown', 'nobody'],
    ['of an unknown workspace', 'rag:nobody'],
    ['a way up', '..%2frag'],
    ['a way up behind', 'rag%2f..'],
    ['a workspace of dots', 'rag:..'],
    ['a workspace that leads elsewhere', 'rag:%2e%2e%2fother'],
    ['a zero behind', 'rag:tenant%00'],
    ['a zero', '%00'],
    ['an option', '-rf'],
    ['endless', 'x'.repeat(5_000)],
  ])('a graph id that is %s: 404 everywhere, and nothing changes', async (_what, id) => {
    const before = await client.snapshots.stats();
    for (const [method, path, body] of [
      ['POST', `${graphs}/${id}/snapshots`],
      ['GET', `${graphs}/${id}/snapshots`],
      ['GET', `${graphs}/${id}/snapshots/${first.backup_id}`],
      ['POST', `${graphs}/${id}/snapshots/${first.backup_id}/restore`, { confirm: true }],
      ['DELETE', `${graphs}/${id}/snapshots/${first.backup_id}?force=true`],
      ['GET', `/api/v1/backup-replication/backup/schedule/${id}`],
    ] as const)
      expect(await status(method, path, body), `${method} ${path.slice(0, 80)}`).toBe(404);
    expect(
      await status('POST', '/api/v1/backup-replication/backup/schedule', {
        graph_id: decodeURIComponent(id),
        frequency_seconds: 60,
      }),
    ).toBe(404);
    expect(await client.snapshots.stats()).toEqual(before);
  });

  test('folders that are not registered, and snapshots of other graphs, are refused', async () => {
    for (const source of ['/etc', working, join(working, 'other'), 'tenant', `${working}/tenant\0`])
      expect(await status('POST', `${graphs}/rag:tenant/snapshots`, { source_dir: source }), source).toBe(422);
    for (const id of ['..', '%2e%2e', 'backup_20260101_000000_aaaa'])
      expect([404, 422], id).toContain(await status('GET', `${graphs}/rag:tenant/snapshots/${id}`));
    expect(await status('GET', `${graphs}/rag:other/snapshots/${first.backup_id}`)).toBe(404);
    expect(await status('DELETE', `${graphs}/rag:other/snapshots/${first.backup_id}`)).toBe(404);
  });

  test('a graph is restored beside the live data, below an allowed folder and nowhere else', async () => {
    const whole = (await client.snapshots.list('rag:tenant')).find((one) => one.scope === 'target');
    for (const [name, id] of [
      ['alone', first.backup_id],
      ['part', whole?.backup_id ?? ''],
    ] as const) {
      const targetDir = join(dataDir, 'restored', name);
      const plan = await client.snapshots.planRestore('rag:tenant', id, { targetDir });
      expect(plan.blockers).toEqual([]);
      const done = await client.snapshots.restore('rag:tenant', id, { targetDir, planId: plan.plan_id, waitSeconds });
      expect(done.status).toBe('restored');
      const found = Object.values(contentOf(targetDir)).filter((content) => !content.startsWith('mode '));
      expect(found, name).toEqual([readFileSync(join(working, 'tenant/kv_store_full_docs.json')).toString('base64')]);
    }
    const before = contentOf(working);
    const restore = `${graphs}/rag:tenant/snapshots/${first.backup_id}/restore`;
    for (const folder of [
      '/etc/ragwarden',
      'restored/x',
      join(working, 'new'),
      `${dataDir}/restored/../x`,
      `${dataDir}/restored/a\0`,
    ])
      expect(await status('POST', restore, { target_dir: folder }), folder).toBe(422);
    // The registered folder is the place it came from, and that is not replaced unasked.
    expect(await status('POST', restore, { target_dir: join(working, 'tenant') })).toBe(409);
    expect(await status('POST', restore)).toBe(409);
    expect(await status('POST', restore, { confirm: true, plan_id: 'plan_of_something_else' })).toBe(409);
    expect(contentOf(working)).toEqual(before);
  });

  test('pinned, the newest good one, or part of a larger point: deleted only with force, as one', async () => {
    const remove = (graph: string, id: string, force?: boolean) =>
      client.snapshots.delete(graph, id, { ...(force === undefined ? {} : { force }), waitSeconds });
    await expect(remove('rag:tenant', first.backup_id)).rejects.toThrow(/the newest/);
    const second = await client.snapshots.create('rag:tenant', { waitSeconds });
    await client.backup.pin(first.backup_id);
    await expect(remove('rag:tenant', first.backup_id)).rejects.toMatchObject({ code: 'conflict/state', status: 409 });
    await client.backup.unpin(first.backup_id);
    expect(await remove('rag:tenant', first.backup_id)).toMatchObject({ status: 'deleted' });
    expect(await status('GET', `${graphs}/rag:tenant/snapshots/${first.backup_id}`)).toBe(404);
    const whole = (await client.snapshots.list('rag:tenant')).find((one) => one.scope === 'target');
    await expect(remove('rag:tenant', whole?.backup_id ?? '')).rejects.toThrow(/it holds 2 other workspaces|newest/);
    expect((await client.snapshots.list('rag:tenant'))[0]?.backup_id).toBe(second.backup_id);
    const { items } = await client.audit.list({ action: 'backup.forget' });
    expect(items.map((entry) => entry.object)).toEqual([first.backup_id]);
  });

  test('the doors of document 004: a graph, its snapshots, and what became of them', async () => {
    const manager = new BackupManager({ url, token });
    await expect(manager.registerGraph('rag:nobody')).rejects.toMatchObject({ code: 'target/unknown' });
    const graph = await manager.registerGraph('rag:other');
    const [older] = await graph.listSnapshots();
    const made = await graph.createSnapshot({ metadata: { by: 'hand' } });
    expect(made).toMatchObject({ graph_id: 'rag:other', status: 'completed', metadata: { by: 'hand' } });
    expect(await manager.getSnapshot(made.backup_id)).toEqual(made);
    expect((await manager.getAllSnapshots())['rag:other']?.[0]).toEqual(made);
    for (const name of ['once', 'again']) {
      const targetDir = join(dataDir, 'restored', name);
      expect((await manager.restoreSnapshot(made.backup_id, { targetDir })).status).toBe('restored');
      expect(Object.keys(contentOf(targetDir)).join()).toContain('kv_store_full_docs.json');
    }
    await expect(manager.restoreSnapshot(made.backup_id)).rejects.toMatchObject({
      code: 'conflict/confirmation-required',
    });
    await expect(manager.deleteSnapshot(made.backup_id)).rejects.toMatchObject({ code: 'conflict/state' });
    expect((await manager.deleteSnapshot(made.backup_id, { force: true })).status).toBe('deleted');
    await expect(manager.getSnapshot(made.backup_id)).rejects.toMatchObject({ code: 'backup/unknown-point' });
    expect((await manager.getStorageStats('rag:other')).newest_snapshot).toBe(older?.timestamp);
    expect((await manager.getTotalStats()).total_graphs).toBe(3);
    expect(await manager.cleanupOldSnapshots()).toBe(0);
    expect(await manager.cleanupOldBackups()).toBe(0);
  });

  test('the doors of document 002: a backup with the parts that are asked for, and one that is not there', async () => {
    const manager = new BackupManager({ url, token });
    const full = await manager.createFullBackup();
    expect(full).toMatchObject({ status: 'success', components: { workspaces: { status: 'completed' } } });
    expect(full.total_size_mb).toBeGreaterThan(0);
    const part = await new SystemOperations({ url, token }).createSystemBackup({
      includeDatabase: false,
      includeConfig: false,
    });
    expect(Object.keys(part.components)).toEqual(['workspaces']);
    expect(Object.keys((await manager.backupWorkspaces()).components)).toEqual(['workspaces']);
    await expect(manager.backupDatabase()).rejects.toMatchObject({ code: 'backup/capture-failed' });
    await expect(manager.backupConfiguration()).rejects.toMatchObject({ code: 'backup/capture-failed' });
    await expect(manager.restoreBackup('backup_20200101_000000_aaaa', { confirm: true })).rejects.toMatchObject({
      code: 'backup/unknown-point',
    });
    await expect(manager.restoreBackup('graphrag_backup_1', { confirm: true })).rejects.toThrow(/backup_2026/);
  });

  test('the commands do what the routes offer, for people and as documents', async () => {
    const run = async (...argv: string[]) => runInPipe(argv, { env: { RAGWARDEN_URL: url, RAGWARDEN_TOKEN: token } });
    const read = async (...argv: string[]) => JSON.parse((await run(...argv, '--json')).stdout);
    const taken = await run('backup', 'snapshot', 'take', 'rag:other');
    expect(taken).toMatchObject({ code: 0, stdout: expect.stringMatching(/a point of this graph alone/) });
    const [newest] = await read('backup', 'snapshots', 'rag:other');
    expect(taken.stdout).toContain(newest.backup_id);
    expect((await run('backup', 'snapshots', 'rag:other')).stdout).toContain(newest.backup_id);
    expect(await read('backup', 'snapshot', 'show', 'rag:other', newest.backup_id)).toEqual(newest);
    expect((await run('backup', 'graphs')).stdout).toMatch(/rag:tenant +\d/);
    const folder = join(dataDir, 'restored', 'by command');
    const aside = ['--workspace', 'other', '--to-folder', folder];
    expect((await run('backup', 'restore', newest.backup_id, ...aside, '--yes')).code).toBe(0);
    expect(Object.keys(contentOf(folder)).join()).toContain('kv_store_full_docs.json');
    expect((await run('backup', 'snapshot', 'delete', '--yes', 'rag:other', newest.backup_id)).code).not.toBe(0);
    expect((await run('backup', 'snapshot', 'delete', '--yes', 'rag:other', newest.backup_id, '--force')).code).toBe(0);
    expect((await run('backup', 'snapshots', 'rag:nobody')).code).toBe(10);
    expect((await run('backup', 'schedule', 'rag:other', '--every', '3600')).stdout).toMatch(/a schedule of its own/);
    expect((await read('backup', 'schedule', 'rag:other', '--off')).source).toBe('target');
    expect((await run('backup', 'cleanup', '--yes')).stdout).toMatch(/Nothing was deleted/);
    // Without folders, of a target that has no database, nothing is left.
    expect((await run('backup', 'create', '--include', 'database')).stderr).toContain('backup/capture-failed');
    expect((await run('backup', 'create', '--include', 'everything')).code).toBe(2);
  });

  test('cleaning up says how many went, and why none did', async () => {
    const done = await client.snapshots.cleanup({ waitSeconds });
    expect(done).toMatchObject({ deleted_snapshots: 0, operation_ids: [] });
    expect(done.message).toMatch(/^Nothing was deleted: retention keeps all \d+\./);

    // As old as the one after the oldest may be: that one goes, and on a slow machine perhaps the next ones.
    const all = (await client.backup.points({ limit: 100 })).items;
    const days = (Date.now() - Date.parse(all.at(-2)?.timestamp ?? '')) / 86_400_000;
    await client.settings.patch({ 'backup.retention_days': days, 'backup.daily_retention_days': days });
    const counted = await client.snapshots.cleanup({ waitSeconds });
    const before = (await client.backup.points({ limit: 100 })).items;
    expect(before.length).toBeLessThan(all.length);
    expect(counted).toMatchObject({ deleted_snapshots: all.length - before.length, kept_snapshots: before.length });
    expect(counted.message).toMatch(/^[1-9]\d* recovery point\(s\) were deleted, [1-9]\d* stay\.$/);

    // Less than a second of a day: all are too old, and of those the newest good one stays.
    await client.settings.patch({ 'backup.retention_days': 1e-5, 'backup.daily_retention_days': 1e-5 });
    const went = await new BackupManager({ url, token }).cleanupOldBackups();
    const left = (await client.backup.points({ limit: 100 })).items;
    expect(went).toBeGreaterThan(0);
    expect(left).toHaveLength(before.length - went);
    const good = before.find(({ status: word, scope }) => word === 'success' && scope === 'target');
    expect(left.map(({ backup_id }) => backup_id)).toContain(good?.backup_id);
    expect(await client.snapshots.list('rag')).toHaveLength(left.filter(({ scope }) => scope === 'target').length);
    await client.settings.patch({ 'backup.retention_days': null, 'backup.daily_retention_days': null });
  });

  test('what there is of each graph is counted, and the recent ones at a glance', async () => {
    const stats = await client.snapshots.stats();
    expect(stats.graphs.map((graph) => graph.graph_id)).toEqual(['rag', 'rag:other', 'rag:tenant']);
    for (const graph of stats.graphs) {
      const its = (await client.snapshots.list(graph.graph_id)).filter((one) => one.status === 'completed');
      expect(graph).toMatchObject({
        total_snapshots: its.length,
        last_snapshot_time: its[0]?.timestamp,
        oldest_snapshot: its.at(-1)?.timestamp,
        expired_snapshots: 0,
      });
    }
    const summary = await client.snapshots.summary();
    expect(summary.total_backups).toBe((await client.backup.points()).items.length);
    expect(summary).toMatchObject({ failed_backups: 4, recent_backups: summary.total_backups });
    expect(summary.recent.map((one) => one.status)).toContain('error');
  });

  test('test_backup_workflow_with_server: schedules, switches, snapshots, targets of copies and their persistence over a restart', async () => {
    expect(await client.backup.startSchedule()).toMatchObject({ before: 'off', now: 'on', run_under_way: false });
    const scheduled = await client.snapshots.setSchedule('rag:tenant', { frequencySeconds: 3_600 });
    expect(scheduled).toMatchObject({ enabled: true, source: 'graph', frequency_seconds: 3_600 });
    const [newest] = await client.snapshots.list('rag:tenant');
    expect(scheduled.last_backup_id).toBe(newest?.backup_id);
    const dueMs = Date.parse(newest?.timestamp ?? '') + 3_600_000;
    expect(Date.parse(scheduled.next_run ?? '') - dueMs).toBeGreaterThanOrEqual(0);
    expect(Date.parse(scheduled.next_run ?? '') - dueMs).toBeLessThanOrEqual(30_000);
    expect((await client.snapshots.schedule('rag')).source).toBe('target');
    expect(await client.backup.stopSchedule()).toMatchObject({ before: 'on', now: 'off', run_under_way: false });
    const before = await client.snapshots.list('rag:tenant');
    const site = { name: 'Site', baseUrl: 'http://127.0.0.1:1', apiKey: 'a key', zone: 'b', enabled: false };
    await client.replication.remove('site').catch(() => undefined);
    const target = await client.replication.register(site);

    await warden.stop('the test restarts it');
    await start();
    expect(await client.snapshots.list('rag:tenant')).toEqual(before);
    expect(await client.replication.target('site')).toEqual({ ...target, lag: expect.any(Array) });
    // While the schedule as a whole is off, nothing is due.
    expect(await client.snapshots.schedule('rag:tenant')).toMatchObject({ enabled: true, next_run: null });
    expect((await client.backup.status()).status).toBe('idle');
    expect(await client.backup.startSchedule()).toMatchObject({ before: 'off', now: 'on' });
    expect(await client.backup.startSchedule()).toMatchObject({ before: 'on', now: 'on' });
    const back = await client.snapshots.setSchedule('rag:tenant', { frequencySeconds: null });
    expect(back).toMatchObject({ enabled: false, source: 'target', frequency_seconds: 86_400 });
  });
});
