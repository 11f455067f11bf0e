import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWarden } from '../src/app/index.ts';
import { foldRestored } from '../src/backup/index.ts';
import { readConfig } from '../src/config/index.ts';
import { isAppError } from '../src/platform/errors.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { hasPart, programOf } from './setup/parts.ts';
import { contentOf as bytesIn, removeFolder, temporaryFolder, until } from './warden-harness.ts';

/** Digests, since a difference in megabytes is nothing to read. */
const contentOf = (folder: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(bytesIn(folder)).map(([path, text]) => [
      path,
      path.endsWith('/') ? text : createHash('sha256').update(text).digest('hex'),
    ]),
  );

describe.skipIf(!hasPart('restic'))('points whose files are stored by record', () => {
  const dataDir = temporaryFolder('unfold');
  const workspace = join(dataDir, 'sample', 'rag_storage');
  const cache = join(workspace, 'kv_store_llm_response_cache.json');
  const tree = join(dataDir, 'staging', 'sample', 'tree');
  const openWarden = (settings: Record<string, string> = {}): ReturnType<typeof createWarden> =>
    createWarden({
      reading: readConfig({
        env: { RAGWARDEN_BACKUP_AT_START: 'false', ...settings },
        flags: { 'data-dir': dataDir, port: '0', 'metrics-port': '0', 'gateway-port': '0' },
        cwd: dataDir,
      }),
      log: silentLogger,
      command: 'up',
      sampleSize: 'small',
    });
  let warden: ReturnType<typeof createWarden>;
  let started: Awaited<ReturnType<ReturnType<typeof createWarden>['start']>>;

  beforeAll(async () => {
    warden = openWarden();
    started = await warden.start();
  });
  afterAll(async () => {
    await warden?.stop('the test is over');
    removeFolder(dataDir);
  });

  const done = async (id: string): Promise<unknown> =>
    until('the end of an operation', async () => {
      const operation = await started.operations.find(id);
      if (operation?.state === 'failed') throw new Error(JSON.stringify(operation.error));
      return operation?.state === 'succeeded' ? operation.result : undefined;
    });
  /** Retention may be at work by itself: then it is waited for. */
  const begin = (start: () => Promise<{ id: string }>): Promise<string> =>
    until('the target to be free', async () => {
      try {
        return (await start()).id;
      } catch (err) {
        if (isAppError(err) && err.code === 'operation/busy') return undefined;
        throw err;
      }
    });
  const take = async (): Promise<string> => {
    const id = await begin(() => started.backup.take({ targetId: 'sample', cause: 'manual', requestedBy: 'test' }));
    return String(((await done(id)) as { backup_id: string }).backup_id);
  };
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
  const shardTimes = (): Map<string, number> =>
    new Map(
      readdirSync(join(tree, 'unfolded'), { recursive: true, encoding: 'utf8' })
        .filter((path) => /\/s[0-9a-f]{16}$/.test(path))
        .map((path) => [path, statSync(join(tree, 'unfolded', path)).mtimeMs]),
    );

  let first = '';
  let original: Record<string, string>;

  test('come back whole with bare restic and the program that lies in them', async () => {
    original = contentOf(workspace);
    first = await take();
    const point = await started.backup.requirePoint(first);
    const component = point.manifest?.components.find(({ name }) => name === 'workspace');
    expect(point).toMatchObject({ status: 'success', manifest: { version: 2 } });
    expect(component?.unfolded?.files).toBeGreaterThan(6);

    const target = mkdtempSync(join(dataDir, 'by-hand-'));
    restic('restore', 'latest', '--tag', `rp:${first},manifest`, '--target', target);
    expect(existsSync(join(target, 'components/workspace/kv_store_llm_response_cache.json'))).toBe(false);
    const folded = spawnSync(process.execPath, [join(target, 'fold.mjs'), target], { encoding: 'utf8' });
    expect(folded).toMatchObject({ status: 0, stderr: '' });
    expect(folded.stdout).toMatch(
      new RegExp(`^${component?.unfolded?.files} files folded, \\d+ others agree, 0 failed`),
    );
    // `ragwarden fold` finds nothing left to do there, and says where nothing was restored.
    expect(foldRestored(target)).toMatchObject({ folded: 0, faults: [] });
    expect(() => foldRestored(dataDir)).toThrow(expect.objectContaining({ code: 'request/not-found' }));
    const bytesOf = (content: Record<string, string>): Record<string, string> =>
      Object.fromEntries(Object.entries(content).filter(([path]) => !path.endsWith('/')));
    expect(bytesOf(contentOf(join(target, 'components', 'workspace')))).toEqual(bytesOf(original));
  });

  test('cost what changed, and leave every shard alone that did not', async () => {
    const before = shardTimes();
    const again = await started.backup.requirePoint(await take());
    // Besides ragwarden's own state, which is a file of its own and always has changed.
    const ownState = (point: typeof again): number =>
      point.manifest?.components.find((one) => one.name === 'ragwarden-state')?.bytes ?? 0;
    expect(Number(again.storedBytes) - ownState(again)).toBeLessThan(60_000);
    expect(shardTimes()).toEqual(before);

    const text = readFileSync(cache, 'utf8');
    const record = `  "default:extract:added": {\n    "return": "${'what was found '.repeat(20)}"\n  },\n`;
    writeFileSync(`${cache}.new`, text.replace('{\n', `{\n${record}`));
    renameSync(`${cache}.new`, cache);
    const changed = await started.backup.requirePoint(await take());
    expect(text.length).toBeGreaterThan(1_000_000);
    expect(Number(changed.storedBytes) - ownState(changed)).toBeLessThan(80_000);
    expect(Object.fromEntries(shardTimes())).toMatchObject(Object.fromEntries(before));
    await done(await begin(() => started.backup.verify({ pointId: changed.id, requestedBy: 'test' })));
  });

  test('are restored, by a ragwarden that stores whole files, too, as are those it stores', async () => {
    await warden.stop('to switch it off');
    warden = openWarden({ RAGWARDEN_BACKUP_UNFOLD: 'false' });
    started = await warden.start();
    const later = contentOf(workspace);
    const whole = await take();
    const { manifest } = await started.backup.requirePoint(whole);
    expect(manifest?.components.map(({ unfolded }) => unfolded)).toEqual(manifest?.components.map(() => undefined));
    expect(existsSync(join(tree, 'unfolded', 'workspace'))).toBe(false);
    for (const [pointId, expected] of [
      [first, original],
      [whole, later],
    ] as const) {
      writeFileSync(cache, 'spoilt');
      await done(
        await begin(() => started.backup.restore({ pointId, confirm: true, safetyPoint: false, requestedBy: 'test' })),
      );
      expect(contentOf(workspace)).toEqual(expected);
    }
  });
});
