import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hasPart } from '../../../test/setup/parts.ts';
import { type ChildProcesses, createChildProcesses, systemSearchPath } from '../../platform/child-processes/index.ts';
import { systemClock } from '../../platform/clock.ts';
import { silentLogger } from '../../platform/logging.ts';
import { createResticRepository, ensurePasswordFile, parseRepositoryLocation, type Repository } from './index.ts';
import { readPassword } from './keys.ts';
import { lightenKey } from './light-key.fixture.ts';

const skip = !hasPart('restic');
const environment = { PATH: systemSearchPath };
let folder: string;
let place: string;
let children: ChildProcesses;
let repository: Repository;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ragwarden-stream-'));
  place = join(folder, 'repository');
  const passwordFile = join(folder, 'password');
  await ensurePasswordFile(passwordFile);
  children = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir: join(folder, 'children') });
  repository = createResticRepository({
    location: parseRepositoryLocation(place, 'file'),
    passwordFile,
    cacheDir: join(folder, 'cache'),
    environment: {},
    children,
    log: silentLogger,
    clock: systemClock,
  });
  if (skip) return;
  await repository.init();
  await lightenKey(place, await readPassword(passwordFile));
});

afterAll(async () => {
  await children.stop();
  await rm(folder, { recursive: true, force: true });
});

const stored = async (): Promise<number> => (await repository.snapshots()).length;
const streamOf = (command: readonly [string, ...string[]]) =>
  repository.storeStream({ name: 'database.dump', tags: ['rp:x'], host: 'h', from: { command, environment } });

test.skipIf(skip)(
  'a stream goes in from a program and from bytes, and comes back to a program, byte for byte',
  async () => {
    const text = 'line\n'.repeat(100_000);
    const fromProgram = await streamOf(['sh', '-c', `yes line | head -n 100000`]);
    expect(fromProgram).toMatchObject({ bytes: text.length, sha256: undefined });
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < text.length; at += 70_001) yield Buffer.from(text.slice(at, at + 70_001));
    }
    const fromBytes = await repository.storeStream({ name: 'redis.rdb', tags: ['rp:x'], host: 'h', from: chunks() });
    const digest = createHash('sha256').update(text).digest('hex');
    expect(fromBytes).toMatchObject({ bytes: text.length, sha256: digest, bytesAdded: expect.any(Number) });
    const found = await repository.snapshots({ tags: ['rp:x'] });
    expect(found.map((one) => one.tree).sort()).toEqual([fromProgram.treeId, fromBytes.treeId].sort());

    const out = join(folder, 'out');
    const told = await repository.pipeFile({
      snapshotId: fromProgram.snapshotId,
      path: '/database.dump',
      to: { command: ['sh', '-c', 'cat > "$OUT"; echo done'], environment: { ...environment, OUT: out } },
    });
    expect(told.stdout).toBe('done\n');
    expect(
      createHash('sha256')
        .update(await readFile(out))
        .digest('hex'),
    ).toBe(digest);
  },
);

test.skipIf(skip)(
  'a producer that fails after half its output, or throws, or is cancelled, leaves no snapshot and no lock',
  async () => {
    const before = await stored();
    await expect(
      streamOf(['sh', '-c', 'yes half | head -n 200000; echo the server went away >&2; exit 7']),
    ).rejects.toMatchObject({
      code: 'backup/capture-failed',
      detail: 'sh did not end well (exit code 7); the log has what it said',
    });
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(3_000_000, 'x');
      throw new Error('the connection died');
    }
    await expect(
      repository.storeStream({ name: 'redis.rdb', tags: ['rp:x'], host: 'h', from: broken() }),
    ).rejects.toThrow('the connection died');
    const stop = new AbortController();
    const endless = repository.storeStream({
      name: 'database.dump',
      tags: ['rp:x'],
      host: 'h',
      from: { command: ['sh', '-c', 'yes endless'], environment },
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('enough')),
    });
    await expect(endless).rejects.toThrow('enough');
    expect(await stored()).toBe(before);
    expect(await repository.locks()).toEqual([]);
    await expect(streamOf(['no-such-program'])).rejects.toMatchObject({ code: 'backup/capture-failed' });
  },
);

test.skipIf(skip)(
  'a program that refuses what it is given says why, and a stream of another name is no stream',
  async () => {
    const { snapshotId } = await streamOf(['sh', '-c', 'yes line | head -n 300000']);
    await expect(
      repository.pipeFile({
        snapshotId,
        path: '/database.dump',
        to: { command: ['sh', '-c', 'head -c 10 >/dev/null; echo wrong format >&2; exit 3'], environment },
      }),
    ).rejects.toMatchObject({
      code: 'restore/blocked',
      detail: 'sh did not end well (exit code 3); the log has what it said',
    });
    await expect(
      repository.pipeFile({ snapshotId, path: '/other', to: { command: ['cat'], environment } }),
    ).rejects.toMatchObject({ code: 'repository/failed' });
    await expect(
      repository.storeStream({ name: '../x', tags: [], host: 'h', from: { command: ['true'], environment } }),
    ).rejects.toMatchObject({ code: 'request/invalid' });
    expect(execFileSync('ls', [place]).toString()).toContain('config');
  },
);
