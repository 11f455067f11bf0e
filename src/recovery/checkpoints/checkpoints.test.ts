import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RecoveryPoint } from '../../backup/index.ts';
import { createEventLog } from '../../events/index.ts';
import { openTestState, type TestState } from '../../migrations/test-state.ts';
import { createOperations, type Operations } from '../../operations/index.ts';
import { AppError } from '../../platform/errors.ts';
import { createFakeClock } from '../../platform/fake-clock.ts';
import { systemRandom } from '../../platform/ids.ts';
import { silentLogger } from '../../platform/logging.ts';
import type { Drill } from '../drill.ts';
import { type CheckpointStore, createCheckpointStore } from './checkpoint-store.ts';
import { type Checkpoints, createCheckpoints } from './checkpoints.ts';
import { findVerified } from './stands-for.ts';

let state: TestState;
let operations: Operations;
let store: CheckpointStore;
let checkpoints: Checkpoints;
let pinned: Map<string, boolean>;
/** Told before a pin is set or taken away. */
let onPin: (pointId: string, to: boolean) => Promise<void> | void;
/** How the next drill ends; an error: it does not begin. */
let drill: 'passed' | 'failed' | 'error' | AppError;

const pointOf = (id: string): RecoveryPoint =>
  // What nobody here reads is left out.
  ({ id, targetId: 'rag', takenMs: 1, pinned: pinned.get(id) ?? false, manifest: null }) as RecoveryPoint;

beforeEach(async () => {
  state = await openTestState();
  const clock = createFakeClock();
  const events = createEventLog({ db: state.db, clock, instance: 'warden' });
  operations = createOperations({ db: state.db, clock, log: silentLogger, events, instance: 'warden' });
  store = createCheckpointStore(state.db);
  [pinned, onPin, drill] = [new Map(), () => undefined, 'passed'];
  checkpoints = createCheckpoints({
    ...{ db: state.db, store, operations, events, clock, random: systemRandom },
    points: { newest: async () => pointOf('point'), find: async (id) => pointOf(id) },
    backup: {
      async pin({ pointId, pinned: to }) {
        await onPin(pointId, to);
        pinned.set(pointId, to);
        return pointOf(pointId);
      },
    },
    drills: {
      async start() {
        if (drill instanceof AppError) throw drill;
        return operations.start({
          ...{ kind: 'recovery.drill', exclusive: false, input: null, requestedBy: 'admin' },
          run: async () => null,
        });
      },
    },
    // What nobody here reads is left out.
    drillStore: { find: async (id) => ({ id, verdict: drill, reasons: [] as readonly string[] }) as Drill },
    failovers: { start: () => Promise.reject(new Error('nobody fails over here')) },
    requireGraph: async (id) => ({ id, targetId: 'rag', workspace: '' }),
  });
});
afterEach(async () => {
  await operations.stop();
  await state.remove();
});

const create = () => checkpoints.create({ graphIds: ['graph'], description: '', metadata: {}, requestedBy: 'admin' });

test('removing a checkpoint takes away the pin that was set for it, and none that somebody had set himself', async () => {
  pinned.set('point', true);
  await checkpoints.remove((await create()).id, 'admin');
  expect(pinned.get('point')).toBe(true);
  pinned.set('point', false);
  const [first, second] = [await create(), await create()];
  await checkpoints.remove(first.id, 'admin');
  expect(pinned.get('point')).toBe(true);
  await checkpoints.remove(second.id, 'admin');
  expect(pinned.get('point')).toBe(false);
});

test('what somebody pins himself while a checkpoint names it stays pinned, also when that is validated meanwhile', async () => {
  const [first, second] = [await create(), await create()];
  const before = await checkpoints.require(first.id);
  await state.db.unit((tx) => store.keepPin(tx, 'point'));
  await state.db.unit((tx) => store.writeValidation(tx, { ...before, validated: true }));
  expect(await checkpoints.require(first.id)).toMatchObject({ validated: true, graphs: [{ pinnedHere: false }] });
  await checkpoints.remove(first.id, 'admin');
  await checkpoints.remove((await create()).id, 'admin');
  await checkpoints.remove(second.id, 'admin');
  expect(pinned.get('point')).toBe(true);
});

test('one that cannot pin its points leaves neither a row nor a pin', async () => {
  onPin = (_, to) => {
    if (to) throw new AppError('conflict/state', 'It does not exist any more.');
  };
  await expect(create()).rejects.toMatchObject({ code: 'conflict/state' });
  expect([(await store.count()).total, pinned.get('point') ?? false]).toEqual([0, false]);
});

test('what is created while another one is removed keeps its pin', async () => {
  const first = await create();
  onPin = async (_, to) => {
    if (to) return;
    onPin = () => undefined;
    await create();
  };
  await checkpoints.remove(first.id, 'admin');
  expect([(await store.count()).total, pinned.get('point')]).toEqual([1, true]);
});

test('a drill that could not be done takes no earlier validation away; one that fails does', async () => {
  const { id } = await create();
  const validate = async () => {
    await operations.wait((await checkpoints.validate(id, { requestedBy: 'admin' })).id);
    return (await checkpoints.require(id)).validated;
  };
  drill = new AppError('operation/busy', 'A drill runs already.');
  expect(await validate()).toBe(false);
  drill = 'passed';
  expect(await validate()).toBe(true);
  drill = new AppError('operation/busy', 'A drill runs already.');
  expect(await validate()).toBe(true);
  drill = 'error';
  expect(await validate()).toBe(true);
  drill = 'failed';
  expect(await validate()).toBe(false);
});

test('what a restore gave up stands for no graph, however new it is', async () => {
  const asked: unknown[] = [];
  const newest = async (_: string, kind?: string) => {
    asked.push(kind);
    return kind === 'wanted' ? pointOf('before-the-damage') : pointOf('safety-point');
  };
  const point = await findVerified({ newest }, { id: 'g', targetId: 'rag', workspace: '' });
  expect([point?.id, asked]).toEqual(['before-the-damage', ['wanted']]);
});

test('a workspace that the newest point of the target does not hold is named by a point of its own, or not at all', async () => {
  // Of a manifest only this is read.
  const manifest = { target: { workspaces: ['books'] } } as RecoveryPoint['manifest'];
  const own = new Map([['maps', { ...pointOf('of-maps'), manifest }]]);
  const newest = async (_: string, __?: string, workspace?: string) =>
    workspace === undefined ? { ...pointOf('whole'), manifest } : own.get(workspace);
  const found = (workspace: string) => findVerified({ newest }, { id: 'g', targetId: 'rag', workspace });
  expect((await found('books'))?.id).toBe('whole');
  expect((await found('maps'))?.id).toBe('of-maps');
  expect(await found('songs')).toBeUndefined();
});
