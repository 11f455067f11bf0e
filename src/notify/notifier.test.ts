import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { type AlertTables, selectAlerts } from './alert-store.ts';
import type { Notification, Notifier } from './notification.ts';
import { createNotifier } from './notifier.ts';

let state: TestState;
let clock: FakeClock;
let notifier: Notifier;
let told: number;

beforeEach(async () => {
  state = await openTestState();
  clock = createFakeClock();
  told = 0;
  notifier = createNotifier({
    ...{ db: state.db, clock },
    onTold() {
      told += 1;
    },
  });
});
afterEach(() => state.remove());

const firing = (more: Partial<Notification> = {}): Notification => ({
  key: 'alert:cpu:1',
  status: 'firing',
  severity: 'warning',
  title: 'CPU is busy',
  summary: 'CPU at 91 %.',
  labels: { alertname: 'cpu', severity: 'warning' },
  annotations: {},
  startsAtMs: clock.now(),
  endsAtMs: null,
  runbookUrl: null,
  receivers: null,
  ...more,
});
const tell = (notification: Notification) => state.db.unit((tx) => notifier.tell(tx, notification));
const kept = () => selectAlerts(state.db.reader<AlertTables>());

test('what is told is kept when the unit commits, and not when it fails', async () => {
  await expect(
    state.db.unit(async (tx) => {
      await notifier.tell(tx, firing());
      throw new Error('changed my mind');
    }),
  ).rejects.toThrow('changed my mind');
  expect([await kept(), told]).toEqual([[], 0]);
  await tell(firing());
  expect([await kept(), told]).toEqual([[{ ...firing(), toldMs: clock.now(), acknowledged: null }], 1]);
});

test('the same told again wakes nobody; a new figure keeps the time of the incident', async () => {
  const first = firing();
  await tell(first);
  await clock.advance(60_000);
  await tell(first);
  expect(told).toBe(1);
  await tell({ ...first, summary: 'CPU at 97 %.' });
  expect(await kept()).toMatchObject([{ summary: 'CPU at 97 %.', toldMs: first.startsAtMs }]);
});

test('a resolution keeps the beginning; one of what nobody was told of is dropped', async () => {
  const begin = clock.now();
  await tell(firing({ status: 'resolved', endsAtMs: begin }));
  expect(await kept()).toEqual([]);
  await tell(firing());
  await clock.advance(5_000);
  await tell(firing({ status: 'resolved', startsAtMs: clock.now() }));
  expect(await kept()).toMatchObject([{ status: 'resolved', startsAtMs: begin, endsAtMs: clock.now() }]);
});

test('an acknowledgement holds until the next incident', async () => {
  const acknowledge = () => state.db.unit((tx) => notifier.acknowledge(tx, 'alert:cpu:1', 'local:ann', 'on it'));
  expect(await acknowledge()).toBe(false);
  await tell(firing());
  expect(await acknowledge()).toBe(true);
  await tell(firing({ summary: 'still' }));
  expect((await kept())[0]?.acknowledged).toEqual({ by: 'local:ann', atMs: clock.now(), note: 'on it' });
  await tell(firing({ status: 'resolved' }));
  expect(await acknowledge()).toBe(false);
  await tell(firing());
  expect((await kept())[0]?.acknowledged).toBe(null);
});

test('text of any origin is kept, clipped where it is long; a key that is none is refused', async () => {
  await tell(firing({ title: `\0\uD800${'x'.repeat(9_000)}`, labels: { alertname: 'a'.repeat(5_000) } }));
  const [one] = await kept();
  expect(one?.title).toMatch(/^\uFFFD\uFFFDx{297}…$/);
  expect(one?.labels.alertname).toHaveLength(1_000);
  for (const key of ['', 'k'.repeat(201)]) await expect(tell(firing({ key }))).rejects.toThrow(TypeError);
});
