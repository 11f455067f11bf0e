import { afterEach, describe, expect, test } from 'vitest';
import type { Event } from '../events/index.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { runBody } from './cleanup-bodies.ts';
import { findCronFault, findNextRun } from './cron.ts';
import { type CleanupScheduler, createCleanupScheduler } from './scheduler.ts';
import { createSlots } from './slots.ts';
import { ownStrategy } from './strategies/own-strategy.ts';
import { decideDue, decideThreshold, defaultTasks, parseCondition, type Threshold } from './task.ts';
import { taskFrom, taskSchema } from './task-bodies.ts';
import { createTaskStore } from './task-store.ts';
import { openTestCleanup, type TestCleanup } from './test-cleanup.ts';

const at = (text: string): number => Date.parse(text);
const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

describe('a schedule', () => {
  test.each([
    ['0 2 * * *', 'UTC', '2026-01-01T03:00:00Z', '2026-01-02T02:00:00.000Z'],
    ['0 */6 * * *', 'UTC', '2026-01-01T06:00:00Z', '2026-01-01T12:00:00.000Z'],
    ['30 4 1 * *', 'UTC', '2026-01-02T00:00:00Z', '2026-02-01T04:30:00.000Z'],
    ['0 0 * 6 *', 'UTC', '2026-01-02T00:00:00Z', '2026-06-01T00:00:00.000Z'],
    ['15 9 * * 1-5', 'UTC', '2026-01-02T10:00:00Z', '2026-01-05T09:15:00.000Z'],
    ['0 2 * * *', 'Europe/Berlin', '2026-07-01T12:00:00Z', '2026-07-02T00:00:00.000Z'],
    // The night in which half past two does not exist: once, after it.
    ['30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-29T01:00:00.000Z'],
    ['30 2 * * *', 'Europe/Berlin', '2026-03-29T02:00:00Z', '2026-03-30T00:30:00.000Z'],
  ])('%s in %s after %s is due at %s', (expression, zone, after, due) => {
    expect(iso(findNextRun(expression, zone, at(after)))).toBe(due);
  });
  test.each([
    ['* * * *', 'UTC'],
    ['61 * * * *', 'UTC'],
    ['0 0 31 2 *', 'UTC'],
    ['0 2 * * *', 'Mars/Olympus'],
    ['0 0 2 * * *', 'UTC'],
  ])('%s in %s cannot be followed, and why is said', (expression, zone) => {
    expect(findCronFault(expression, zone)).toBeTypeOf('string');
  });
  test('what was missed is made up for once, or not at all', () => {
    const now = at('2026-01-05T00:10:00Z');
    const due = at('2026-01-02T02:00:00Z');
    const daily = { type: 'scheduled', cron: '0 2 * * *', timeZone: 'UTC' } as const;
    const next = at('2026-01-05T02:00:00Z');
    expect(decideDue({ ...daily, missed: 'once' }, due, now)).toEqual({ run: true, nextMs: next });
    expect(decideDue({ ...daily, missed: 'skip' }, due, now)).toEqual({ run: false, nextMs: next });
    expect(decideDue({ ...daily, missed: 'skip' }, now - 1_000, now)).toEqual({ run: true, nextMs: next });
    expect(decideDue({ ...daily, missed: 'once' }, null, now)).toEqual({ run: false, nextMs: next });
  });
});

test('a threshold fires once, and again only after the value was beyond its other edge', () => {
  const limit = parseCondition('memory_usage_percent > 80') as Threshold;
  expect(limit).toMatchObject({ metric: 'system_memory_percent', value: 80, clear: 76 });
  let armed = true;
  const fired = [70, 81, 90, 79, 81, 75, 81, null].map((value) => {
    const decided = decideThreshold(limit, value, armed);
    armed = decided.armed;
    return decided.fire;
  });
  expect(fired).toEqual([false, true, false, false, false, false, true, false]);
  expect(parseCondition('rm -rf > 1 ; drop')).toBeUndefined();
});

test('places go to the most urgent first, never more than there are', async () => {
  const slots = createSlots(() => 1);
  const { signal } = new AbortController();
  const order: number[] = [];
  const first = await slots.take(0, signal);
  const waiting = [1, 3, 2, 3].map(async (urgency) => {
    const giveBack = await slots.take(urgency, signal);
    expect(slots.taken).toBe(1);
    order.push(urgency);
    giveBack();
  });
  first();
  await Promise.all(waiting);
  expect(order).toEqual([3, 3, 2, 1]);
});

let opened: TestCleanup | undefined;
let scheduler: CleanupScheduler | undefined;
afterEach(async () => {
  await scheduler?.stop?.();
  await opened?.remove();
  opened = undefined;
  scheduler = undefined;
});

async function open(
  work: (signal: AbortSignal) => unknown = () => true,
  find: () => { id: string }[] = () => [{ id: 'one' }],
) {
  const clock: FakeClock = createFakeClock();
  const metric = { value: null as number | null };
  const health = { word: 'healthy' };
  const told: Event[] = [];
  let wake = (): void => undefined;
  opened = await openTestCleanup(
    () => ({
      strategies: [ownStrategy({ name: 'own', find, cleanUp: (_, signal) => work(signal) })],
    }),
    { clock },
  );
  const { cleanup, state, events, store, operations } = opened;
  scheduler = createCleanupScheduler({
    ...{ cleanup, tasks: createTaskStore(state.db), db: state.db, events, clock, log: silentLogger },
    checkIntervalMs: 60_000,
    readMetric: async () => metric.value,
    readHealth: () => health.word,
    async *followEvents(signal) {
      while (!signal.aborted) {
        const next = told.shift();
        if (next) yield next;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
            signal.addEventListener('abort', () => resolve(), { once: true });
          });
      }
    },
  });
  const made = scheduler;
  const add = (more: object) =>
    made.add(taskFrom(taskSchema.parse({ task_id: 't', cleanup_type: 'own', ...more }), 'api'), 'tester');
  const ended = async (count: number) => {
    await expect
      .poll(async () => (await store.listRuns({ limit: 50 })).filter((run) => run.outcome).length)
      .toBe(count);
    return store.listRuns({ limit: 50 });
  };
  const tell = (type: string): void => {
    told.push({ type } as Event);
    wake();
  };
  return { clock, metric, health, add, ended, tell, scheduler: made, cleanup, operations, store };
}

test('a scheduled task runs when it is due, by itself, and its success rate is unknown until then', async () => {
  const { clock, add, ended, scheduler } = await open();
  await add({ schedule_expression: '*/5 * * * *' });
  await scheduler.runOnce();
  const before = await scheduler.require('t');
  expect(before.state).toMatchObject({ runs: 0, lastRunMs: null });
  await clock.advance((before.state.dueMs ?? 0) - clock.now() - 1);
  await scheduler.runOnce();
  expect((await scheduler.require('t')).state.runs).toBe(0);
  await clock.advance(1);
  await scheduler.runOnce();
  expect(await ended(1)).toMatchObject([{ taskId: 't', cause: 'scheduled', outcome: 'success', cleaned: 1 }]);
  await expect.poll(async () => (await scheduler.require('t')).state).toMatchObject({ runs: 1, successes: 1 });
});

test('a threshold, a change of health and an event begin a task; disabled, none of them does', async () => {
  const { metric, health, add, ended, tell, scheduler } = await open();
  await add({ task_id: 'limit', threshold: { metric: 'm', value: 10 }, params: { a: 1 } });
  await add({ task_id: 'ill', health: {}, params: { a: 2 } });
  await add({ task_id: 'told', event_types: ['backup.*'], params: { a: 3 } });
  await scheduler.runOnce();
  metric.value = 11;
  health.word = 'critical';
  await scheduler.runOnce();
  tell('backup.point-taken');
  tell('cleanup.finished');
  const runs = await ended(3);
  expect(runs.map(({ taskId, cause }) => `${taskId} ${cause}`).sort()).toEqual([
    'ill health_check',
    'limit threshold_based',
    'told event_driven',
  ]);
  await scheduler.runOnce();
  await scheduler.setEnabled('limit', false, 'tester');
  metric.value = 1;
  await scheduler.runOnce();
  metric.value = 11;
  await scheduler.runOnce();
  expect(await ended(3)).toHaveLength(3);
});

test('a task that fails as a whole is tried again after its delay, and each try stands in the history', async () => {
  let tries = 0;
  const { clock, add, ended, scheduler } = await open(
    () => true,
    () => {
      tries += 1;
      if (tries < 3) throw new Error('the disk is tired');
      return [{ id: 'one' }];
    },
  );
  await add({ retry_count: 3, retry_delay_seconds: 30 });
  await scheduler.runTask('t', { startedBy: 'tester' });
  await ended(1);
  await expect.poll(() => clock.advance(30_000).then(() => tries)).toBe(3);
  const runs = await ended(3);
  expect(runs.map(({ attempt, outcome }) => `${attempt} ${outcome}`).sort()).toEqual([
    '1 error',
    '2 error',
    '3 success',
  ]);
  expect(runs.map((run) => runBody(run).retry_attempt).sort()).toEqual([0, 1, 2]);
});

test('a task that hangs is stopped at its time, cannot be begun beside itself, and what hung is told', async () => {
  let begun = false;
  const { clock, add, ended, scheduler } = await open((signal) => {
    begun = true;
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
  });
  await add({ retry_count: 0, timeout_seconds: 30 });
  await scheduler.runTask('t', { startedBy: 'tester' });
  await expect.poll(() => begun).toBe(true);
  await expect(scheduler.runTask('t', { startedBy: 'tester' })).rejects.toMatchObject({ code: 'operation/busy' });
  await clock.advance(30_000);
  expect(await ended(1)).toMatchObject([{ outcome: 'error', error: expect.stringContaining('longer than 30 s') }]);
  await expect.poll(() => scheduler.isRunning('t')).toBe(false);
});

test('the tasks that come with the product are those of the document, with its schedules and priorities', () => {
  const told = defaultTasks(7).map(
    ({ id, priority, trigger, strategy, params, timeoutMs, retries, retryDelayMs, enabled }) => {
      const when =
        trigger.type === 'scheduled' ? trigger.cron : trigger.type === 'threshold_based' ? trigger.threshold : '';
      return { id, priority, when, strategy, params, limits: [timeoutMs, retries, retryDelayMs], enabled };
    },
  );
  const limits = [300_000, 3, 30_000];
  expect(told.slice(0, 4)).toMatchObject([
    {
      ...{ id: 'resource_cleanup_hourly', when: '0 * * * *', priority: 'medium', limits, enabled: true },
      ...{ strategy: 'resources', params: {} },
    },
    {
      ...{ id: 'metrics_cleanup_daily', when: '0 2 * * *', priority: 'low', limits, enabled: true },
      ...{ strategy: 'metrics', params: { days_to_keep: 7 } },
    },
    {
      ...{ id: 'cache_cleanup_6hourly', when: '0 */6 * * *', priority: 'medium', limits, enabled: true },
      ...{ strategy: 'resources', params: { resource_type: 'cache', idle_seconds: 21_600 } },
    },
    {
      ...{ id: 'memory_cleanup_threshold', priority: 'high', limits, enabled: true },
      ...{ strategy: 'resources', params: { resource_type: 'memory' } },
      when: { metric: 'system_memory_percent', direction: 'above', value: 85 },
    },
  ]);
  expect(parseCondition('memory_usage_percent > 85')).toMatchObject({ metric: 'system_memory_percent', value: 85 });
});

test.each([
  ['0 2 * * *', '2026-03-04T02:00:00Z', '2026-03-05T02:00:00Z'],
  ['30 3 1 * *', '2026-04-01T03:30:00Z', '2026-05-01T03:30:00Z'],
  ['0 12 * 7 *', '2026-07-01T12:00:00Z', '2026-07-02T12:00:00Z'],
  ['15 6 * * 1', '2026-03-09T06:15:00Z', '2026-03-16T06:15:00Z'],
  ['0 2 * * *', '2026-03-04T01:00:00Z', '2026-03-05T01:00:00Z', 'Europe/Berlin'],
])(
  '%s is due by its minute, hour, day, month and weekday: at %s, then at %s',
  (cron, first, second, timeZone = 'UTC') => {
    const trigger = { type: 'scheduled', cron, timeZone, missed: 'skip' } as const;
    const fromMs = Date.parse('2026-03-04T00:30:00Z');
    const due = decideDue(trigger, null, fromMs).nextMs;
    expect(new Date(due ?? 0).toISOString()).toBe(first.replace('Z', '.000Z'));
    const after = decideDue(trigger, due, due ?? 0);
    expect(after.run).toBe(true);
    expect(new Date(after.nextMs ?? 0).toISOString()).toBe(second.replace('Z', '.000Z'));
  },
);

test('the tasks that come with the product are there once, and can be disabled but not removed', async () => {
  const { scheduler } = await open();
  await scheduler.open([], { metricDays: 30 });
  await scheduler.open([], { metricDays: 30 });
  const tasks = await scheduler.list();
  expect(tasks.map(({ task }) => task.id).sort()).toEqual(
    defaultTasks(7)
      .map(({ id }) => id)
      .sort(),
  );
  expect(tasks.find(({ task }) => task.id === 'metrics_cleanup_daily')?.task.params).toEqual({ days_to_keep: 30 });
  await expect(scheduler.remove('metrics_cleanup_daily', 'tester')).rejects.toMatchObject({ code: 'conflict/state' });
  await scheduler.setEnabled('metrics_cleanup_daily', false, 'tester');
  await scheduler.open([], { metricDays: 7 });
  expect((await scheduler.require('metrics_cleanup_daily')).task).toMatchObject({ enabled: false });
});

test('what begins by itself waits while the machine is busy and then hands the rest back; what is asked for does not', async () => {
  const { clock, add, ended, scheduler, store } = await open();
  if (opened) opened.pressure = 'the machine is busy';
  await add({ schedule_expression: '* * * * *' });
  await scheduler.runOnce();
  await clock.advance(60_000);
  await scheduler.runOnce();
  await expect
    .poll(() => clock.advance(10_000).then(async () => (await store.listRuns({ limit: 5 })).at(-1)?.outcome), {
      timeout: 60_000,
    })
    .toBe('success');
  expect((await store.listRuns({ limit: 5 })).at(-1)).toMatchObject({ cleaned: 0, leftOver: 1, cause: 'scheduled' });
  await scheduler.setEnabled('t', false, 'tester');
  const before = (await store.listRuns({ limit: 50 })).length;
  await expect.poll(() => scheduler.isRunning('t')).toBe(false);
  await scheduler.runTask('t', { startedBy: 'tester' });
  expect((await ended(before + 1)).find(({ cause }) => cause === 'manual')).toMatchObject({ cleaned: 1, leftOver: 0 });
});
