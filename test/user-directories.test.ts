import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { getBackupService, getSystemMonitor } from '../src/sdk/index.ts';
import { hasPart } from './setup/parts.ts';
import { contentOf, type RunningWarden, removeFolder, startWarden, temporaryFolder, until } from './warden-harness.ts';

const adminToken = 'an-admin-token-for-this-test-alone';

describe.skipIf(!hasPart('restic'))('user directories', () => {
  const dataDir = temporaryFolder('user-directories');
  const workspace = join(dataDir, 'sample', 'rag_storage');
  let warden: RunningWarden;
  beforeAll(async () => {
    warden = await startWarden({
      dataDir,
      settings: {
        RAGWARDEN_ADMIN_TOKEN: adminToken,
        RAGWARDEN_BACKUP_AT_START: 'false',
        RAGWARDEN_SAMPLE_INTERVAL: '0.2',
        RAGWARDEN_DIRECTORY_SIZES_INTERVAL: '1',
      },
    });
    // Other files that lie in the same folder, as those of users do.
    for (const user of ['alice', 'bob']) {
      mkdirSync(join(workspace, user));
      writeFileSync(join(workspace, user, 'notes.txt'), `of ${user}`);
    }
  });
  afterAll(async () => {
    await warden?.stop();
    removeFolder(dataDir);
  });

  test('are sized, beside the figures of the host and of this process', async () => {
    const monitor = getSystemMonitor({ url: warden.api, token: adminToken });
    const metrics = await until('the user directories were measured', async () => {
      const seen = await monitor.getSystemMetrics().catch(() => undefined);
      return seen?.disk?.data_dir?.user_directories?.bob === undefined ? undefined : seen;
    });
    expect(metrics.disk?.data_dir?.user_directories).toMatchObject({ alice: 8, bob: 6 });
    expect(metrics.process.pid).toBe(warden.process.pid);
    expect(metrics.memory.total).toBeGreaterThan(metrics.memory.available);
    expect(metrics.cpu.per_cpu).toHaveLength(metrics.cpu.count);
    expect(Math.abs(Date.parse(metrics.timestamp) - Date.now())).toBeLessThan(600_000);
    expect(Object.keys((await monitor.getHealthCheck()).checks).sort()).toEqual(['cpu', 'disk', 'memory']);
  });

  test('are in each recovery point, deleted and changed ones come back, an unknown id brings nothing', async () => {
    const service = getBackupService({ url: warden.api, token: adminToken });
    expect((await service.getBackupStatus()).last_backup).toBeNull();
    const before = contentOf(workspace);
    const point = await service.triggerBackup();
    expect(point).toMatchObject({ status: 'success', cause: 'manual', user_data: { status: 'success' } });
    expect(point.backup_id).toMatch(/^backup_\d{8}_\d{6}_/);
    expect(point.user_data.file_count).toBeGreaterThan(Object.keys(before).length / 2);
    expect((await service.getBackupHistory()).map((run) => run.backup_id)).toEqual([point.backup_id]);
    expect(await service.getBackupStatus()).toMatchObject({ backup_count: 1, last_backup_time: point.timestamp });
    rmSync(join(workspace, 'alice'), { recursive: true });
    writeFileSync(join(workspace, 'bob', 'notes.txt'), 'of nobody');
    await service.restoreBackup(point.backup_id, { confirm: true });
    expect(contentOf(workspace)).toEqual(before);
    await expect(service.restoreBackup('backup_20200101_000000_zzzz', { confirm: true })).rejects.toMatchObject({
      code: 'backup/unknown-point',
    });
  });
});
