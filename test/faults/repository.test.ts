import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPart, programOf } from '../setup/parts.ts';
import { contentOf, field, removeFolder, startWarden, temporaryFolder, until } from '../warden-harness.ts';
import {
  callsOf,
  calm,
  copyDataFolder,
  failureOf,
  launch,
  mayMount,
  mountSmall,
  type OpenWarden,
  openWarden,
  password,
  prepareDataFolder,
  prepareRepository,
  sampleOf,
  takeGood,
  up,
} from './ground.ts';

const withMounts = mayMount();

const backupDegraded = /"name":"backup sample"[^}]*"status":"degraded"/;
/** As proc(5) has it: `T` stands still, `Z` is over, nothing is gone. */
const stateOf = ({ pid }: ChildProcess): string => {
  try {
    return /.*\) (\w)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';
  } catch {
    return '';
  }
};
/** One that is still being written has another name. */
const locksIn = (folder: string): string[] => readdirSync(folder).filter((name) => /^[0-9a-f]{64}$/.test(name));

describe.skipIf(!hasPart('restic'))('a repository', () => {
  let template: string;
  beforeAll(async () => {
    template = await prepareDataFolder('repository-faults');
  });
  afterAll(() => removeFolder(template));

  test('whose password is wrong is neither opened nor made anew; status and health say so, and it works when it is back', async () => {
    const dataDir = copyDataFolder(template, 'wrong-password');
    const repository = join(dataDir, 'repository');
    const passwordFile = join(dataDir, 'repository-password');
    writeFileSync(passwordFile, 'another password\n');
    const before = contentOf(repository);
    const warden = await openWarden(dataDir, { settings: { RAGWARDEN_BACKUP_AT_START: 'true' } });
    try {
      const status = await until('the scheduled point to fail', async () => {
        const found = await warden.status();
        return field(found, 'error') === undefined ? undefined : found;
      });
      expect(field(status, 'status')).toBe('error');
      expect(field(status, 'error')).toMatch(/password .* does not open|password file does not open/);
      expect(failureOf(await warden.take())).toMatch(/^repository\/wrong-password: .*recovery kit/);
      const health = (await warden.call('GET', '/health')).body;
      expect(JSON.stringify(field(health, 'checks'))).toMatch(backupDegraded);
      expect(contentOf(repository)).toEqual(before);
      expect(readFileSync(passwordFile, 'utf8')).toBe('another password\n');
      expect(await warden.points()).toEqual([]);
      writeFileSync(passwordFile, `${password}\n`);
      await takeGood(warden);
    } finally {
      await warden.stop();
      removeFolder(dataDir);
    }
  });

  test('locked by a process of ours that was killed in the middle of an upload: the next start goes on', async () => {
    const dataDir = copyDataFolder(template, 'own-lock');
    const { workspace } = sampleOf(dataDir);
    const locks = join(dataDir, 'repository', 'locks');
    writeFileSync(join(workspace, 'large.bin'), randomBytes(80_000_000));
    const doomed = await startWarden({ dataDir, settings: calm });
    await doomed.call('POST', '/api/v1/backup/trigger');
    await until('the lock of the upload', () => (locksIn(locks).length > 0 ? true : undefined));
    doomed.process.kill('SIGKILL');
    await doomed.exited;
    expect(locksIn(locks)).toHaveLength(1);
    const warden = await openWarden(dataDir);
    try {
      expect(String(field((await warden.events('operation.settled'))[0], 'message'))).toMatch(/does not exist/);
      expect(field((await warden.history())[0], 'status')).toBe('error');
      rmSync(join(workspace, 'large.bin'));
      await takeGood(warden);
      expect(locksIn(locks)).toEqual([]);
    } finally {
      await warden.stop();
      removeFolder(dataDir);
    }
  });

  test('locked by a living stranger: the error names it, and its lock stays', async () => {
    const dataDir = copyDataFolder(template, 'foreign-lock');
    const repository = join(dataDir, 'repository');
    const locks = join(repository, 'locks');
    const warden = await openWarden(dataDir);
    const begin = () =>
      spawn(
        programOf('restic'),
        ['--no-cache', '-r', repository, '--password-file', join(dataDir, 'repository-password'), 'prune'],
        { stdio: 'ignore', env: { HOME: '/nonexistent' } },
      );
    let stranger = begin();
    let ended = once(stranger, 'exit');
    try {
      // It waits a fifth of a second after it has locked, in which it is stopped: on a busy machine not at the first attempt.
      let held: string[] = [];
      const deadline = Date.now() + 200_000;
      for (let attempt = 1; held.length === 0; attempt += 1) {
        if (attempt > 50 || Date.now() > deadline)
          throw new Error(`of ${attempt} processes none could be stopped while it held a lock`);
        while (locksIn(locks).length === 0 && stranger.exitCode === null && Date.now() < deadline) await turn();
        stranger.kill('SIGSTOP');
        await until('it to stand still or to be over', () => (/^[TZX]?$/.test(stateOf(stranger)) ? true : undefined));
        held = locksIn(locks);
        if (held.length > 0) break;
        stranger.kill('SIGKILL');
        await ended;
        stranger = begin();
        ended = once(stranger, 'exit');
      }
      expect(failureOf(await warden.take())).toMatch(
        new RegExp(`^repository/locked: .*locked by process ${stranger.pid} on `),
      );
      expect(locksIn(locks)).toEqual(held);
      expect(field((await warden.history())[0], 'status')).toBe('error');
      stranger.kill('SIGCONT');
      await ended;
      await takeGood(warden);
    } finally {
      stranger.kill('SIGKILL');
      await warden.stop();
      removeFolder(dataDir);
    }
  });

  test.skipIf(!withMounts).each([
    ['is missing', undefined, /restic is not installed.*(Install|install)/],
    [
      'is too old',
      '#!/bin/sh\necho "restic 0.12.1 compiled with go1.16.6 on linux/amd64"\n',
      /0\.12\.1 is too old.*install/i,
    ],
  ])('whose tool %s: everything else works, and what to do is said', async (_, fake, reason) => {
    const dataDir = copyDataFolder(template, 'no-tool');
    const folder = temporaryFolder('no-tool-program');
    writeFileSync(join(folder, 'fake'), fake ?? '');
    chmodSync(join(folder, 'fake'), 0o755);
    const product = launch(up(dataDir), {
      settings: { RAGWARDEN_BACKUP_AT_START: 'true' },
      wrap: [
        'unshare',
        '--mount',
        'sh',
        '-c',
        `mount --bind "$0" ${programOf('restic')} && exec "$@"`,
        fake === undefined ? '/dev/null' : join(folder, 'fake'),
      ],
    });
    try {
      const { api, metrics } = await product.ready;
      const warden = callsOf(api, dataDir);
      const status = await warden.status();
      expect(field(status, 'available')).toBe(false);
      expect(field(status, 'unavailable_reason')).toMatch(reason);
      const asked = await warden.call('POST', '/api/v1/backup/trigger');
      expect(asked.status).toBe(503);
      expect(failureOf(asked.body)).toMatch(/^backup\/unavailable: /);
      const checks = await until('backups to be said to be unavailable', async () => {
        const text = JSON.stringify(field((await warden.call('GET', '/health')).body, 'checks'));
        return backupDegraded.test(text) ? text : undefined;
      });
      expect(checks).toMatch(/unavailable/);
      expect((await fetch(`${api}/readyz`)).status).toBe(200);
      expect((await fetch(`${metrics}/metrics`)).status).toBe(200);
      await until('the target to be healthy', async () => {
        const { body } = await warden.call('GET', '/api/v1/targets/sample');
        return field(body, 'status') === 'HEALTHY' ? true : undefined;
      });
    } finally {
      await product.stop();
      removeFolder(dataDir);
      removeFolder(folder);
    }
  });

  test.skipIf(!withMounts).each(['staging', 'repository'])(
    'no space left in the %s: no half point, and it goes on when there is space',
    async (where) => {
      const dataDir = copyDataFolder(template, 'full');
      const { workspace } = sampleOf(dataDir);
      const place = where === 'staging' ? join(dataDir, 'staging') : temporaryFolder('full-repository');
      const mounted = mountSmall(place, '2m');
      if (where === 'repository') await prepareRepository(place, join(dataDir, 'repository-password'));
      const warden = await openWarden(dataDir, { settings: where === 'repository' ? { BACKUP_DIR: place } : {} });
      try {
        writeFileSync(join(workspace, 'large.bin'), randomBytes(4_000_000));
        const before = contentOf(workspace);
        expect(failureOf(await warden.take())).toMatch(/^storage\/full: /);
        expect(field((await warden.history())[0], 'status')).toBe('error');
        expect(await warden.points()).toEqual([]);
        const [event] = await warden.events('backup.point-failed');
        expect(field(event, 'message')).toMatch(/[Nn]o space left/);
        expect(contentOf(workspace)).toEqual(before);
        execFileSync('mount', ['-o', 'remount,size=32m', place]);
        const id = await takeGood(warden);
        expect(await warden.points()).toHaveLength(1);
        const verified = await warden.call('POST', `/api/v1/backup/points/${id}/verify`, undefined, {
          prefer: 'wait=60',
        });
        expect(field(verified.body, 'state')).toBe('succeeded');
        if (where === 'repository') await restoreFromFull(id, workspace, place, warden);
      } finally {
        await warden.stop();
        mounted.free();
        removeFolder(dataDir);
        removeFolder(place);
      }
    },
  );
});

/** A full repository must not stand between an operator and the data: the safety point can be left out. */
async function restoreFromFull(id: string, workspace: string, place: string, warden: OpenWarden): Promise<void> {
  const asInPoint = contentOf(workspace);
  writeFileSync(join(workspace, 'large.bin'), randomBytes(4_000_000));
  const now = contentOf(workspace);
  expect(() => writeFileSync(join(place, 'filler'), Buffer.alloc(64_000_000))).toThrow('ENOSPC');
  expect(failureOf(await warden.restore(id, { confirm: true }))).toMatch(/^storage\/full: /);
  expect(contentOf(workspace)).toEqual(now);
  const done = await warden.restore(id, { confirm: true, safety_point: false });
  expect(field(done, 'state')).toBe('succeeded');
  expect(field(done, 'result', 'safety_backup_id')).toBeNull();
  expect(contentOf(workspace)).toEqual(asInPoint);
}
