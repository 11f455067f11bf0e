import { readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from './setup/parts.ts';
import {
  contentOf,
  field,
  type RunningWarden,
  removeFolder,
  startWarden,
  temporaryFolder,
  until,
} from './warden-harness.ts';

const wait = { prefer: 'wait=90' };

describe.skipIf(!hasPart('restic'))('a recovery point of the sample', () => {
  const dataDir = temporaryFolder('backup');
  const workspace = join(dataDir, 'sample', 'rag_storage');
  const inputs = join(dataDir, 'sample', 'inputs');
  let warden: RunningWarden;

  beforeAll(async () => {
    writeFileSync(join(dataDir, 'ragwarden.yaml'), 'log:\n  level: info\n');
    warden = await startWarden({ dataDir, makesRepository: true });
  });
  afterAll(async () => {
    await warden.stop();
    removeFolder(dataDir);
  });

  const points = async (): Promise<unknown[]> => {
    const { body } = await warden.call('GET', '/api/v1/backup/points');
    const items = field(body, 'items');
    return Array.isArray(items) ? items : [];
  };
  const restore = async (id: string): Promise<unknown> => {
    const plan = await warden.call('POST', `/api/v1/backup/restore/${id}`, { plan_only: true });
    expect(plan.status).toBe(200);
    expect(field(plan.body, 'blockers')).toEqual([]);
    const done = await warden.call(
      'POST',
      `/api/v1/backup/restore/${id}`,
      { plan_id: field(plan.body, 'plan_id'), confirm: true },
      wait,
    );
    return done.body;
  };

  test('a first one is taken by itself, verified and listed', async () => {
    const [first] = await until('the first recovery point', async () => {
      const found = await points();
      return found.length > 0 ? found : undefined;
    });
    expect(field(first, 'status')).toBe('success');
    expect(field(first, 'grade')).toBe('consistent');
    expect(field(first, 'verified_at')).not.toBeNull();
    expect(field(first, 'cause')).toBe('scheduled');
    const bytes = Number(field(first, 'user_data', 'total_size_bytes'));
    expect(bytes).toBeGreaterThan(10_000);
    // And the state of ragwarden itself.
    expect(Number(field(first, 'total_size_mb'))).toBeGreaterThan(bytes / 1024 ** 2);
    const status = await warden.call('GET', '/api/v1/backup/status');
    expect(field(status.body, 'rpo', 'met')).toBe(true);
    expect(field(status.body, 'backup_count')).toBe(1);
  });

  test('configuration files are in the point, and a restore says that it leaves them alone', async () => {
    const [first] = await points();
    expect(field(first, 'config')).toMatchObject({ status: 'success', file_count: 1, total_size_bytes: 19 });
    const id = String(field(first, 'backup_id'));
    const plan = await warden.call('POST', `/api/v1/backup/restore/${id}`, { plan_only: true });
    expect(JSON.stringify(field(plan.body, 'warnings'))).toContain(
      'config is left alone: configuration is not put back',
    );
    expect(field(plan.body, 'components', 'length')).toBe(2);
  });

  test('a deleted workspace comes back byte for byte, and so does the input folder', async () => {
    const [point] = await points();
    const before = { workspace: contentOf(workspace), inputs: contentOf(inputs) };
    rmSync(workspace, { recursive: true });
    rmSync(inputs, { recursive: true });
    const done = await restore(String(field(point, 'backup_id')));
    expect(field(done, 'state')).toBe('succeeded');
    expect({ workspace: contentOf(workspace), inputs: contentOf(inputs) }).toEqual(before);
    const target = await warden.call('POST', '/api/v1/targets/sample/probe');
    expect(field(target.body, 'status')).toBe('HEALTHY');
  });

  test('a point of a workspace that was emptied is partial and says so, and the one before it brings all back', async () => {
    const [point] = (await points()).slice(-1);
    const before = contentOf(workspace);
    for (const name of readdirSync(workspace)) rmSync(join(workspace, name), { recursive: true });
    const taken = await warden.call('POST', '/api/v1/backup/trigger', {}, wait);
    const id = String(field(taken.body, 'result', 'backup_id'));
    const emptied = await warden.call('GET', `/api/v1/backup/points/${id}`);
    expect(field(emptied.body, 'status'), taken.text).toBe('partial');
    expect(emptied.text).toContain('its folder is empty, while');
    expect(field(await restore(String(field(point, 'backup_id'))), 'state')).toBe('succeeded');
    expect(contentOf(workspace)).toEqual(before);
  });

  test('a damaged one comes back, extra files leave, and the damaged state is kept as a safety point', async () => {
    const [point] = (await points()).slice(-1);
    const before = contentOf(workspace);
    truncateSync(join(workspace, 'kv_store_text_chunks.json'), 100);
    writeFileSync(join(workspace, 'kv_store_doc_status.json'), '');
    writeFileSync(join(workspace, 'a stranger.txt'), 'extra');
    const known = (await points()).length;
    const done = await restore(String(field(point, 'backup_id')));
    expect(field(done, 'state')).toBe('succeeded');
    expect(contentOf(workspace)).toEqual(before);
    const after = await points();
    expect(after).toHaveLength(known + 1);
    expect(field(after[0], 'cause')).toBe('safety');
    const back = await restore(String(field(after[0], 'backup_id')));
    expect(field(back, 'state')).not.toBe('failed');
    expect(contentOf(workspace)['a stranger.txt']).toBe(Buffer.from('extra').toString('base64'));
    expect(field(await restore(String(field(point, 'backup_id'))), 'state')).toBe('succeeded');
    expect(contentOf(workspace)).toEqual(before);
  });

  test('every byte is read back and compared when somebody asks, which gives a point that is planned to be restored another id in the repository', async () => {
    const id = String(field((await points()).at(-1), 'backup_id'));
    const path = `/api/v1/backup/restore/${id}`;
    const { body: plan } = await warden.call('POST', path, { plan_only: true });
    const done = await warden.call('POST', `/api/v1/backup/points/${id}/verify`, undefined, wait);
    expect(field(done.body, 'state')).toBe('succeeded');
    expect(Number(field(done.body, 'result', 'files'))).toBeGreaterThan(10);
    const order = { plan_id: field(plan, 'plan_id'), confirm: true, safety_point: false };
    expect(await warden.call('POST', path, order, wait)).toMatchObject({ body: { state: 'succeeded', error: null } });
  });

  test('an unchanged workspace costs next to nothing the second time', async () => {
    const taken = await warden.call('POST', '/api/v1/backup/trigger', undefined, wait);
    expect(field(taken.body, 'state')).toBe('succeeded');
    const again = await warden.call('POST', '/api/v1/backup/trigger', undefined, wait);
    const [logical, stored] = [
      field(again.body, 'result', 'user_data', 'total_size_bytes'),
      field(again.body, 'result', 'stored_bytes'),
    ];
    // ragwarden's own state has changed, if only by these points, and is a file of its own.
    const state = statSync(
      join(dataDir, 'staging', 'sample', 'tree', 'components', 'ragwarden-state', 'state.sqlite'),
    ).size;
    expect(Number(stored)).toBeLessThan(Number(logical) / 3 + state);
  });

  test('test_recovery_points_persisted: points, history and the schedule switch survive a restart', async () => {
    const before = await points();
    expect(field((await warden.call('POST', '/api/v1/backup/stop')).body, 'running')).toBe(false);
    await warden.stop();
    warden = await startWarden({ dataDir });
    expect(await points()).toEqual(before);
    expect(field((await warden.call('GET', '/api/v1/backup/status')).body, 'status')).toBe('idle');
    expect(field((await warden.call('POST', '/api/v1/backup/start')).body, 'was_running')).toBe(false);
  });

  test('ids that are no ids are refused and change nothing', async () => {
    for (const id of ['..', '..%2f..%2fetc', '%2e%2e', '-rf', 'x'.repeat(10_000), 'backup_20260101_000000_aaaa', '%00'])
      for (const [method, path] of [
        ['GET', `/api/v1/backup/points/${id}`],
        ['POST', `/api/v1/backup/points/${id}/verify`],
        ['POST', `/api/v1/backup/restore/${id}`],
      ] as const) {
        const { status } = await warden.call(
          method,
          path,
          method === 'POST' && path.includes('restore') ? { confirm: true } : undefined,
        );
        expect([400, 404, 405, 414, 422], `${method} ${path.slice(0, 60)}`).toContain(status);
      }
  });

  test('a restore without confirmation is refused, and one with a stale plan too', async () => {
    const [point] = await points();
    const id = field(point, 'backup_id');
    expect((await warden.call('POST', `/api/v1/backup/restore/${id}`, {})).status).toBe(409);
    const stale = await warden.call('POST', `/api/v1/backup/restore/${id}`, {
      plan_id: 'plan_000000000000000000000000',
      confirm: true,
    });
    expect(field(stale.body, 'code')).toBe('restore/plan-changed');
  });
});
