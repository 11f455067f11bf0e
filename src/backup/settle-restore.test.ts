import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Operation, OperationContext } from '../operations/index.ts';
import { createLogger } from '../platform/logging.ts';
import type { BackupDeps, ProtectedTarget } from './backup-deps.ts';
import type { Manifest, ManifestComponent } from './manifest.ts';
import type { RecoveryPoint } from './point.ts';
import type { RestorerState } from './restore/restorer.ts';
import { restorePoint } from './restore-point.ts';
import { settleRestore } from './settle-restore.ts';
import { settleUnsettled } from './unsettled-restore.ts';

let stagingDir: string;
beforeAll(async () => {
  stagingDir = await mkdtemp(join(tmpdir(), 'settle-restore-'));
});
afterAll(() => rm(stagingDir, { recursive: true, force: true }));

/** One store: which state lives in it, and what a restorer would find of the operation. */
type Store = { lives: 'old' | 'new'; state: RestorerState; keeps: boolean; fails?: 'verify' | 'finish' | 'undo' };
const store = (more: Partial<Store> = {}): Store => ({ lives: 'old', state: 'none', keeps: true, ...more });

/** A target without folders, whose stores are in memory, in the order in which a manifest names them. */
function targetOf(
  stores: Readonly<Record<string, Store>>,
  { settings = new Map(), sleep }: { settings?: Map<string, string>; sleep?: () => Promise<void> } = {},
): {
  deps: BackupDeps;
  events: unknown[];
  point: RecoveryPoint;
} {
  const events: unknown[] = [];
  const restorerOf = (name: string) => {
    const own = stores[name];
    if (!own) return undefined;
    return {
      state: async () => own.state,
      async prepare() {
        own.state = 'prepared';
      },
      async commit() {
        if (own.state === 'none') throw new Error('nothing was filled');
        Object.assign(own, { state: 'committed', lives: 'new' });
      },
      async verify() {
        if (own.fails === 'verify') throw new Error('it is not as in the point');
      },
      async undo() {
        if (own.fails === 'undo') throw new Error('nobody answers');
        Object.assign(own, { state: 'none', lives: 'old' });
      },
      async finish() {
        if (own.fails === 'finish') throw new Error('nobody answers');
        // As a database that was gone before, or a Redis that had none of these keys.
        if (!own.keeps) own.state = 'none';
        return own.keeps ? `former ${name}` : undefined;
      },
    };
  };
  const component = (name: string): ManifestComponent =>
    ({
      name,
      kind: 'postgres',
      files: 0,
      bytes: 1,
      restore: { by: 'restorer', details: {} },
    }) as unknown as ManifestComponent; // The rest is for readers.
  const manifest = {
    id: 'backup_20261122_010203_abcd',
    taken_at: '2026-11-22T01:02:03.000Z',
    components: [...Object.keys(stores), 'unplaced'].map(component),
    target: { workspaces: [''] },
  } as unknown as Manifest;
  const guarded = {
    target: { id: 'default', stores: [], workspaces: [''], startTimeoutMs: 1_000, stopTimeoutMs: 1_000 },
    lifecycle: {
      automatic: true,
      findSignOfLife: async () => undefined,
      stop: async () => {},
      start: async () => {},
    },
    observe: async () => undefined,
    folderOf: () => undefined,
    restorerOf,
  } as unknown as ProtectedTarget;
  const point = { id: manifest.id, targetId: 'default', takenMs: 1, manifest } as unknown as RecoveryPoint;
  const points = {
    find: async () => point,
    writeSetting: async (_: unknown, key: string, value: string) => void settings.set(key, value),
    deleteSetting: async (_: unknown, key: string) => void settings.delete(key),
    readSettings: async () => [...settings].map(([key, value]) => ({ key, value })),
  };
  const deps = {
    requireTarget: () => guarded,
    points,
    db: { unit: (work: (tx: unknown) => Promise<unknown>) => work({}) },
    events: { record: async (_: unknown, event: unknown) => void events.push(event) },
    // Unless told otherwise the process stops as soon as somebody would wait.
    clock: { now: () => 2, sleep: sleep ?? (() => Promise.reject(new Error('stopping'))) },
    log: createLogger({ level: 'silent' }),
    stagingDir,
    step: async () => {},
  } as unknown as BackupDeps;
  return { deps, events, point };
}

const wanted = (stores: Readonly<Record<string, Store>>) => ({ components: Object.keys(stores) });

async function settle(stores: Readonly<Record<string, Store>>, phase: string): Promise<unknown> {
  const { deps } = targetOf(stores);
  const input = { pointId: 'backup_20261122_010203_abcd', options: wanted(stores) };
  const { data } = await settleRestore(deps, { id: 'op_1', targetId: 'default', phase, input } as Operation);
  return data?.state;
}

async function restore(
  stores: Readonly<Record<string, Store>>,
  more: Parameters<typeof targetOf>[1] = {},
): Promise<{ events: unknown[]; result: unknown }> {
  const { deps, events, point } = targetOf(stores, more);
  const context = {
    id: 'op_1',
    signal: new AbortController().signal,
    log: deps.log,
    phase: async () => {},
    progress: () => {},
    checkHeld: async () => {},
    markPartial: () => {},
  } as unknown as OperationContext;
  const prepared = { manifest: point.manifest as Manifest, snapshotId: 'one', entries: new Map() };
  const result = await restorePoint(
    deps,
    { point, prepared, safetyPoint: false, options: wanted(stores) },
    context,
  ).catch((err: Error) => err.message);
  return { events, result };
}

const lives = (stores: Readonly<Record<string, Store>>): string[] => Object.values(stores).map((one) => one.lives);

test('a kill while stores are exchanged ends with all of them exchanged, or with none', async () => {
  const going = { a: store({ state: 'committed', lives: 'new' }), b: store({ state: 'prepared' }) };
  expect([await settle(going, 'moving'), lives(going)]).toEqual(['new', ['new', 'new']]);
  const wrong = { a: store({ state: 'committed', lives: 'new' }), b: store({ state: 'prepared', fails: 'verify' }) };
  expect([await settle(wrong, 'checking'), lives(wrong)]).toEqual(['old', ['old', 'old']]);
  const early = { a: store({ state: 'prepared' }), b: store() };
  expect([await settle(early, 'filling'), lives(early)]).toEqual(['old', ['old', 'old']]);
});

test('a kill after all was checked keeps the new state, also of a store that had nothing to keep', async () => {
  for (const phase of ['finishing', 'starting']) {
    const stores = { a: store({ lives: 'new', keeps: false }), b: store({ state: 'committed', lives: 'new' }) };
    expect([await settle(stores, phase), lives(stores)]).toEqual(['new', ['new', 'new']]);
  }
});

test('a restore that fails before all is checked leaves the former state in every store', async () => {
  const stores = { a: store(), b: store({ fails: 'verify' }) };
  const { events } = await restore(stores);
  expect(lives(stores)).toEqual(['old', 'old']);
  expect(events).toMatchObject([{ type: 'restore.rolled-back', data: { state: 'old' } }]);
});

test('a failed restore that could not be undone is settled by a later start, and until then remembered', async () => {
  const settings = new Map<string, string>();
  const stores = { a: store({ fails: 'undo' }), b: store({ fails: 'verify' }) };
  const { events } = await restore(stores, { settings });
  expect(lives(stores)).toEqual(['new', 'old']);
  expect(events).toMatchObject([
    { type: 'restore.undo-waits', severity: 'critical' },
    { type: 'restore.rolled-back', severity: 'critical', data: { state: 'unsettled' } },
  ]);
  const start = async (): Promise<unknown[]> => {
    const later = targetOf(stores, { settings });
    const input = { pointId: 'backup_20261122_010203_abcd', options: wanted(stores) };
    const operation = { id: 'op_1', targetId: 'default', phase: 'checking', input } as Operation;
    await settleUnsettled(later.deps, async (id) => (id === 'op_1' ? operation : undefined));
    return later.events;
  };
  expect(await start()).toMatchObject([{ type: 'operation.settle-failed', severity: 'critical' }]);
  Object.assign(stores.a, { fails: undefined });
  expect(await start()).toMatchObject([{ type: 'operation.settled', data: { state: 'old' } }]);
  expect(lives(stores)).toEqual(['old', 'old']);
  expect(await start()).toEqual([]);
});

test('a failed restore goes on when the store that it waited for answers', async () => {
  const stores = { a: store({ fails: 'undo' }), b: store({ fails: 'verify' }) };
  const { events } = await restore(stores, { sleep: async () => void Object.assign(stores.a, { fails: undefined }) });
  expect(lives(stores)).toEqual(['old', 'old']);
  expect(events).toMatchObject([
    { type: 'restore.undo-waits' },
    { type: 'restore.rolled-back', data: { state: 'old' } },
  ]);
});

test('what fails after all was checked turns no store back alone, and is told', async () => {
  const stores = { a: store({ keeps: false }), b: store({ fails: 'finish' }), c: store() };
  const { events, result } = await restore(stores);
  expect(lives(stores)).toEqual(['new', 'new', 'new']);
  expect(events).toMatchObject([{ type: 'restore.finished' }]);
  expect(result).toMatchObject({
    undo: [{ folder: 'former c' }],
    notes: expect.arrayContaining([expect.stringContaining('b is as in the point, but could not be tidied up')]),
  });
});
