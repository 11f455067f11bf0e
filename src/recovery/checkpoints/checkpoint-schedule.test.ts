import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RecoveryPoint } from '../../backup/index.ts';
import { createEventLog, type EventLog } from '../../events/index.ts';
import { openTestState, type TestState } from '../../migrations/test-state.ts';
import { createOperations, type Operations } from '../../operations/index.ts';
import { AppError } from '../../platform/errors.ts';
import { createFakeClock, type FakeClock } from '../../platform/fake-clock.ts';
import { systemRandom } from '../../platform/ids.ts';
import { createLeases } from '../../platform/leases.ts';
import { type Logger, silentLogger } from '../../platform/logging.ts';
import type { Drill } from '../drill.ts';
import type { Failover } from '../failover/failover.ts';
import { type CheckpointSchedule, checkpointLeaseMs, createCheckpointSchedule } from './checkpoint-schedule.ts';
import { type CheckpointStore, createCheckpointStore } from './checkpoint-store.ts';
import { type Checkpoints, createCheckpoints } from './checkpoints.ts';

const hour = 3_600_000;

let state: TestState;
let fake: FakeClock;
/** By how much the clock was set. */
let setBy: number;
let operations: Operations;
let events: EventLog;
let store: CheckpointStore;
/** Verified ones of the whole target, oldest first. */
let points: { id: string; takenMs: number; pinned: boolean }[];
let pinFails: AppError | undefined;
/** Told before a point is pinned. */
let onPin: () => Promise<void>;
let keep: number;
let said: string[];
let failover: Failover | undefined;
let drills: Drill[];

const clock = {
  now: () => fake.now() + setBy,
  monotonic: () => fake.monotonic(),
  sleep: () => new Promise<void>(() => {}),
};
const log: Logger = { ...silentLogger, info: (facts: object) => said.push(String(Reflect.get(facts, 'reason') ?? '')) };

beforeEach(async () => {
  state = await openTestState();
  fake = createFakeClock();
  events = createEventLog({ db: state.db, clock, instance: 'one' });
  operations = createOperations({ db: state.db, clock, log: silentLogger, events, instance: 'one' });
  store = createCheckpointStore(state.db);
  onPin = async () => undefined;
  [setBy, points, pinFails, keep, said, failover, drills] = [0, [], undefined, 3, [], undefined, []];
});
afterEach(async () => {
  await operations.stop();
  await state.remove();
});

const asPoint = (one: (typeof points)[number] | undefined): RecoveryPoint | undefined =>
  // What nobody here reads is left out.
  one && ({ ...one, targetId: 'rag', manifest: null } as unknown as RecoveryPoint);
const pointStore = {
  newest: async () => asPoint(points.at(-1)),
  find: async (id: string) => asPoint(points.find((one) => one.id === id)),
  oldestTakenMs: async () => points[0]?.takenMs,
};
const take = (id: string): void => void points.push({ id, takenMs: clock.now(), pinned: false });

/** One life of one instance. */
function open(instance = 'one'): { schedule: CheckpointSchedule; checkpoints: Checkpoints } {
  const checkpoints = createCheckpoints({
    ...{ db: state.db, store, operations, events, clock, random: systemRandom, points: pointStore },
    backup: {
      async pin({ pointId, pinned }) {
        if (pinFails && pinned) throw pinFails;
        if (pinned) await onPin();
        const found = points.find((one) => one.id === pointId);
        if (found) found.pinned = pinned;
        return asPoint(found) as RecoveryPoint;
      },
    },
    drills: { start: () => Promise.reject(new Error('nobody rehearses here')) },
    drillStore: { find: async () => undefined },
    failovers: { start: () => Promise.reject(new Error('nobody fails over here')) },
    requireGraph: async (id) => ({ id, targetId: 'rag', workspace: '' }),
  });
  const schedule = createCheckpointSchedule({
    ...{ checkpoints, store, operations, clock, log, db: state.db, points: pointStore },
    leases: createLeases({ db: state.db, clock, instance, ttlMs: checkpointLeaseMs }),
    targetIds: ['rag'],
    graphs: async () => [{ id: 'rag', targetId: 'rag', workspace: '' }],
    settings: () => ({ intervalMs: 12 * hour, keep }),
    off: () => undefined,
    failovers: { running: async () => failover },
    drillStore: { list: async () => drills },
    onLook: () => undefined,
  });
  return { schedule, checkpoints };
}

/** What is there, oldest first, each by its points. */
const there = async (): Promise<string[]> =>
  (await store.list({ limit: 100 }))
    .reverse()
    .map(({ cause, graphs }) => `${cause} ${graphs.map((one) => one.pointId)}`);
const wait = (ms: number): Promise<void> => fake.advance(ms);
const pinnedNow = (): string[] => points.filter(({ pinned }) => pinned).map(({ id }) => id);

describe('a checkpoint is made by itself', () => {
  test('an interval after the first point, then each interval in which there is a newer verified one, over restarts', async () => {
    const first = open().schedule;
    take('a');
    await first.runOnce();
    await wait(12 * hour - 1);
    await first.runOnce();
    expect(await there()).toEqual([]);
    expect(await first.status()).toMatchObject([{ lastMs: null, nextMs: clock.now() + 1, reason: null }]);
    await wait(1);
    await first.runOnce();
    await first.runOnce();
    expect(await there()).toEqual(['scheduled a']);
    expect(pinnedNow()).toEqual(['a']);
    const madeMs = clock.now();

    // Nobody was there for days: missed ones are one.
    await wait(80 * hour);
    take('b');
    const second = open().schedule;
    await second.runOnce();
    await second.runOnce();
    expect(await there()).toEqual(['scheduled a', 'scheduled b']);
    expect((await second.status())[0]).toMatchObject({ lastMs: madeMs + 80 * hour, nextMs: clock.now() + 12 * hour });

    // One is due, and nothing is newer: it comes as soon as something is.
    await wait(13 * hour);
    await second.runOnce();
    expect((await second.status())[0]?.reason).toMatch(
      /^checkpoint_\w+ keeps the newest verified point of rag already/,
    );
    take('c');
    await second.runOnce();
    expect(await there()).toEqual(['scheduled a', 'scheduled b', 'scheduled c']);
    const told = await events.list({ types: ['recovery.checkpoint-created'], limit: 1 });
    expect(told[0]).toMatchObject({ targetId: 'rag', data: { cause: 'scheduled', points: ['c'] } });
    const [entry] = await events.listAudit({ limit: 1 });
    expect(entry).toMatchObject({
      actor: 'ragwarden',
      action: 'recovery.create-checkpoint',
      data: { cause: 'scheduled' },
    });
  });

  test('never without a verified point, and why is said once', async () => {
    const { schedule } = open();
    for (let run = 0; run < 5; run += 1) {
      await wait(12 * hour);
      await schedule.runOnce();
    }
    expect(await there()).toEqual([]);
    expect(said.filter((reason) => reason !== '')).toEqual(['There is no verified point of rag.']);
    expect((await schedule.status())[0]).toMatchObject({ nextMs: null, reason: 'There is no verified point of rag.' });
  });

  test('not while somebody has named the newest point himself; what is removed does not come back before the next interval', async () => {
    const { schedule, checkpoints } = open();
    take('a');
    await wait(12 * hour);
    await checkpoints.create({ graphIds: ['rag'], description: '', metadata: {}, requestedBy: 'eva' });
    await schedule.runOnce();
    expect(await there()).toEqual(['manual a']);
    await wait(1);
    take('b');
    await schedule.runOnce();
    const [made] = await store.list({ limit: 1 });
    await checkpoints.remove(made?.id ?? '', 'eva');
    await schedule.runOnce();
    expect(await there()).toEqual(['manual a']);
    await wait(12 * hour);
    await schedule.runOnce();
    expect(await there()).toEqual(['manual a', 'scheduled b']);
  });

  test('one interval after the clock was set back was noticed, and once when it was set forward', async () => {
    const { schedule } = open();
    take('a');
    setBy = 1_000 * hour;
    await schedule.runOnce();
    take('b');
    await schedule.runOnce();
    expect(await there()).toEqual(['scheduled a']);
    // The point of the future stays the newest one, the interval counts anew.
    setBy = 0;
    await schedule.runOnce();
    expect((await schedule.status())[0]).toMatchObject({ nextMs: clock.now() + 12 * hour });
    await wait(12 * hour);
    await schedule.runOnce();
    expect(await there()).toEqual(['scheduled b', 'scheduled a']);
  });

  test('one interval after a first point of the future was noticed, and none is told to have been made before', async () => {
    const { schedule } = open();
    setBy = 1_000 * hour;
    take('a');
    setBy = 0;
    for (let run = 0; run < 3; run += 1) {
      await schedule.runOnce();
      await wait(4 * hour - 1);
    }
    expect((await schedule.status())[0]).toMatchObject({ lastMs: null, nextMs: clock.now() + 3 });
    expect(await there()).toEqual([]);
    await wait(3);
    await schedule.runOnce();
    expect(await there()).toEqual(['scheduled a']);
  });

  test('by one of two instances that look at the same time, and by the other one when that died with the work in hand', async () => {
    const [one, two] = [open('one').schedule, open('two').schedule];
    take('a');
    await wait(12 * hour);
    await Promise.all([one.runOnce(), two.runOnce()]);
    expect(await there()).toEqual(['scheduled a']);
    take('b');
    await wait(12 * hour);
    const dead = createLeases({ db: state.db, clock, instance: 'three', ttlMs: checkpointLeaseMs });
    await dead.acquire('checkpoints');
    await one.runOnce();
    expect(await there()).toEqual(['scheduled a']);
    await wait(checkpointLeaseMs);
    await two.runOnce();
    expect(await there()).toEqual(['scheduled a', 'scheduled b']);
  });

  test('once, when the repository was locked for so long that the other instance began too', async () => {
    const [one, two] = [open('one').schedule, open('two').schedule];
    take('a');
    await wait(12 * hour);
    onPin = async () => {
      onPin = async () => undefined;
      await wait(checkpointLeaseMs);
      await two.runOnce();
    };
    await one.runOnce();
    expect(await there()).toEqual(['scheduled a']);
    expect(pinnedNow()).toEqual(['a']);
    expect((await events.list({ types: ['recovery.checkpoint-created'], limit: 9 })).length).toBe(1);
    expect((await one.status())[0]).toMatchObject({ lastMs: clock.now(), nextMs: clock.now() + 12 * hour });
  });

  test('once more where a kill came before its points were pinned', async () => {
    take('a');
    await wait(12 * hour);
    await open().schedule.runOnce();
    // As that kill leaves it.
    for (const one of points) one.pinned = false;
    await state.db.unit((tx) => store.writeLastMade(tx, 'rag', clock.now() - 12 * hour));
    await open().schedule.runOnce();
    expect(await there()).toEqual(['scheduled a', 'scheduled a']);
    expect(pinnedNow()).toEqual(['a']);
  });

  test('and where it cannot be, it is tried again a quarter of an hour later, and the reason is there to be read', async () => {
    const { schedule } = open();
    take('a');
    await wait(12 * hour);
    pinFails = new AppError('conflict/state', 'a does not exist any more.');
    await schedule.runOnce();
    expect((await schedule.status())[0]?.reason).toBe('a does not exist any more.');
    pinFails = undefined;
    await schedule.runOnce();
    expect(await there()).toEqual([]);
    await wait(hour / 4);
    await schedule.runOnce();
    expect(await there()).toEqual(['scheduled a']);
    expect((await schedule.status())[0]?.reason).toBeNull();
  });
});

test('a refusal rests also while an older checkpoint is given up', async () => {
  const { schedule } = open();
  for (const id of ['a', 'b', 'c']) {
    take(id);
    await wait(12 * hour);
    if (id === 'c') pinFails = new AppError('storage/full', 'The disk is full.');
    await schedule.runOnce();
  }
  keep = 1;
  await schedule.runOnce();
  expect(await there()).toEqual(['scheduled b']);
  pinFails = undefined;
  await schedule.runOnce();
  expect(await there()).toEqual(['scheduled b']);
  expect((await schedule.status())[0]?.reason).toBe('The disk is full.');
  await wait(hour / 4);
  await schedule.runOnce();
  expect(await there()).toEqual(['scheduled c']);
});

test('what somebody made, and a kill kept from pinning its points, is pinned a quarter of an hour later, once', async () => {
  const { schedule, checkpoints } = open();
  take('a');
  const begun = Promise.withResolvers<void>();
  onPin = () => {
    begun.resolve();
    return new Promise(() => undefined);
  };
  void checkpoints.create({ graphIds: ['rag'], description: '', metadata: {}, requestedBy: 'eva' });
  await begun.promise;
  expect(await there()).toEqual(['manual a']);
  onPin = async () => undefined;
  await schedule.runOnce();
  expect(pinnedNow()).toEqual([]);
  await wait(hour / 4);
  await schedule.runOnce();
  expect(pinnedNow()).toEqual(['a']);
  // Taken away by hand it stays away.
  for (const one of points) one.pinned = false;
  await schedule.runOnce();
  expect(pinnedNow()).toEqual([]);
});

describe('of those that were made by themselves', () => {
  const make = async (schedule: CheckpointSchedule, ids: string[]): Promise<void> => {
    for (const id of ids) {
      take(id);
      await wait(12 * hour);
      await schedule.runOnce();
    }
  };

  test('the oldest go when enough newer ones are there, with their pins; what somebody made or pinned stays', async () => {
    const { schedule, checkpoints } = open();
    take('mine');
    const { id } = await checkpoints.create({ graphIds: ['rag'], description: '', metadata: {}, requestedBy: 'eva' });
    take('pinned');
    for (const one of points) one.pinned = true;
    await wait(12 * hour);
    await schedule.runOnce();
    await make(schedule, ['b', 'c', 'd', 'e']);
    expect(await there()).toEqual(['manual mine', 'scheduled c', 'scheduled d', 'scheduled e']);
    expect(pinnedNow()).toEqual(['mine', 'pinned', 'c', 'd', 'e']);
    const [entry] = await events.listAudit({ limit: 1 });
    expect(entry).toMatchObject({ actor: 'ragwarden', action: 'recovery.remove-checkpoint' });
    keep = 1;
    await schedule.runOnce();
    expect(await there()).toEqual(['manual mine', 'scheduled e']);
    // None is made any more, and nothing is taken away.
    keep = 0;
    await make(schedule, ['f']);
    expect(await there()).toEqual(['manual mine', 'scheduled e']);
    expect((await checkpoints.require(id)).createdBy).toBe('eva');
  });

  test.each<[string, (of: { checkpointId: string; pointId: string }) => Promise<() => Promise<void>>]>([
    [
      'a failover',
      async ({ checkpointId }) => {
        // What nobody here reads is left out.
        failover = { checkpointId, pointId: null } as Failover;
        return async () => {
          failover = undefined;
        };
      },
    ],
    [
      'a drill',
      async ({ pointId }) => {
        drills = [{ pointId, verdict: null } as Drill];
        return async () => {
          drills = [];
        };
      },
    ],
    [
      'its validation, between two drills',
      async ({ checkpointId }) => {
        const ends = Promise.withResolvers<null>();
        const { id } = await operations.start({
          ...{ kind: 'recovery.validate-checkpoint', targetId: 'rag', exclusive: false, requestedBy: 'eva' },
          input: { checkpointId },
          run: () => ends.promise,
        });
        return async () => {
          ends.resolve(null);
          await operations.wait(id);
        };
      },
    ],
  ])('one that is used by %s stays until that is over', async (_, use) => {
    const { schedule } = open();
    await make(schedule, ['a', 'b', 'c']);
    const oldest = (await store.list({ limit: 9 })).at(-1);
    const end = await use({ checkpointId: oldest?.id ?? '', pointId: 'a' });
    await make(schedule, ['d']);
    expect(await there()).toEqual(['scheduled a', 'scheduled b', 'scheduled c', 'scheduled d']);
    expect(pinnedNow()).toContain('a');
    await end();
    await schedule.runOnce();
    expect(await there()).toEqual(['scheduled b', 'scheduled c', 'scheduled d']);
    expect(pinnedNow()).not.toContain('a');
  });
});
