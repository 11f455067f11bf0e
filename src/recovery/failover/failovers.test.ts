import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { RecoveryPoint, Repository } from '../../backup/index.ts';
import { createEventLog, type EventLog } from '../../events/index.ts';
import { openTestState, type TestState } from '../../migrations/test-state.ts';
import { createOperations, type Operation, type Operations } from '../../operations/index.ts';
import { AppError } from '../../platform/errors.ts';
import { createFakeClock, type FakeClock } from '../../platform/fake-clock.ts';
import { systemRandom } from '../../platform/ids.ts';
import { silentLogger } from '../../platform/logging.ts';
import type { Observation } from '../../targets/index.ts';
import { boundedDrills } from '../drill-growth.ts';
import { createDrillStore } from '../drill-store.ts';
import type { PlaceName } from './failover.ts';
import type { FailoverDeps, FailoverPlace, FailoverSource } from './failover-deps.ts';
import { createFailoverStore, type FailoverStore, readActivePlace } from './failover-store.ts';
import { createFailovers, type Failovers } from './failovers.ts';
import { findLittleRoom } from './plan-failover.ts';

const pointId = 'backup_20261122_093000_x7k2';
const olderId = 'backup_20261121_093000_x7k2';
let state: TestState;
let clock: FakeClock;
let events: EventLog;
let operations: Operations;
let store: FailoverStore;
let scratch: string;
/** What was done at the places, in order. */
let done: string[];
let up: Record<PlaceName, boolean>;
let active: PlaceName;
let step: (name: string) => void | Promise<void>;
/** What goes wrong in this test. */
let amiss: string[];
let canary: string;
let through: string;
let stopFails: boolean;
/** As a place counts them after its start. */
let processed: number | undefined;
let sources: FailoverSource[];
let points: RecoveryPoint[];

const point = (id: string, more: Partial<RecoveryPoint> = {}): RecoveryPoint =>
  // What nobody here reads is left out.
  ({
    ...{ id, targetId: 'rag', scope: 'target', status: 'success', takenMs: 1, verifiedMs: 2, forgottenMs: null },
    treeId: `tree of ${id}`,
    manifest: null,
    ...more,
  }) as RecoveryPoint;

const manifestOf = (id: string): string =>
  JSON.stringify({
    ...{ format: 'ragwarden-recovery-point', version: 2, id, scope: 'target', cause: 'manual', grade: 'consistent' },
    target: {
      ...{ id: 'rag', kind: 'lightrag', core_version: null, api_version: null, workspaces: [''], storage_classes: {} },
      ...{ embedding_model: null, embedding_dimension: null },
    },
    ...{ taken_at: '2026-11-22T09:30:00Z', reasons: [], partial: false, total_size_mb: 0, components: [], missing: [] },
    ...{ documents: null, counts: null, audit: { seq: 1, hash: 'h' }, warden_version: '0' },
  });

/** A repository that holds these points, as far as a failover asks it. */
const repository = (ids: readonly string[], tree = (id: string): string => `tree of ${id}`): Repository =>
  // Only what is asked.
  ({
    open: async () => ({ state: 'ok' }),
    snapshots: async ({ tags = [] }: { tags?: readonly string[] } = {}) =>
      ids.filter((id) => tags.includes(`rp:${id}`)).map((id) => ({ id, tags, tree: tree(id) })),
    readFile: async ({ snapshotId }: { snapshotId: string }) => Buffer.from(manifestOf(snapshotId)),
  }) as unknown as Repository;

const source = (id: string, open: () => Promise<Repository>): FailoverSource => ({
  ...{ id, title: id, kind: 'repository', open },
});

const place = (id: PlaceName): FailoverPlace => ({
  ...{ id, url: `http://${id}`, zone: null, folders: new Map(), shared: new Set() },
  lifecycle: {
    automatic: true,
    describe: { stop: 'stop it', start: 'start it' },
    async stop() {
      done.push(`stop ${id}`);
      if (stopFails && id === 'home') throw new AppError('target/in-use', 'It does not end.');
      up[id] = false;
    },
    async start() {
      done.push(`start ${id}`);
      up[id] = true;
    },
    findSignOfLife: async () => (up[id] ? 'it answers' : undefined),
    isExpectedDown: () => false,
    expectUp: () => undefined,
  },
  // What nobody here reads is left out.
  look: async () => ({
    seen: {
      reachable: up[id],
      documents: processed === undefined ? undefined : { processed },
    } as unknown as Observation,
    amiss,
  }),
  askCanary: async () => ({ verdict: canary, message: canary === 'passed' ? null : 'the canary found nothing' }),
});

function create(): Failovers {
  const deps: FailoverDeps = {
    ...{ db: state.db, store, events, operations, clock, random: systemRandom, log: silentLogger },
    points: {
      list: async () => points.filter((one) => one.scope === 'target'),
      find: async (id) => points.find((one) => one.id === id),
    },
    scratchDir: scratch,
    enabled: () => true,
    targetIds: () => ['rag'],
    requireTarget: () => ({
      targetId: 'rag',
      active: () => active,
      at: (id) => place(id),
      async switchTo(id) {
        active = id;
        done.push(`gateway to ${id}`);
      },
      askThroughGateway: async () => ({ verdict: through, message: through === 'passed' ? null : 'no answer' }),
    }),
    sources: async () => sources,
    restorerOf: () => undefined,
    takePoint: () => Promise.reject(new Error('nobody takes a point here')),
    step: async (name) => step(name),
    onEnd: () => undefined,
  };
  return createFailovers(deps);
}

let failovers: Failovers;
const fail = async (more: { force?: boolean; pointId?: string } = {}): Promise<Operation> => {
  // Which of two is the later one is told by their times.
  await clock.advance(1);
  const request = { targetId: 'rag', requestedBy: 'admin', confirm: true, force: false, ...more };
  return operations.wait((await failovers.start(request)).id);
};
/** As before the first failover. */
const backHome = async () => {
  [done, up, active] = [[], { home: true, standby: false }, 'home'];
  await state.db.unit((tx) => store.writeActivePlace(tx, 'rag', 'home'));
};
const last = async () => (await store.list({ limit: 1 }))[0];

beforeEach(async () => {
  state = await openTestState();
  clock = createFakeClock();
  events = createEventLog({ db: state.db, clock, instance: 'warden' });
  operations = createOperations({ db: state.db, clock, log: silentLogger, events, instance: 'warden' });
  store = createFailoverStore(state.db);
  scratch = mkdtempSync(join(tmpdir(), 'ragwarden-failover-'));
  [done, up, active, step] = [[], { home: true, standby: false }, 'home', () => undefined];
  [amiss, canary, through, stopFails, processed] = [[], 'passed', 'passed', false, undefined];
  points = [point(pointId), point(olderId)];
  sources = [source('own', async () => repository([pointId, olderId]))];
  failovers = create();
});
afterEach(async () => {
  await operations.stop();
  await state.remove();
  rmSync(scratch, { recursive: true });
});

test('the place that is left is stopped before the other one begins, and the choice is on disk before the gateway follows', async () => {
  step = async (name) => {
    if (name === 'failover:switched') done.push(`on disk: ${await readActivePlace(state.db, 'rag')}`);
  };
  const ended = await fail();
  expect(ended).toMatchObject({ state: 'succeeded', error: null });
  expect(done).toEqual(['stop home', 'start standby', 'on disk: standby', 'gateway to standby']);
  expect(await last()).toMatchObject({ state: 'succeeded', pointId, facts: { source: 'own', fromAnswered: true } });
});

test('ended in any phase it goes on in the next life, at most one phase is done twice, and the place that is left is stopped again', async () => {
  for (const phase of ['choosing', 'fencing', 'restoring', 'starting', 'checking', 'switching', 'verifying']) {
    await backHome();
    const pending = new Set([`failover:${phase}`]);
    step = (name) => {
      if (pending.delete(name)) throw new AppError('internal/stopping', 'The process ends here.');
    };
    await fail();
    expect(await last()).toMatchObject({ state: 'running', phase });
    // Somebody brings it back in between.
    up.home = true;
    await failovers.job.runOnce();
    await vi.waitFor(async () => expect(await store.running('rag')).toBeUndefined());
    await operations.wait((await last())?.operationId ?? '');
    expect(await last()).toMatchObject({ state: 'succeeded', facts: { lives: 2 } });
    expect([phase, active, up]).toEqual([phase, 'standby', { home: false, standby: true }]);
    expect(done.filter((one) => one === 'gateway to standby')).toHaveLength(1);
  }
});

test('while one is not over no other begins, not even between two lives of the process', async () => {
  const held = Promise.withResolvers<void>();
  step = (name) => (name === 'failover:restoring' ? held.promise : undefined);
  const request = { targetId: 'rag', requestedBy: 'admin', confirm: true, force: false };
  const first = await failovers.start(request);
  const started = Promise.withResolvers<void>();
  for await (const { phase } of operations.watch(first.id, new AbortController().signal)) {
    if (phase !== 'starting') {
      started.resolve();
      break;
    }
  }
  await started.promise;
  await expect(failovers.start(request)).rejects.toMatchObject({ code: 'operation/busy' });
  await expect(failovers.reseed(request)).rejects.toMatchObject({ code: 'operation/busy' });
  held.reject(new AppError('internal/stopping', 'The process ends here.'));
  await operations.wait(first.id);
  await expect(failovers.start(request)).rejects.toMatchObject({ code: 'operation/busy' });
});

test('the same request again, while the first one runs and afterwards, is answered with its operation', async () => {
  const held = Promise.withResolvers<void>();
  step = (name) => (name === 'failover:begun' ? held.promise : undefined);
  const idempotency = { key: 'k', route: 'POST /x', requestHash: 'h' };
  const request = { targetId: 'rag', requestedBy: 'admin', confirm: true, force: false, idempotency };
  const { id } = await failovers.start(request);
  const other = { ...request, idempotency: { ...idempotency, requestHash: 'another' } };
  try {
    expect((await failovers.start(request)).id).toBe(id);
    await expect(failovers.start(other)).rejects.toMatchObject({ code: 'request/idempotency-conflict' });
  } finally {
    held.resolve();
  }
  await operations.wait(id);
  expect(await failovers.start(request)).toMatchObject({ id, state: 'succeeded' });
});

test('what answers at the other place is another server: everything goes back, and the report says where the target lives', async () => {
  amiss = ['it serves /srv/other'];
  const ended = await fail();
  expect(ended).toMatchObject({ state: 'failed', error: { code: 'recovery/failover-failed' } });
  expect(done).toEqual(['stop home', 'start standby', 'stop standby', 'start home']);
  expect([active, up]).toEqual(['home', { home: true, standby: false }]);
  expect((await last())?.outcome).toMatch(/\/srv\/other.*rag lives at home as before, and runs there/);
});

test('a red canary before the switch takes it back, unless it is forced: then it lives there and that is said', async () => {
  canary = 'empty';
  expect(await fail()).toMatchObject({ state: 'failed' });
  expect(active).toBe('home');
  through = 'empty';
  expect(await fail({ force: true })).toMatchObject({ state: 'partial' });
  expect(active).toBe('standby');
  expect((await last())?.outcome).toContain('its canary fails');
});

test('fewer documents than the point has take it back before the switch, unless it is forced: then that is said', async () => {
  points = [point(pointId, { manifest: { documents: { processed: 100 } } as unknown as RecoveryPoint['manifest'] })];
  processed = 99;
  expect(await fail()).toMatchObject({ state: 'failed' });
  expect(active).toBe('home');
  expect((await last())?.outcome).toContain('counts 99 processed documents at standby where the point has 100');
  expect(await fail({ force: true })).toMatchObject({ state: 'succeeded' });
  expect(active).toBe('standby');
  const { documents, notes } = (await last())?.facts ?? {};
  expect([documents, notes?.join()]).toEqual([{ expected: 100, found: 99 }, expect.stringContaining('counts 99')]);
  await backHome();
  processed = 100;
  expect(await fail()).toMatchObject({ state: 'succeeded' });
});

test('no answer through the gateway leads back to a place that worked, and stays where the other one was dead', async () => {
  through = 'error';
  expect(await fail()).toMatchObject({ state: 'failed' });
  expect([active, await readActivePlace(state.db, 'rag'), up.home]).toEqual(['home', 'home', true]);
  up.home = false;
  expect(await fail()).toMatchObject({ state: 'partial' });
  expect([active, await readActivePlace(state.db, 'rag')]).toEqual(['standby', 'standby']);
});

test('a place that cannot be stopped and still answers is not left, unless it is forced', async () => {
  stopFails = true;
  expect(await fail()).toMatchObject({ state: 'failed' });
  expect(active).toBe('home');
  expect((await last())?.outcome).toContain('still alive');
  expect(await fail({ force: true })).toMatchObject({ state: 'succeeded' });
  expect((await last())?.facts.notes.join()).toContain('could not be proved');
});

test('whoever cancels before the switch finds the target where it was', async () => {
  step = async (name) => {
    if (name !== 'failover:starting') return;
    const running = await store.running('rag');
    await operations.cancel(running?.operationId ?? '');
  };
  const ended = await fail();
  expect(ended.state).toBe('cancelled');
  expect([active, up.home]).toEqual(['home', true]);
  expect(await store.running('rag')).toBeUndefined();
});

test.each([
  ['failover:retreating', 'error', 'passed'],
  ['failover:taken-back', 'error', 'passed'],
  ['failover:retreating', 'passed', 'empty'],
  ['failover:taken-back', 'passed', 'empty'],
])(
  'ended at %s, one that goes back (gateway %s, canary %s) goes on back in the next life',
  async (at, gateway, asked) => {
    [through, canary] = [gateway, asked];
    const pending = new Set([at]);
    step = (name) => {
      if (pending.delete(name)) throw new AppError('internal/stopping', 'The process ends here.');
    };
    await fail();
    const phase = gateway === 'error' ? 'verifying' : 'checking';
    expect(await last()).toMatchObject({ state: 'running', phase });
    [through, canary, done] = ['passed', 'passed', []];
    await failovers.job.runOnce();
    await vi.waitFor(async () => expect(await store.running('rag')).toBeUndefined());
    await operations.wait((await last())?.operationId ?? '');
    const lives = [active, await readActivePlace(state.db, 'rag'), up];
    expect(lives).toEqual(['home', 'home', { home: true, standby: false }]);
    expect(await last()).toMatchObject({ state: 'failed', phase, facts: { lives: 2, switchedMs: null } });
    expect((await last())?.outcome).toMatch(
      new RegExp(`in the phase ${phase}.*lives at home as before, and runs there`),
    );
    expect(done.filter((one) => /stop home|start standby|gateway to standby/.test(one))).toEqual([]);
  },
);

test('the newest verified point is taken from a replica when its repository is gone; another tree under its id is another point', async () => {
  const gone = source('own', () => Promise.reject(new AppError('repository/missing', 'There is no repository.')));
  const impostor = source('impostor', async () => repository([pointId], () => 'another tree'));
  sources = [gone, impostor, source('replica', async () => repository([pointId]))];
  points = [point('backup_20261123_093000_x7k2', { verifiedMs: null }), ...points];
  const plan = await failovers.plan({ targetId: 'rag' }, new AbortController().signal);
  expect(plan).toMatchObject({ point: { id: pointId }, sources: [{ id: 'replica' }], blockers: [] });
  expect(await fail()).toMatchObject({ state: 'succeeded' });
  expect((await last())?.facts.source).toBe('replica');
  expect((await last())?.facts.notes.join()).toMatch(/There is no repository.*other content under this id/);
});

test('where another instance led the target is read before anything is planned, begun or filled', async () => {
  const ledElsewhere = () => state.db.unit((tx) => store.writeActivePlace(tx, 'rag', 'standby'));
  up = { home: false, standby: true };
  await ledElsewhere();
  const plan = await failovers.plan({ targetId: 'rag' }, new AbortController().signal);
  expect(plan).toMatchObject({ from: { place: 'standby' }, to: { place: 'home' } });
  [active, done] = ['home', []];
  expect(await fail()).toMatchObject({ state: 'succeeded' });
  expect(done).toEqual(['gateway to standby', 'stop standby', 'start home', 'gateway to home']);
  await backHome();
  await ledElsewhere();
  await failovers.job.runOnce();
  expect([active, done]).toEqual(['standby', ['gateway to standby']]);
  await backHome();
  await ledElsewhere();
  const request = { targetId: 'rag', requestedBy: 'admin', confirm: true };
  await clock.advance(1);
  // Somebody was asked before that, and means the place where it lives by now.
  await expect(failovers.reseed({ ...request, place: 'standby' })).rejects.toMatchObject({
    code: 'conflict/state',
    detail: expect.stringContaining('lives at standby by now'),
  });
  await operations.wait((await failovers.reseed({ ...request, place: 'home' })).id);
  expect(await last()).toMatchObject({ kind: 'reseed', from: 'standby', to: 'home' });
});

test('one that another instance overtakes stops nothing', async () => {
  step = (name) =>
    name === 'failover:begun'
      ? state.db.unit((tx) => store.writeActivePlace(tx, 'rag', 'standby')).then(() => undefined)
      : undefined;
  expect(await fail()).toMatchObject({ state: 'failed' });
  expect(done).toEqual(['gateway to standby']);
  expect((await last())?.outcome).toContain('lives at standby already');
});

test('a point that its own audit found damaged is passed over for an older sound one, and named it is brought with a warning', async () => {
  const damaged = { content_audit: { verdict: 'damaged' } } as unknown as RecoveryPoint['manifest'];
  points = [point(pointId, { manifest: damaged }), point(olderId)];
  const { signal } = new AbortController();
  expect(await failovers.plan({ targetId: 'rag' }, signal)).toMatchObject({
    point: { id: olderId },
    warnings: expect.arrayContaining([expect.stringMatching(new RegExp(`${pointId}.*damaged`))]),
  });
  points = [point(pointId, { manifest: damaged })];
  expect((await failovers.plan({ targetId: 'rag' }, signal)).blockers.join()).toMatch(/no verified point.*damaged/);
  points = [point(pointId, { verifiedMs: null, takenMs: clock.now() - 60_000 })];
  expect(await failovers.plan({ targetId: 'rag', pointId }, signal)).toMatchObject({
    point: { id: pointId },
    warnings: expect.arrayContaining([
      `${pointId} was never verified`,
      'what was written in the minute since the point was taken is not in it',
    ]),
  });
});

test('too little room blocks where nothing lies, and only warns where parts of the point may lie; each disk is summed up once', async () => {
  const [folder, other] = [join(scratch, 'deep', 'store'), join(scratch, 'inputs')];
  const half = Number.MAX_SAFE_INTEGER;
  const both = [
    { folder, bytes: half },
    { folder: other, bytes: half },
  ];
  expect(await findLittleRoom([{ folder, bytes: 0 }])).toEqual([]);
  expect(await findLittleRoom(both)).toMatchObject([{ needed: 2 * half, empty: true }]);
  mkdirSync(join(other, 'of before'), { recursive: true });
  expect(await findLittleRoom(both)).toMatchObject([{ needed: 2 * half, empty: false }]);
});

test('without a point, or with one that nobody holds, nothing begins', async () => {
  sources = [source('own', async () => repository([olderId]))];
  const plan = await failovers.plan({ targetId: 'rag' }, new AbortController().signal);
  // The newer one is passed over, and that is said.
  expect(plan).toMatchObject({
    point: { id: olderId },
    warnings: expect.arrayContaining([expect.stringContaining(pointId)]),
  });
  await expect(fail({ pointId })).rejects.toMatchObject({ code: 'restore/blocked' });
  points = [];
  await expect(fail()).rejects.toMatchObject({ code: 'restore/blocked' });
  expect(done).toEqual([]);
});

test('those that are over go above the cap, the oldest first, after the drills; the one that runs stays', async () => {
  for (let at = 0; at < 3; at += 1) {
    await fail({ force: true });
    await backHome();
  }
  step = (name) => {
    if (name === 'failover:starting') throw new AppError('internal/stopping', 'The process ends here.');
  };
  await fail();
  const bounded = boundedDrills({ db: state.db, drills: createDrillStore(state.db), failovers: store });
  expect(await bounded.measure()).toBe(3);
  const newest = (await store.list({ limit: 4 })).slice(0, 2).map(({ id }) => id);
  expect(await bounded.trim(1, 10)).toBe(2);
  expect((await store.list({ limit: 9 })).map(({ id }) => id)).toEqual(newest);
});

test('that it answers through the gateway is not told as a canary that passed where there is none', async () => {
  canary = 'not-asked';
  expect(await fail()).toMatchObject({ state: 'succeeded' });
  expect((await last())?.facts.canary?.verdict).toBe('not-asked');
});
