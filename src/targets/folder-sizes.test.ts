import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { createFolderSizes, measureFolder } from './folder-sizes.ts';
import { targetFromConfig } from './target.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-sizes-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const never = new AbortController().signal;

test('counts plain files at any depth, and neither links nor our own folder', async () => {
  mkdirSync(join(folder, 'wörk space/__parsed__'), { recursive: true });
  writeFileSync(join(folder, 'kv_store_doc_status.json'), '12345');
  writeFileSync(join(folder, 'wörk space/__parsed__/a"b.txt'), '123');
  mkdirSync(join(folder, '.ragwarden'));
  writeFileSync(join(folder, '.ragwarden/undo'), 'x'.repeat(1_000));
  mkdirSync(join(folder, 'wörk space/.ragwarden'));
  writeFileSync(join(folder, 'wörk space/.ragwarden/theirs'), '12');
  symlinkSync('/', join(folder, 'root'));
  symlinkSync(folder, join(folder, 'circle'));
  expect(await measureFolder(folder, never)).toEqual({ bytes: 10, files: 3 });
});

test('a folder that does not exist is empty', async () => {
  expect(await measureFolder(join(folder, 'none'), never)).toEqual({ bytes: 0, files: 0 });
});

test('measuring ends when it is told to', async () => {
  const reason = new Error('enough');
  await expect(measureFolder(folder, AbortSignal.abort(reason))).rejects.toBe(reason);
});

test('sizes are known after a run, with their instant, and not before', async () => {
  writeFileSync(join(folder, 'a'), '1234');
  const clock = createFakeClock();
  const target = targetFromConfig(
    {
      id: 'default',
      kind: 'lightrag',
      kindFrom: 'default',
      url: 'http://127.0.0.1:1',
      apiKey: undefined,
      username: undefined,
      password: undefined,
      workspace: '',
      workingDir: folder,
      inputDir: undefined,
      userDataDir: undefined,
      lifecycle: undefined,
      commandEnvironment: {},
      configFiles: [],
      paths: {},
      probeIntervalMs: 1_000,
      probeTimeoutMs: 1_000,
      stopTimeoutMs: 1_000,
      startTimeoutMs: 1_000,
    },
    false,
  );
  const sizes = createFolderSizes({ targets: [target], intervalMs: 60_000, clock, log: silentLogger });
  expect(sizes.sizes('default')).toEqual([]);
  await sizes.runOnce();
  const ofStore = { store: 'workspace', atMs: clock.now() };
  expect(sizes.sizes('default')).toEqual([{ ...ofStore, bytes: 4, files: 1, unread: null, below: new Map() }]);
  expect(sizes.sizes('other')).toEqual([]);
  mkdirSync(join(folder, 'acme/deep'), { recursive: true });
  writeFileSync(join(folder, 'acme/deep/b'), '12345');
  await sizes.runOnce();
  expect(sizes.sizes('default')).toMatchObject([{ bytes: 9, below: new Map([['acme', 5]]) }]);
  rmSync(folder, { recursive: true });
  await sizes.runOnce();
  expect(sizes.sizes('default')).toMatchObject([{ bytes: 0, unread: 'ENOENT' }]);
});
