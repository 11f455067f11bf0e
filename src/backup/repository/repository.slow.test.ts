import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  chmod,
  cp,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type ChildProcesses,
  createChildProcesses,
  findProgram,
  runningProcess,
  systemSearchPath,
} from '../../platform/child-processes/index.ts';
import { systemClock } from '../../platform/clock.ts';
import { silentLogger } from '../../platform/logging.ts';
import {
  createResticRepository,
  ensurePasswordFile,
  parseRepositoryLocation,
  type Repository,
  type ResticOptions,
} from './index.ts';
import { isLight, parseKeyFile } from './restic-key.ts';

const hasRestic = findProgram('restic', systemSearchPath) !== undefined;
const asRootOnLinux = process.platform === 'linux' && process.getuid?.() === 0;
const inContinuousIntegration = process.env.CI === 'true';
const opened: ChildProcesses[] = [];
let folder: string;
let place: string;
let passwordFile: string;
let children: ChildProcesses;
let repository: Repository;

const newChildren = (name: string): ChildProcesses => {
  const made = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir: join(folder, name) });
  opened.push(made);
  return made;
};
const repositoryAt = (path: string, more: Partial<ResticOptions> = {}): Repository =>
  createResticRepository({
    location: parseRepositoryLocation(path, 'file'),
    passwordFile,
    cacheDir: join(folder, 'cache'),
    environment: {},
    children,
    log: silentLogger,
    clock: systemClock,
    ...more,
  });
const store = (cwd: string, more: object = {}) =>
  repository.backup({ cwd, paths: ['files'], tags: ['rp:1', 'manifest'], host: 'here', ...more });

async function makeFiles(name: string, contents: Record<string, string | Buffer>): Promise<string> {
  const cwd = join(folder, name);
  await mkdir(join(cwd, 'files'), { recursive: true });
  for (const [file, bytes] of Object.entries(contents)) await writeFile(join(cwd, 'files', file), bytes);
  return cwd;
}

async function until(what: string, probe: () => boolean | Promise<boolean>): Promise<void> {
  for (let round = 0; round < 500; round += 1) {
    if (await probe()) return;
    await systemClock.sleep(20);
  }
  throw new Error(`never happened: ${what}`);
}
const locksIn = async (path: string): Promise<string[]> =>
  (await readdir(join(path, 'locks'))).filter((name) => /^[0-9a-f]{64}$/.test(name));

/** A restic that holds a lock and waits for input that never comes. */
async function holdLock(by: ChildProcesses): Promise<{ pid: number; kill(): Promise<void>; end(): Promise<void> }> {
  const before = (await locksIn(place)).length;
  const child = await by.start({
    program: 'sh',
    args: ['-c', 'sleep 1000 | exec restic backup --stdin --stdin-filename stalled --quiet'],
    env: {
      PATH: systemSearchPath,
      RESTIC_REPOSITORY: place,
      RESTIC_PASSWORD_FILE: passwordFile,
      RESTIC_CACHE_DIR: join(folder, 'cache-of-other'),
    },
    purpose: 'a stalled backup',
    graceMs: 200,
  });
  await until('a lock of the stalled backup', async () => (await locksIn(place)).length > before);
  const { pid } = (await repository.locks()).find(({ holder }) => holder === 'alive')!;
  return {
    pid,
    kill: async () => {
      process.kill(pid, 'SIGKILL');
      await until('the end of the stalled backup', () => runningProcess(pid) === undefined);
      await child.stop();
    },
    end: async () => {
      await child.stop();
    },
  };
}

/** What matters of a tree: names as bytes, kinds, contents, links. */
async function treeOf(root: string, below: Buffer = Buffer.alloc(0)): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const at = Buffer.concat([Buffer.from(`${root}/`), below]);
  for (const name of await readdir(at, { encoding: 'buffer' })) {
    const path = Buffer.concat([below, name]);
    const full = Buffer.concat([Buffer.from(`${root}/`), path]);
    const facts = await lstat(full);
    const key = path.toString('latin1');
    if (facts.isDirectory()) {
      found[key] = 'folder';
      Object.assign(found, await treeOf(root, Buffer.concat([path, Buffer.from('/')])));
    } else
      found[key] = facts.isSymbolicLink()
        ? 'link'
        : `${facts.mode.toString(8)} ${facts.mtimeMs} ${(await readFile(full)).toString('base64')}`;
  }
  return found;
}

if (!hasRestic && inContinuousIntegration) test('restic is installed', () => expect(hasRestic).toBe(true));
if (!hasRestic) console.warn('SKIPPED: restic is not installed, the repository is not tested');

describe.runIf(hasRestic)('a restic repository', () => {
  // Made once, since its ordinary key takes a second; every test gets a copy.
  let template: string;
  let templatePassword: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'repository-template-'));
    template = folder;
    templatePassword = passwordFile = join(folder, 'password');
    children = newChildren('records');
    await ensurePasswordFile(passwordFile);
    await repositoryAt(join(folder, 'repository')).init();
  });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'repository-test-'));
    place = join(folder, 'repository');
    passwordFile = join(folder, 'password');
    await cp(join(template, 'repository'), place, { recursive: true });
    await cp(templatePassword, passwordFile);
    await cp(`${templatePassword}.generated`, `${passwordFile}.generated`);
    children = newChildren('records');
    repository = repositoryAt(place);
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.stop()));
    await rm(folder, { recursive: true, force: true });
  });

  afterAll(async () => {
    await rm(template, { recursive: true, force: true });
  });

  test('is made once, in format version 2, and told apart from a missing one and a wrong password', async () => {
    const other = repositoryAt(join(folder, 'other'));
    expect(await other.open()).toEqual({ state: 'missing' });
    const made = await other.init();
    expect(made).toEqual({ id: expect.stringMatching(/^[0-9a-f]{64}$/), formatVersion: 2 });
    expect(await other.open()).toEqual({ state: 'ok', ...made });
    await expect(other.init()).rejects.toMatchObject({ code: 'conflict/state' });

    await writeFile(passwordFile, 'not the password\n');
    expect(await other.open()).toEqual({ state: 'wrong-password' });
    await expect(other.snapshots()).rejects.toMatchObject({ code: 'repository/wrong-password' });
    await rm(passwordFile);
    await expect(other.snapshots()).rejects.toMatchObject({ code: 'repository/wrong-password' });
    await expect(repositoryAt(join(folder, 'nowhere')).snapshots()).rejects.toMatchObject({
      code: 'repository/wrong-password',
    });
  });

  test('is made whole after a making that was killed between key and config', async () => {
    await unlink(join(place, 'config'));
    expect(await repository.open()).toEqual({ state: 'missing' });
    await repository.init();
    expect(await repository.open()).toMatchObject({ state: 'ok' });
    await store(await makeFiles('a', { x: 'y' }));
    await unlink(join(place, 'config'));
    await expect(repository.init()).rejects.toMatchObject({ code: 'repository/damaged' });
    expect(await readdir(join(place, 'keys'))).toHaveLength(1);
  });

  test('brings every kind of name back byte for byte, and lists it', async () => {
    const cwd = await makeFiles('a', {
      'new\nline': 'a',
      '-dash': 'b',
      'ünïcode 😀': 'c',
      'e\u0301 combining': 'd',
      é: 'composed',
      'tab\tand "quotes" $(id) `id` *?[a]\\b': 'e',
      [`${'x'.repeat(250)}`]: 'f',
      ' blank ': Buffer.from([0, 255, 1]),
      empty: '',
    });
    await writeFile(Buffer.concat([Buffer.from(`${cwd}/files/bad`), Buffer.from([0xff, 0xfe])]), 'no UTF-8');
    await mkdir(join(cwd, 'files', 'folder', 'empty folder'), { recursive: true });
    await symlink('/etc', join(cwd, 'files', 'link'));
    await chmod(join(cwd, 'files', 'empty'), 0o4750);
    const { snapshotId } = await store(cwd);
    const target = join(folder, 'restored');
    await repository.restore({ snapshotId, target, verify: true });
    expect(await treeOf(target)).toEqual(await treeOf(cwd));

    const entries = await repository.list({ snapshotId });
    expect(entries).toHaveLength(14);
    expect(entries.find(({ path }) => path === '/files/empty')).toMatchObject({
      type: 'file',
      sizeBytes: 0,
      mode: 0o4750,
    });
    expect(entries.find(({ path }) => path === '/files/new\nline')).toMatchObject({
      type: 'file',
      sizeBytes: 1,
      mode: 0o644,
    });
    expect(entries.find(({ path }) => path === '/files/link')).toMatchObject({ type: 'symlink' });
    expect(await repository.readFile({ snapshotId, path: '/files/ blank ' })).toEqual(Buffer.from([0, 255, 1]));
    expect(await repository.readFile({ snapshotId, path: '/files/-dash' })).toEqual(Buffer.from('b'));
    expect(await repository.readFile({ snapshotId, path: '/files/nothing' })).toBeUndefined();
    await expect(repository.readFile({ snapshotId, path: '/files/ blank ', maxBytes: 2 })).rejects.toMatchObject({
      code: 'request/too-large',
    });

    const odd = 'files/tab\tand "quotes" $(id) `id` *?[a]\\b';
    const some = join(folder, 'some');
    await repository.restore({ snapshotId, target: some, include: [`/${odd}`, '/files/-dash'] });
    expect(Object.keys(await treeOf(some)).sort()).toEqual(['files', 'files/-dash', odd]);
  });

  test('knows an unchanged tree again, wherever and however it was staged', async () => {
    const contents = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`f${i}`, `content ${i}`]));
    const first = await makeFiles('first', contents);
    const one = await store(first, { tags: ['rp:1', 'component:a'] });
    expect(one).toMatchObject({ filesNew: 50, filesUnmodified: 0, unreadable: false, warnings: [] });
    expect(one.bytesAdded).toBeGreaterThan(0);
    expect(one.snapshotId).toMatch(/^[0-9a-f]{64}$/);
    expect(one.treeId).toMatch(/^[0-9a-f]{64}$/);

    const linked = join(folder, 'linked');
    await mkdir(join(linked, 'files'), { recursive: true });
    for (const name of Object.keys(contents)) await link(join(first, 'files', name), join(linked, 'files', name));
    const two = await store(linked, { parent: one.snapshotId, tags: ['rp:2'] });
    expect(two).toMatchObject({ filesNew: 0, filesChanged: 0, filesUnmodified: 50 });

    // Whole seconds: a copy made here keeps no more of a time than a double holds.
    for (const name of Object.keys(contents)) await utimes(join(first, 'files', name), 1_700_000_000, 1_700_000_000);
    const timed = await store(first);
    const copied = join(folder, 'copied');
    await cp(first, copied, { recursive: true, preserveTimestamps: true });
    await writeFile(join(copied, 'files', 'f7'), 'changed!!!');
    const progress: number[] = [];
    const three = await store(copied, {
      parent: timed.snapshotId,
      tags: ['rp:3'],
      onProgress: ({ filesTotal }: { filesTotal: number }) => progress.push(filesTotal),
    });
    expect(three).toMatchObject({ filesNew: 0, filesChanged: 1, filesUnmodified: 49 });

    const strict = await store(linked, { parent: one.snapshotId, ignoreInodeAndCtime: false });
    expect(strict.filesChanged).toBe(50);
    const orphaned = await store(linked, { parent: 'deadbeef'.repeat(8) });
    expect(orphaned.filesProcessed).toBe(50);

    const tagged = await repository.snapshots({ tags: ['rp:1', 'component:a'] });
    expect(tagged).toMatchObject([
      { id: one.snapshotId, tree: one.treeId, tags: ['rp:1', 'component:a'], host: 'here' },
    ]);
    expect((await repository.snapshots()).map(({ tags }) => tags[0])).toEqual([
      'rp:1',
      'rp:2',
      'rp:1',
      'rp:3',
      'rp:1',
      'rp:1',
    ]);
  });

  test('says what is not in the snapshot although it was asked for', async () => {
    const cwd = await makeFiles('a', { x: 'y' });
    const partial = await store(cwd, { paths: ['files', 'gone'] });
    expect(partial).toMatchObject({ unreadable: true, warnings: [{ path: 'gone', message: 'does not exist' }] });
    await expect(store(cwd, { paths: ['gone'] })).rejects.toMatchObject({ code: 'repository/failed' });
    await expect(store(cwd, { paths: ['../a'] })).rejects.toMatchObject({ code: 'request/invalid' });
    await expect(store(cwd, { tags: ['a,b'] })).rejects.toMatchObject({ code: 'request/invalid' });
    await expect(store(cwd, { excludes: ['../a'] })).rejects.toMatchObject({ code: 'request/invalid' });
  });

  test('leaves out exactly the paths it is told to, below a folder that is reached by a link too', async () => {
    const odd = 'a*b[c]?\\.json';
    const cwd = await makeFiles('a', { [odd]: 'x', 'axbc1.json': 'y', ' x ': 'z', x: 'kept' });
    await symlink(cwd, `${cwd}-link`);
    const stored = await store(`${cwd}-link`, { excludes: [`files/${odd}`, 'files/ x '] });
    expect(stored).toMatchObject({ filesProcessed: 2, unreadable: false });
    const listed = await repository.list({ snapshotId: stored.snapshotId });
    expect(listed.map(({ path }) => path)).toEqual(['/files', '/files/axbc1.json', '/files/x']);
  });

  test('forgets, frees and measures', async () => {
    const one = await store(await makeFiles('a', { x: Buffer.alloc(200_000, 'a1b2c3') }));
    const two = await store(await makeFiles('b', { x: randomBytes(300_000) }));
    expect((await repository.stats()).snapshots).toBe(2);
    expect(await repository.forget({ snapshotIds: [two.snapshotId, 'deadbeef'.repeat(8)] })).toEqual({ forgotten: 1 });
    expect(await repository.forget({ snapshotIds: [two.snapshotId] })).toEqual({ forgotten: 0 });
    expect((await repository.snapshots()).map(({ id }) => id)).toEqual([one.snapshotId]);
    expect((await repository.prune()).freedBytes).toBeGreaterThan(100);
    expect((await repository.prune({ withoutRepacking: true })).freedBytes).toBe(0);
    expect(await repository.stats()).toMatchObject({ snapshots: 1 });
    await expect(repository.forget({ snapshotIds: ['latest'] })).rejects.toMatchObject({ code: 'request/invalid' });
    for (const unknown of [
      () => repository.list({ snapshotId: two.snapshotId }),
      () => repository.readFile({ snapshotId: two.snapshotId, path: '/files/x' }),
      () => repository.restore({ snapshotId: two.snapshotId, target: join(folder, 'out') }),
    ])
      await expect(unknown()).rejects.toMatchObject({ code: 'backup/unknown-point' });
  });

  test('a generated password gets a second key that opens at once, and the ordinary one goes on opening', async () => {
    const keys = async () => {
      const names = await readdir(join(place, 'keys'));
      const files = await Promise.all(names.map((name) => readFile(join(place, 'keys', name), 'utf8')));
      return files.map((text, at) => ({ name: names[at]!, text, light: isLight(parseKeyFile(text)!) }));
    };
    const [light] = (await keys()).filter((one) => one.light);
    const [ordinary] = (await keys()).filter((one) => !one.light);
    expect(await keys()).toHaveLength(2);
    for (const one of [light!, ordinary!]) {
      await unlink(join(place, 'keys', one.name));
      expect(await repositoryAt(place).open()).toMatchObject({ state: 'ok' });
      await writeFile(join(place, 'keys', one.name), one.text);
    }
    // A repository that lacks it gets it with the next backup, once.
    await unlink(join(place, 'keys', light!.name));
    await store(await makeFiles('a', { x: 'y' }));
    expect((await keys()).filter((one) => one.light)).toHaveLength(1);
    await store(await makeFiles('b', { x: 'z' }));
    expect((await keys()).map((one) => one.light).sort()).toEqual([false, true]);
    expect((await readdir(join(place, 'keys'))).every((name) => /^[0-9a-f]{64}$/.test(name))).toBe(true);
  });

  test('a password that was not generated here gets no second key, whatever it looks like', async () => {
    for (const name of await readdir(join(place, 'keys'))) {
      const path = join(place, 'keys', name);
      if (isLight(parseKeyFile(await readFile(path, 'utf8'))!)) await unlink(path);
    }
    await unlink(`${passwordFile}.generated`);
    await store(await makeFiles('a', { x: 'y' }));
    expect(await readdir(join(place, 'keys'))).toHaveLength(1);
    // A mark of an earlier password says nothing of this one.
    await writeFile(`${passwordFile}.generated`, `${'0'.repeat(64)}\n`);
    repository = repositoryAt(place);
    await store(await makeFiles('b', { x: 'y' }));
    expect(await readdir(join(place, 'keys'))).toHaveLength(1);
  });

  test('a place that looks the same is not opened again, and one that changed is', async () => {
    let starts = 0;
    const run: ChildProcesses['run'] = (spec) => {
      starts += 1;
      return children.run(spec);
    };
    repository = repositoryAt(place, { children: { ...children, run } });
    const first = await repository.open();
    const before = starts;
    expect(await repository.open()).toEqual(first);
    expect(starts).toBe(before);
    await writeFile(passwordFile, 'another one\n');
    expect(await repository.open()).toEqual({ state: 'wrong-password' });
    await cp(templatePassword, passwordFile);
    expect(await repository.open()).toEqual(first);
    await rename(join(place, 'config'), join(place, 'config.away'));
    expect(await repository.open()).toEqual({ state: 'missing' });
  });

  test('a damaged pack is found by reading the data and not without; a missing one always', async () => {
    await store(await makeFiles('a', { x: randomBytes(300_000) }));
    expect(await repository.check({ readData: 'all' })).toMatchObject({ ok: true, findings: [] });
    const packs = execFileSync('find', [join(place, 'data'), '-type', 'f'], { encoding: 'utf8' })
      .trim()
      .split('\n');
    const sizes = await Promise.all(packs.map(async (pack) => ({ pack, size: (await stat(pack)).size })));
    const { pack } = sizes.sort((a, b) => b.size - a.size)[0]!;
    const bytes = await readFile(pack);
    bytes[100] = bytes[100]! ^ 1;
    await chmod(pack, 0o600);
    await writeFile(pack, bytes);
    expect(await repository.check({ readData: 'none' })).toMatchObject({ ok: true });
    const found = await repository.check({ readData: 'all' });
    expect(found.ok).toBe(false);
    expect(found.findings.join('\n')).toMatch(/[Pp]ack/);
    expect(await repository.check({ readData: 'subset', subset: '100%' })).toMatchObject({ ok: false });
    await expect(repository.check({ readData: 'subset', subset: '--x' })).rejects.toMatchObject({
      code: 'request/invalid',
    });
    await unlink(pack);
    expect((await repository.check({ readData: 'none' })).ok).toBe(false);
    // Without the minute in which restic looks for it.
    const missing = await repository.check({ readData: 'all' });
    expect(missing.ok).toBe(false);
    expect(missing.findings.join('\n')).toMatch(/does not exist.*not read to its end/s);
  });

  test('a lock that a killed process of ours left is removed and the work is done', async () => {
    const mine = await holdLock(children);
    expect(await repository.locks()).toMatchObject([
      { pid: mine.pid, host: hostname(), holder: 'alive', exclusive: false },
    ]);
    await mine.kill();
    // The shell around it was our child, restic was its child; only what we started ourselves counts as ours.
    expect(await repository.locks()).toMatchObject([{ holder: 'dead' }]);
    await expect(repository.prune()).rejects.toMatchObject({
      ...{ code: 'repository/locked', detail: expect.stringContaining('`ragwarden repo unlock` removes its lock') },
    });
    expect(await repository.check({ readData: 'all' })).toMatchObject({ ok: true });
    await repository.unlock({ lockIds: (await repository.locks()).map(({ id }) => id) });
    expect(await repository.locks()).toEqual([]);

    // Now restic itself as our child, killed while it holds its lock.
    const child = await children.start({
      program: 'restic',
      args: ['backup', '--stdin', '--stdin-filename', 'x', '--quiet'],
      env: {
        PATH: systemSearchPath,
        RESTIC_REPOSITORY: place,
        RESTIC_PASSWORD_FILE: passwordFile,
        RESTIC_CACHE_DIR: join(folder, 'cache'),
      },
      purpose: 'a stalled backup',
      input: neverEnding(),
    });
    await until('a lock', async () => (await locksIn(place)).length > 0);
    process.kill(child.pid, 'SIGKILL');
    await child.exited;
    expect(await repository.locks()).toMatchObject([{ pid: child.pid, holder: 'ours-dead' }]);
    expect(await repository.prune()).toMatchObject({ freedBytes: expect.any(Number) });
    expect(await repository.locks()).toEqual([]);
    expect(await repository.removeOwnStaleLocks()).toEqual({ removed: [], remaining: [] });
  });

  test('the lock of a living stranger stays, and the error names its holder', async () => {
    const stranger = await holdLock(newChildren('strangers'));
    const failing = repository.prune();
    await expect(failing).rejects.toMatchObject({ code: 'repository/locked' });
    await expect(failing).rejects.toThrow(new RegExp(`process ${stranger.pid} on ${hostname()} since 20`));
    const [lock] = await repository.locks();
    await expect(repository.unlock({ lockIds: [lock!.id] })).rejects.toMatchObject({ code: 'repository/locked' });
    expect(await repository.removeOwnStaleLocks()).toMatchObject({ removed: [], remaining: [{ id: lock!.id }] });
    // What only reads, and other backups, go on.
    expect(await repository.snapshots()).toEqual([]);
    expect(await store(await makeFiles('a', { x: 'y' }))).toMatchObject({ filesNew: 1 });
    await stranger.end();
  });

  test('a cancelled backup leaves neither snapshot nor lock', async () => {
    const cwd = await makeFiles('a', { big: randomBytes(60_000_000) });
    const abort = new AbortController();
    const running = store(cwd, { signal: abort.signal });
    await until('the lock of the backup', async () => (await locksIn(place)).length > 0);
    abort.abort(new Error('cancelled'));
    await expect(running).rejects.toThrow('cancelled');
    expect(await locksIn(place)).toEqual([]);
    expect(await repository.snapshots()).toEqual([]);
  });

  test('a full disk is told as such, and what it holds can still be read', async (context) => {
    const mounted = join(folder, 'small');
    await mkdir(mounted);
    try {
      if (!asRootOnLinux) throw new Error('not root on Linux');
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', mounted], { stdio: 'pipe' });
    } catch (err) {
      if (inContinuousIntegration) throw err;
      console.warn('SKIPPED: a small file system could not be mounted, the full disk is not tested');
      context.skip();
    }
    try {
      await cp(place, join(mounted, 'repository'), { recursive: true });
      repository = repositoryAt(join(mounted, 'repository'));
      const { snapshotId } = await store(await makeFiles('a', { x: 'y' }));
      const big = await makeFiles('b', {
        big: randomBytes(6_000_000),
      });
      await expect(store(big)).rejects.toMatchObject({ code: 'storage/full' });
      await writeFile(join(mounted, 'fill'), randomBytes(4_000_000)).catch(() => undefined);
      await expect(store(big)).rejects.toMatchObject({ code: 'storage/full' });
      expect(await repository.snapshots()).toMatchObject([{ id: snapshotId }]);
      await repository.restore({ snapshotId, target: join(folder, 'restored') });
      expect(await readFile(join(folder, 'restored', 'files', 'x'), 'utf8')).toBe('y');
    } finally {
      execFileSync('umount', [mounted]);
    }
  });

  test('a missing tool, an old one and something else are told with the mend', async () => {
    const missing = repositoryAt(place, { program: 'restic-that-is-not-there' });
    await expect(missing.version()).rejects.toMatchObject({
      code: 'child/missing-program',
      detail: expect.stringMatching(/restic/),
    });
    const old = join(folder, 'old');
    await writeFile(old, '#!/bin/sh\necho "restic 0.12.1 compiled with go1.16"\n', { mode: 0o755 });
    await expect(repositoryAt(place, { program: old }).snapshots()).rejects.toMatchObject({
      code: 'child/missing-program',
      detail: expect.stringMatching(/0\.12\.1 is too old/),
    });
    const other = join(folder, 'other');
    await writeFile(other, '#!/bin/sh\necho hello\n', { mode: 0o755 });
    await expect(repositoryAt(place, { program: other }).snapshots()).rejects.toMatchObject({
      code: 'child/missing-program',
    });
    expect(await repository.version()).toMatchObject({ name: 'restic', version: expect.stringMatching(/^\d+\.\d+/) });
  });

  test('an unreachable place is neither missing nor open, and its password is not told', async () => {
    const far = createResticRepository({
      location: parseRepositoryLocation('rest:http://user:s3cret@127.0.0.1:9/', 'file'),
      passwordFile,
      cacheDir: join(folder, 'cache'),
      environment: {},
      children,
      log: silentLogger,
      clock: systemClock,
    });
    const err = await far.open().catch((reason) => reason);
    expect(err).toMatchObject({ code: 'repository/unreachable' });
    expect(JSON.stringify([err.message, err.detail, err.context])).not.toContain('s3cret');
    expect(existsSync(join(folder, 'cache', 'tmp'))).toBe(true);
  });
});

async function* endless() {
  yield 'begin';
  await new Promise(() => undefined);
}
function neverEnding() {
  return Readable.from(endless());
}
