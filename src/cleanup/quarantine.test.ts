import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { stateMigrations } from '../migrations/index.ts';
import { migrate, openSqlite } from '../platform/database/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { fileQuarantine } from './file-quarantine.ts';
import { createQuarantine } from './quarantine.ts';
import { createTemporaryFiles } from './strategies/folder-entries.ts';
import { holds, openTestCleanup, type TestCleanup } from './test-cleanup.ts';

let opened: TestCleanup | undefined;
afterEach(async () => {
  await opened?.remove();
  opened = undefined;
});

/** Whoever comes to this boundary never goes on, as after a kill; what is on the disk and in the database stays as it is. */
async function openStoppingAt(boundary: string) {
  let reached = (): void => undefined;
  const stopped = new Promise<void>((resolve) => {
    reached = resolve;
  });
  opened = await openTestCleanup(
    ({ folder, clock }) => {
      mkdirSync(join(folder, 'work'), { recursive: true });
      const deps = {
        folders: () => [
          {
            ...{ id: 'work', path: join(folder, 'work'), use: 'temporary' as const, patterns: ['*.part'] },
            ...{ graceMs: 0, holdsData: false },
          },
        ],
        contained: async () => holds,
        clock,
      };
      return { strategies: [createTemporaryFiles(deps)] };
    },
    {
      step: (name) => {
        if (name !== boundary) return undefined;
        reached();
        return new Promise(() => undefined);
      },
    },
  );
  const { folder, store, state, clock } = opened;
  const next = createQuarantine({
    ...{ folder: join(folder, 'data', 'quarantine'), store, db: state.db, clock, log: silentLogger },
    kinds: [fileQuarantine],
  });
  return { ...opened, stopped, next };
}

test.each([
  ['announced', 0],
  ['taken', 3],
  ['listed', 3],
])(
  'after a kill when it was %s, the next start lists exactly what is gone, and all of it comes back',
  async (boundary, gone) => {
    const { file, cleanup, stopped, next, store } = await openStoppingAt(boundary);
    const paths = [1, 2, 3].map((n) => file(`work/${n}.part`, { text: `text ${n}` }));
    const operation = await cleanup.run({ strategy: 'temporary-files', params: {} }, { requestedBy: 'tester' });
    await stopped;
    expect(paths.filter((path) => !existsSync(path))).toHaveLength(gone);
    await next.settleRun(operation.id);
    const held = await store.listEntries({ runId: operation.id, limit: 10 });
    expect(held).toHaveLength(gone);
    // Settled twice, as when the next start is killed too.
    expect(await next.settleRun(operation.id)).toBe(0);
    const { undone, failed } = await next.undo(held, new AbortController().signal);
    expect([undone.length, failed.length]).toEqual([gone, 0]);
    expect(paths.map((path) => readFileSync(path, 'utf8'))).toEqual(['text 1', 'text 2', 'text 3']);
  },
);

test.each([
  ['lists at once', 1],
  ['lists when the next one begins', 2],
])('what a run had taken away when the list failed, it %s, and all of it comes back', async (_, failures) => {
  const { file, run, undo, store } = await openStoppingAt('nowhere');
  const paths = [1, 2].map((n) => file(`work/${n}.part`, { text: `text ${n}` }));
  const insert = vi.spyOn(store, 'insertEntries');
  for (let i = 0; i < failures; i += 1) insert.mockRejectedValueOnce(new Error('the disk is full'));
  const failed = await run('temporary-files');
  expect(failed.state).toBe('failed');
  expect((await store.listRuns({ limit: 1 }))[0]?.message).toMatch(
    failures === 1 ? /^the disk is full 2 that/ : /not listed/,
  );
  if (failures === 2) await run('temporary-files');
  expect(await store.listEntries({ runId: failed.id, limit: 10 })).toHaveLength(2);
  expect(await undo({ runId: failed.id })).toMatchObject({ state: 'succeeded', result: { undone: 2 } });
  expect(paths.map((path) => readFileSync(path, 'utf8'))).toEqual(['text 1', 'text 2']);
});

/** Resolves with its first line, and rejects when it ends without one. */
function firstLine(child: ReturnType<typeof spawn>): Promise<string> {
  let text = '';
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', (piece: Buffer) => {
      text += String(piece);
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
    });
    child.once('close', (code) => reject(new Error(`it ended with ${code} and said ${text}`)));
  });
}

test('a process that is killed in the midst of a cleanup: the next one lists what went, ends the run, and brings all of it back', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rw-cleanup-'));
  const paths = [1, 2, 3, 4, 5].map((n) => join(folder, 'work', `${n}.part`));
  mkdirSync(join(folder, 'work'));
  const old = Date.now() / 1_000 - 86_400;
  for (const path of paths) {
    writeFileSync(path, `text of ${path}`);
    utimesSync(path, old, old);
  }
  const fixture = join(import.meta.dirname, 'killed-cleanup.fixture.ts');
  const child = spawn(process.execPath, [fixture, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const line = await firstLine(child).finally(() => child.kill('SIGKILL'));
  await ended;
  expect(paths.filter((path) => !existsSync(path))).toHaveLength(4);

  const { state: path } = JSON.parse(line) as { state: string };
  const db = openSqlite({ name: 'state', path, synchronous: 'NORMAL', log: silentLogger });
  await migrate(db, stateMigrations);
  opened = await openTestCleanup(() => ({ strategies: [] }), {
    folder,
    state: {
      ...{ db, path, reopen: async () => db, everything: async () => '', tamper: async () => undefined },
      async remove() {
        await db.close();
        rmSync(dirname(path), { recursive: true, force: true });
      },
    },
  });
  const { operations, cleanup, store, undo } = opened;
  expect(await store.countHeld()).toBe(2);
  const [settled] = await operations.settle({ settlers: cleanup.settlers });
  expect(settled).toMatchObject({ kind: 'cleanup.run', state: 'interrupted' });
  const [run] = await store.listRuns({ limit: 5 });
  expect(run).toMatchObject({
    outcome: 'error',
    error: 'interrupted',
    message: expect.stringContaining('2 that it had'),
  });
  expect(await store.countHeld()).toBe(4);
  expect(await undo({ runId: settled?.id })).toMatchObject({ state: 'succeeded', result: { undone: 4 } });
  expect(paths.map((one) => readFileSync(one, 'utf8'))).toEqual(paths.map((one) => `text of ${one}`));
}, 120_000);
