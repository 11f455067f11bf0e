import {
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { CleanupFolder } from './strategies/folder-entries.ts';
import {
  type BackendState,
  createGraphragUpdates,
  createOldLogs,
  createTemporaryFiles,
} from './strategies/folder-entries.ts';
import { holds, openTestCleanup, type TestCleanup } from './test-cleanup.ts';

const hour = 3_600_000;
const day = 24 * hour;
let opened: TestCleanup | undefined;
afterEach(async () => {
  await opened?.remove();
  opened = undefined;
});

async function open(
  more: { backend?: () => BackendState; use?: CleanupFolder['use']; step?: (name: string) => void } = {},
): Promise<TestCleanup> {
  const { step } = more;
  opened = await openTestCleanup(({ folder, clock }) => {
    mkdirSync(join(folder, 'work'), { recursive: true });
    const deps = {
      folders: (): readonly CleanupFolder[] => [
        {
          ...{ id: 'work', path: join(folder, 'work'), use: more.use ?? 'temporary', patterns: [], graceMs: 60_000 },
          holdsData: true,
          ...(more.backend ? { backend: async () => more.backend?.() ?? { state: 'down', startedMs: null } } : {}),
        },
      ],
      contained: async () => holds,
      clock,
    };
    return { strategies: [createTemporaryFiles(deps), createOldLogs(deps), createGraphragUpdates(deps)] };
  }, step && { step });
  return opened;
}
const sibling = (n: number): string => `work/ws/kv_store_text_chunks.json.tmp.41.7.${n}`;

test('a temporary sibling that a killed server left goes, is listed with its reason, and comes back byte for byte', async () => {
  const { file, run, undo, cleanup, store, events } = await open({
    backend: () => ({ state: 'down', startedMs: null }),
  });
  const path = file(sibling(1), { text: 'half a file' });
  const before = lstatSync(path);
  file('work/ws/kv_store_text_chunks.json');
  const plan = await cleanup.plan({ strategy: 'temporary-files', params: {}, requestedBy: 'tester' });
  expect(plan).toMatchObject({
    items: [{ what: 'work: ws/kv_store_text_chunks.json.tmp.41.7.1', bytes: 11, risk: 'low', contained: holds }],
    undo: 'quarantine',
  });
  expect(existsSync(path)).toBe(true);
  const ended = await run('temporary-files');
  expect(ended).toMatchObject({ state: 'succeeded', result: { cleaned: 1, bytes_freed: 11, outcome: 'success' } });
  expect(existsSync(path)).toBe(false);
  expect(existsSync(join(path, '..', 'kv_store_text_chunks.json'))).toBe(true);
  expect(await store.listEntries({ state: 'held', limit: 10 })).toMatchObject([{ runId: ended.id, bytes: 11 }]);
  expect(await undo({ runId: ended.id })).toMatchObject({ state: 'succeeded', result: { undone: 1 } });
  expect(readFileSync(path, 'utf8')).toBe('half a file');
  expect(lstatSync(path)).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs });
  expect(readdirSync(join(path, '..', '..', '.ragwarden'))).toEqual([]);
  expect((await events.list({ limit: 10 })).map(({ type }) => type)).toEqual(['cleanup.undone', 'cleanup.finished']);
  expect((await events.listAudit({ limit: 10 })).map(({ action }) => action).sort()).toEqual([
    'cleanup.run',
    'cleanup.undo',
  ]);
});

test.each<[string, BackendState, number, boolean]>([
  ['while the backend runs', { state: 'up', startedMs: null }, 2 * hour, false],
  ['while nobody knows whether it runs', { state: 'unknown', startedMs: null }, 2 * hour, false],
  [
    'while it runs and began after the file was written last',
    { state: 'up', startedMs: Date.now() - hour },
    2 * hour,
    true,
  ],
  ['while it runs and began before', { state: 'up', startedMs: Date.now() - 3 * hour }, 2 * hour, false],
  ['younger than it may be', { state: 'down', startedMs: null }, hour / 2, false],
])('a temporary sibling %s', async (_, backend, ageMs, goes) => {
  const { file, run } = await open({ backend: () => backend });
  const path = file(sibling(1), { ageMs });
  await run('temporary-files');
  expect(existsSync(path)).toBe(!goes);
});

test('what is open, changed, replaced, younger or behind a link since the plan stays, and is told', async () => {
  const { file, cleanup, operations, folder } = await open({ backend: () => ({ state: 'down', startedMs: null }) });
  const [open1, changed, replaced, gone, fine] = [1, 2, 3, 4, 5].map((n) => file(sibling(n))) as [
    string,
    string,
    string,
    string,
    string,
  ];
  file('outside/kv.json.tmp.1.1.1');
  symlinkSync(join(folder, 'outside'), join(folder, 'work', 'link'));
  symlinkSync(join(folder, 'outside', 'kv.json.tmp.1.1.1'), join(folder, 'work', 'x.tmp.1.1.1'));
  const plan = await cleanup.plan({ strategy: 'temporary-files', params: {}, requestedBy: 'tester' });
  expect(plan.items).toHaveLength(5);
  const descriptor = openSync(open1, 'r');
  writeFileSync(changed, 'other');
  const at = (Date.now() - day) / 1_000;
  writeFileSync(`${replaced}.new`, 'text');
  utimesSync(`${replaced}.new`, at, at);
  renameSync(`${replaced}.new`, replaced);
  rmSync(gone);
  const operation = await cleanup.runPlan(plan.id, { requestedBy: 'tester' });
  const { result } = (await operations.wait(operation.id)) as unknown as { result: { notes: { why: string }[] } };
  closeSync(descriptor);
  expect(result).toMatchObject({ cleaned: 1, skipped: 4 });
  expect(result.notes.map(({ why }) => why).sort()).toEqual([
    'a process has it open',
    ...Array(3).fill('it changed, or is gone, since it was planned'),
  ]);
  expect([open1, changed, replaced, gone, fine].map((path) => existsSync(path))).toEqual([
    true,
    true,
    true,
    false,
    false,
  ]);
  expect(existsSync(join(folder, 'outside', 'kv.json.tmp.1.1.1'))).toBe(true);
});

test('a link that is put in the place of a folder between the look and the move leads nowhere; the rest goes and comes back', async () => {
  let swap = (): void => undefined;
  const { file, run, undo, folder } = await open({
    backend: () => ({ state: 'down', startedMs: null }),
    step(name) {
      if (name === 'announced') swap();
    },
  });
  const name = 'kv.json.tmp.1.1.1';
  const paths = Array.from({ length: 25 }, (_, n) =>
    file(`work/${n % 5 === 0 ? 'deep/er/' : ''}ws${n}/${name}`, { text: `${n}` }),
  );
  // The very same file by a second name: its inode alone would not tell that it is another place.
  mkdirSync(join(folder, 'outside'));
  linkSync(paths[7] as string, join(folder, 'outside', name));
  swap = () => {
    renameSync(join(folder, 'work', 'ws7'), join(folder, 'work', 'moved'));
    symlinkSync(join(folder, 'outside'), join(folder, 'work', 'ws7'));
  };
  const ended = await run('temporary-files');
  expect(ended.result).toMatchObject({ cleaned: 24, skipped: 1, failed: 0 });
  expect(ended.result.notes).toEqual([
    { what: `work: ws7/${name}`, why: expect.stringContaining('does not lie plainly') },
  ]);
  expect([existsSync(join(folder, 'outside', name)), existsSync(join(folder, 'work', 'moved', name))]).toEqual([
    true,
    true,
  ]);
  expect(await undo({ runId: ended.id })).toMatchObject({ state: 'succeeded', result: { undone: 24 } });
  expect(paths.map((path) => readFileSync(path, 'utf8'))).toEqual(paths.map((_, n) => `${n}`));
});

test('a plan is carried out once, within an hour, and never for a folder that nobody registered', async () => {
  const { file, cleanup, operations, run } = await open({ backend: () => ({ state: 'down', startedMs: null }) });
  file(sibling(1));
  const plan = await cleanup.plan({ strategy: 'temporary-files', params: {}, requestedBy: 'tester' });
  await operations.wait((await cleanup.runPlan(plan.id, { requestedBy: 'tester' })).id);
  await expect(cleanup.runPlan(plan.id, { requestedBy: 'tester' })).rejects.toMatchObject({ code: 'conflict/state' });
  await expect(cleanup.runPlan('plan_x', { requestedBy: 'tester' })).rejects.toMatchObject({
    code: 'cleanup/unknown-plan',
  });
  await expect(run('temporary-files', { path: '/etc' })).rejects.toMatchObject({ code: 'request/invalid' });
  await expect(run('everything')).rejects.toMatchObject({ code: 'cleanup/unknown-strategy' });
});

test('undoing overwrites nothing: what took the place stays, the rest comes back', async () => {
  const { file, run, undo, store } = await open({ backend: () => ({ state: 'down', startedMs: null }) });
  const [one, two] = [file(sibling(1), { text: 'one' }), file(sibling(2), { text: 'two' })];
  const ended = await run('temporary-files');
  writeFileSync(one, 'newer');
  expect(await undo({ runId: ended.id })).toMatchObject({ state: 'partial', result: { undone: 1, failed: [{}] } });
  expect([readFileSync(one, 'utf8'), readFileSync(two, 'utf8')]).toEqual(['newer', 'two']);
  const [left] = await store.listEntries({ state: 'held', limit: 10 });
  expect(left?.note).toMatch(/is there again/);
});

test('rotated logs past their days go, the log that is written to never', async () => {
  const { file, run, undo } = await open({ use: 'logs' });
  const kept = [file('work/lightrag.log', { ageMs: 90 * day }), file('work/lightrag.log.1', { ageMs: 5 * day })];
  const old = ['lightrag.log.2', 'lightrag.log.3.gz', 'server.log-20250101', 'server.log.2025-01-01'].map((name) =>
    file(`work/${name}`, { ageMs: 60 * day }),
  );
  const ended = await run('logs');
  expect(ended.result).toMatchObject({ cleaned: 4 });
  expect([...kept, ...old].map((path) => existsSync(path))).toEqual([true, true, false, false, false, false]);
  await undo({ runId: ended.id });
  expect(old.every((path) => existsSync(path))).toBe(true);
});

test('folders that GraphRAG updates leave go whole, the newest never, and come back whole', async () => {
  const { file, run, undo, folder } = await open({ use: 'graphrag' });
  const runs = ['20260101-000000', '20260201-000000', '20260301-000000'];
  for (const name of runs) {
    file(`work/update_output/${name}/previous/entities.parquet`, { ageMs: 40 * day, text: name });
    for (const inner of ['previous', '']) {
      const at = (Date.now() - 40 * day) / 1_000;
      utimesSync(join(folder, 'work/update_output', name, inner), at, at);
    }
  }
  file('work/output/entities.parquet', { ageMs: 90 * day });
  const ended = await run('graphrag-updates');
  expect(ended.result).toMatchObject({ cleaned: 2 });
  expect(readdirSync(join(folder, 'work/update_output'))).toEqual(['20260301-000000']);
  expect(await undo({ runId: ended.id })).toMatchObject({ state: 'succeeded', result: { undone: 2 } });
  expect(readFileSync(join(folder, 'work/update_output/20260101-000000/previous/entities.parquet'), 'utf8')).toBe(
    '20260101-000000',
  );
});

test('what lies in the quarantine past its window goes for good; before, only when it is asked for', async () => {
  const { file, run, undo, store, folder, settings } = await open({
    backend: () => ({ state: 'down', startedMs: null }),
  });
  file(sibling(1));
  const first = await run('temporary-files');
  expect((await run('quarantine')).result).toMatchObject({ cleaned: 0 });
  opened!.settings = { ...settings, quarantineMs: 0 };
  file(sibling(2));
  await run('temporary-files');
  expect((await run('quarantine')).result).toMatchObject({ cleaned: 1 });
  expect(await store.countHeld()).toBe(1);
  expect((await run('quarantine', { run_id: first.id })).result).toMatchObject({ cleaned: 1 });
  expect(readdirSync(join(folder, 'work/.ragwarden'))).toEqual([]);
  expect(readdirSync(join(folder, 'data/quarantine'))).toEqual([]);
  await expect(undo({ runId: first.id })).rejects.toMatchObject({ code: 'cleanup/unknown-entry' });
});
