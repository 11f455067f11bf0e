import { createHash, randomBytes } from 'node:crypto';
import { closeSync, cpSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Clock } from '../../src/platform/clock.ts';
import { impatientClock } from '../impatient-clock.ts';
import { hasPart } from '../setup/parts.ts';
import { type Answer, contentOf, field, removeFolder, temporaryFolder, until } from '../warden-harness.ts';
import { failureOf, mayMount, mountSmall, openWarden, prepareDataFolder, sampleOf, takeGood } from './ground.ts';

/** Fills a file system to its last byte. */
function fill(folder: string): void {
  const handle = openSync(join(folder, 'filler'), 'a');
  try {
    for (let size = 1024 ** 2; size >= 1; )
      try {
        writeSync(handle, Buffer.alloc(size));
      } catch {
        size = Math.floor(size / 2);
      }
  } finally {
    closeSync(handle);
  }
}

/** The free space is looked at every quarter of a minute. */
const soonLooking: Clock = {
  ...impatientClock,
  sleep: (ms, signal) => impatientClock.sleep(ms === 15_000 ? 200 : ms, signal),
};

describe.skipIf(!hasPart('restic') || !mayMount())('a data folder whose disk fills up while the product runs', () => {
  test('in the middle of a restore and of an upload: nothing is half done or lost, health names it, and all goes on with room again', async () => {
    const template = await prepareDataFolder('full-disk-template');
    const dataDir = temporaryFolder('full-disk');
    const mounted = mountSmall(dataDir, '200m');
    cpSync(template, dataDir, { recursive: true, preserveTimestamps: true });
    const { workspace } = sampleOf(dataDir);
    let fillAt = 'restore:in:kv_store_full_docs.json';
    const warden = await openWarden(dataDir, {
      settings: { RAGWARDEN_REPLICATION_RECEIVE: 'true' },
      clock: soonLooking,
      step(name) {
        if (name !== fillAt) return;
        fillAt = '';
        fill(dataDir);
      },
    });
    const bytes = randomBytes(2_000_000);
    const token = readFileSync(join(dataDir, 'local-token'), 'utf8').trim();
    const upload = async (from: number, to: number): Promise<Pick<Answer, 'status' | 'body'>> => {
      const query = new URLSearchParams({
        ...{ graph_id: 'default', backup_id: 'backup_20261122_093000_x7k2', total_bytes: String(bytes.length) },
        ...{ data_hash: createHash('sha256').update(bytes).digest('hex'), offset: String(from) },
      });
      const response = await fetch(`${warden.api}/api/v1/backup-replication/backup/snapshots/upload?${query}`, {
        ...{ method: 'POST', body: bytes.subarray(from, to) },
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
      });
      return { status: response.status, body: await response.json() };
    };
    const ownDisk = async (): Promise<unknown> => {
      const { body } = await warden.call('GET', '/health', undefined, { accept: 'application/json' });
      return (field(body, 'checks') as { name: string; status: string }[]).find(({ name }) => name === 'own disk')
        ?.status;
    };
    const makeToken = (name: string) => warden.call('POST', '/api/v1/access/tokens', { name, role: 'admin' });
    try {
      const good = contentOf(workspace);
      const id = await takeGood(warden);
      writeFileSync(join(workspace, 'kv_store_full_docs.json'), '{}');
      const bad = contentOf(workspace);
      expect((await upload(0, 1_000_000)).status).toBe(200);

      const begun = await warden.call('POST', `/api/v1/backup/restore/${id}`, { confirm: true, safety_point: false });
      await until('the disk to be full', async () => ((await makeToken('full')).status === 507 ? true : undefined));
      expect(await upload(1_000_000, bytes.length)).toMatchObject({ status: 507, body: { code: 'storage/full' } });
      await until('health to name it', async () => ((await ownDisk()) === 'healthy' ? undefined : true));
      for (const path of ['/readyz', '/api/v1/targets', '/api/v1/backup/points'])
        expect([path, (await warden.call('GET', path)).status]).toEqual([path, 200]);
      await until('the restore to have found no room for its end', () =>
        warden.log().includes('how the restore ended is written down when') ? true : undefined,
      );
      rmSync(join(dataDir, 'filler'));

      const over = await until('the restore to be over', async () => {
        const { body } = await warden.call('GET', `/api/v1/operations/${field(begun.body, 'id')}`);
        return field(body, 'state') === 'running' ? undefined : body;
      });
      expect(failureOf(over)).toMatch(/^storage\/full: /);
      expect(contentOf(workspace)).toEqual(bad);
      expect(await warden.events('restore.rolled-back')).toMatchObject([{ data: { id, state: 'old' } }]);
      expect((await makeToken('enough')).status).toBe(201);
      expect(await upload(1_000_000, bytes.length)).toMatchObject({ status: 200, body: { status: 'validated' } });
      await until('health to be well', async () => ((await ownDisk()) === 'healthy' ? true : undefined));
      await until('the events of it', async () =>
        (await warden.events('system.disk-enough')).length > 0 &&
        (await warden.events('system.disk-very-low')).length > 0
          ? true
          : undefined,
      );
      expect(failureOf(await warden.restore(id))).toBe('undefined: undefined');
      expect(contentOf(workspace)).toEqual(good);
    } finally {
      await warden.stop();
      mounted.free();
      removeFolder(dataDir);
      removeFolder(template);
    }
  }, 300_000);
});
