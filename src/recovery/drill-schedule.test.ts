import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEventLog, type EventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import type { Operations } from '../operations/index.ts';
import { AppError } from '../platform/errors.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { createDrillSchedule, type DrillSchedule, jitterOf } from './drill-schedule.ts';
import { createDrillStore } from './drill-store.ts';
import type { Drills } from './drills.ts';
import type { TargetRecovery } from './recovery-status.ts';

const week = 7 * 86_400_000;

let state: TestState;
let clock: FakeClock;
let events: EventLog;
let begun: string[];
let refusal: AppError | undefined;
let drill: TargetRecovery['drill'];

beforeEach(async () => {
  state = await openTestState();
  clock = createFakeClock(100 * week);
  events = createEventLog({ db: state.db, clock, instance: 'main' });
  begun = [];
  refusal = undefined;
  drill = {
    possibleSinceMs: 99 * week,
    lastPassedMs: null,
    lastFinishedMs: null,
    failuresInRow: 0,
    last: null,
    nextMs: null,
    overdueSinceMs: null,
    frequencyMs: week,
  };
});
afterEach(() => state.remove());

function schedule(): DrillSchedule {
  return createDrillSchedule({
    // Of the slices that it asks, only what it calls.
    drills: {
      async start({ targetId, choice }: { targetId: string; choice: string }) {
        if (refusal) throw refusal;
        begun.push(`${targetId} ${choice}`);
        drill = { ...drill, nextMs: clock.now() + week };
        return { id: 'op' };
      },
    } as unknown as Drills,
    operations: { wait: async () => ({}) } as unknown as Operations,
    store: createDrillStore(state.db),
    db: state.db,
    events,
    clock,
    log: silentLogger,
    targetIds: ['t'],
    choice: () => 'risk',
    status: async (targetId) => ({ targetId, drill }) as TargetRecovery,
    onStatus: () => {},
  });
}

const told = async (): Promise<string[]> =>
  (await events.list({ limit: 9, order: 'oldest-first' })).map((event) => `${event.type} ${event.severity}`);

test('a drill is begun when it is due, and not before', async () => {
  const one = schedule();
  drill = { ...drill, nextMs: clock.now() + 1_000 };
  await one.runOnce();
  expect(begun).toEqual([]);
  await clock.advance(1_000);
  await one.runOnce();
  await one.runOnce();
  expect(begun).toEqual(['t risk']);
});

test('absence is told once, also over a restart, and once more when it is over', async () => {
  drill = { ...drill, overdueSinceMs: clock.now() - 1 };
  await schedule().runOnce();
  await schedule().runOnce();
  expect(await told()).toEqual(['recovery.drill-overdue error']);
  drill = { ...drill, overdueSinceMs: null };
  await schedule().runOnce();
  await schedule().runOnce();
  expect(await told()).toEqual(['recovery.drill-overdue error', 'recovery.drill-resumed info']);
});

test('why nothing could be begun is kept until something can; somebody else at work is no refusal', async () => {
  const one = schedule();
  drill = { ...drill, nextMs: clock.now() };
  refusal = new AppError('operation/busy', 'somebody else');
  await one.runOnce();
  expect(one.lastRefusal('t')).toBeNull();
  refusal = new AppError('storage/full', 'no room');
  await one.runOnce();
  expect(one.lastRefusal('t')).toBe('no room');
  refusal = undefined;
  await one.runOnce();
  expect(one.lastRefusal('t')).toBeNull();
});

test('jitter is the same for the same target', () => {
  expect(jitterOf('t')).toBe(jitterOf('t'));
  expect(jitterOf('t')).not.toBe(jitterOf('u'));
  expect(jitterOf('t')).toBeLessThan(1);
});
