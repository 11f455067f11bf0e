import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWarden } from '../src/app/index.ts';
import { readConfig } from '../src/config/index.ts';
import { systemClock } from '../src/platform/clock.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { whenFree } from './faults/ground.ts';
import { hasPart, programOf } from './setup/parts.ts';
import {
  contentOf,
  field,
  type RunningWarden,
  removeFolder,
  startWarden,
  temporaryFolder,
  until,
} from './warden-harness.ts';

const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

type Entry = { path: string; kind: 'file' | 'dir' | 'symlink'; mode: number; bytes: number; sha256: string };
type Component = {
  name: string;
  entries_file: string;
  entries_sha256: string;
  tree_sha256: string;
  files: number;
  bytes: number;
};

describe.skipIf(!hasPart('restic'))('a recovery point as docs/formats/recovery-point.md describes it', () => {
  const dataDir = temporaryFolder('format');
  let warden: RunningWarden;
  let id = '';

  const restic = (...args: string[]): string => {
    const ended = spawnSync(programOf('restic'), args, {
      encoding: 'utf8',
      env: {
        PATH: process.env.PATH ?? '',
        HOME: dataDir,
        RESTIC_REPOSITORY: join(dataDir, 'repository'),
        RESTIC_PASSWORD_FILE: join(dataDir, 'repository-password'),
      },
    });
    if (ended.status !== 0) throw new Error(`restic ${args[0]}: ${ended.stderr}`);
    return ended.stdout;
  };
  const snapshotsOf = (point: string): { id: string; tags: string[] }[] =>
    // Without a lock: what frees the bytes may be at work.
    JSON.parse(restic('snapshots', '--no-lock', '--json', '--tag', `rp:${point}`));

  beforeAll(async () => {
    warden = await startWarden({ dataDir });
    id = await until('the first recovery point', async () => {
      const found = field((await warden.call('GET', '/api/v1/backup/points')).body, 'items', 0, 'backup_id');
      return found === undefined ? undefined : String(found);
    });
  });
  afterAll(async () => {
    await warden?.stop();
    removeFolder(dataDir);
  });

  test('is read with restic alone: tags, manifest with sizes, entries, digests', async () => {
    const [snapshot, ...others] = snapshotsOf(id);
    expect(others).toEqual([]);
    const noted = await warden.call('GET', `/api/v1/backup/points/${id}`);
    expect(snapshot?.tags.toSorted()).toEqual(
      [
        `rp:${id}`,
        'manifest',
        'target:sample',
        'component:workspace',
        'component:inputs',
        'component:ragwarden-state',
        `finished-at:${field(noted.body, 'end_time')}`,
        `verified-at:${field(noted.body, 'verified_at')}`,
        `stored-bytes:${field(noted.body, 'stored_bytes')}`,
      ].sort(),
    );
    const manifest = JSON.parse(restic('dump', snapshot?.id ?? '', '/manifest.json'));
    expect(manifest).toMatchObject({ format: 'ragwarden-recovery-point', version: 2, id, partial: false, missing: [] });

    const target = mkdtempSync(join(dataDir, 'by-hand-'));
    restic('restore', snapshot?.id ?? '', '--target', target);
    for (const component of manifest.components as Component[]) {
      const list = readFileSync(join(target, component.entries_file));
      expect(sha256(list)).toBe(component.entries_sha256);
      const entries: Entry[] = list
        .toString()
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      const files = entries.filter(({ kind }) => kind === 'file');
      expect(files).toHaveLength(component.files);
      expect(files.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(component.bytes);
      for (const { path, sha256: digest } of files)
        expect(sha256(readFileSync(join(target, 'components', component.name, path)))).toBe(digest);
      const lines = entries.map(({ kind, path, mode, bytes, sha256: digest }) =>
        JSON.stringify(kind === 'file' ? [kind, path, mode, bytes, digest] : [kind, path, mode]),
      );
      expect(sha256(lines.map((line) => `${line}\n`).join(''))).toBe(component.tree_sha256);
    }
    expect(contentOf(join(target, 'components', 'workspace'))).toEqual(
      contentOf(join(dataDir, 'sample', 'rag_storage')),
    );
  });

  test('a restore leaves a journal that says done, and the former state beside it', async () => {
    const restore = () => warden.call('POST', `/api/v1/backup/restore/${id}`, { confirm: true }, { prefer: 'wait=90' });
    const done = await whenFree(restore);
    expect(field(done.body, 'state')).toBe('succeeded');
    const own = join(dataDir, 'sample', 'rag_storage', '.ragwarden');
    const operation = String(field(done.body, 'id'));
    const journal = JSON.parse(readFileSync(join(own, `journal-${operation}.json`), 'utf8'));
    expect(journal).toMatchObject({ format: 'ragwarden-restore-journal/1', state: 'done' });
    expect(existsSync(join(own, `undo-${operation}`, 'kv_store_doc_status.json'))).toBe(true);
    expect(existsSync(join(own, `restore-${operation}`))).toBe(false);
  });

  test('old points are forgotten after their days, in the repository too, and the newest good one stays', async () => {
    const { body } = await warden.call('GET', '/api/v1/backup/points');
    const ids = (field(body, 'items') as unknown[]).map((point) => String(field(point, 'backup_id')));
    const oldest = ids.at(-1) ?? 'none';
    expect(ids.length).toBeGreaterThan(1);
    await warden.stop();
    const flags = { 'data-dir': dataDir, port: '0', 'metrics-port': '0', 'gateway-port': '0' };
    const env = {
      RAGWARDEN_BACKUP_AT_START: 'false',
      // A drill that is due holds the target, and retention would come a minute later.
      LIGHTRAG_RECOVERY_ENABLED: 'false',
      BACKUP_RETENTION_DAYS: '7',
      LIGHTRAG_BACKUP_RETENTION_DAYS: '30',
    };
    const reading = readConfig({ env, flags, cwd: dataDir });
    // The same machine, forty days on.
    const clock = { ...systemClock, now: () => systemClock.now() + 40 * 86_400_000 };
    const later = createWarden({ reading, log: silentLogger, command: 'up', sampleSize: 'tiny', clock });
    try {
      const { backup, operations } = await later.start();
      const kept = await until(
        'retention has run by itself',
        async () => {
          const plan = await backup.planRetention('sample');
          return plan.some(({ point }) => point.id === oldest) ? undefined : plan;
        },
        100_000,
      );
      await until('retention has ended', async () =>
        (await operations.list({ kind: 'repository.forget', state: 'running', limit: 1 })).length === 0
          ? true
          : undefined,
      );
      expect(snapshotsOf(oldest)).toEqual([]);
      await expect(backup.planRestore(oldest)).rejects.toMatchObject({ code: 'conflict/state' });
      const newestGood = kept.find(({ point }) => point.status === 'success' && point.verifiedMs !== null);
      expect(newestGood?.action).toBe('keep');
      expect((await backup.planRestore(newestGood?.point.id ?? 'none')).blockers).toEqual([]);
    } finally {
      await later.stop('the test is over');
    }
  });
});
