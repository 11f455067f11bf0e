import { beforeEach, expect, test, vi } from 'vitest';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
import { silentLogger } from './logging.ts';
import { createReconciler, type Reconciler } from './reconciler.ts';

let clock: FakeClock;
let running: number;
let job: Reconciler;
/** Ends the run under way. */
let end: () => void;

beforeEach(() => {
  clock = createFakeClock();
  running = 0;
  job = createReconciler({
    name: 'job',
    intervalMs: 1_000,
    clock,
    log: silentLogger,
    run: (signal) =>
      new Promise((resolve, reject) => {
        running += 1;
        expect(running).toBe(1);
        const over = (then: () => void) => (): void => {
          running -= 1;
          then();
        };
        end = over(resolve);
        signal.addEventListener(
          'abort',
          over(() => reject(signal.reason)),
          { once: true },
        );
      }),
  });
});

const runs = (): number => job.state().runs;
const underWay = (): Promise<void> => vi.waitFor(() => expect(running).toBe(1));
const resting = (): Promise<void> => vi.waitFor(() => expect(clock.sleeping()).toBe(1));

test('it runs at start, then after each interval, and its runs can be read', async () => {
  job.start?.(new AbortController().signal);
  await underWay();
  expect(job.state()).toMatchObject({ running: true, runs: 0, lastStartedAt: clock.now(), lastFinishedAt: null });
  end();
  await resting();
  await clock.advance(999);
  expect(running).toBe(0);
  await clock.advance(1);
  await underWay();
  end();
  await resting();
  expect(job.state()).toMatchObject({ running: false, runs: 2, failures: 0, lastError: null });
  await job.stop?.();
});

test('being woken while it runs means one more run, however often', async () => {
  job.start?.(new AbortController().signal);
  await underWay();
  for (let i = 0; i < 5; i += 1) job.wake();
  end();
  await vi.waitFor(() => expect([runs(), running]).toEqual([1, 1]));
  end();
  await resting();
  expect(runs()).toBe(2);
  job.wake();
  await underWay();
  end();
  await resting();
  expect(runs()).toBe(3);
  await job.stop?.();
});

test('whoever asks during a run gets one that began after asking', async () => {
  const first = job.runOnce();
  const second = job.runOnce();
  const third = job.runOnce();
  end();
  await first;
  await underWay();
  end();
  await Promise.all([second, third]);
  expect(runs()).toBe(2);
  await job.stop?.();
});

test('a failed run is counted and told, and the next one clears it', async () => {
  let fail = true;
  const failing = createReconciler({
    name: 'failing',
    intervalMs: 1_000,
    clock,
    log: silentLogger,
    async run() {
      if (fail) throw new Error('the disk is away');
    },
  });
  await failing.runOnce();
  expect(failing.state()).toMatchObject({ runs: 1, failures: 1, lastError: 'the disk is away' });
  fail = false;
  await failing.runOnce();
  expect(failing.state()).toMatchObject({ runs: 2, failures: 1, lastError: null });
});

test('a new interval begins to count at once and is no reason to run', async () => {
  job.start?.(new AbortController().signal);
  await underWay();
  end();
  await resting();
  job.setIntervalMs(60_000);
  await clock.advance(0);
  await clock.advance(59_999);
  expect([runs(), running]).toEqual([1, 0]);
  await clock.advance(1);
  await underWay();
  end();
  await resting();
  await job.stop?.();
});

test('stopping ends the run under way, waits for it, and nothing runs afterwards', async () => {
  job.start?.(new AbortController().signal);
  await underWay();
  const again = job.runOnce();
  await job.stop?.();
  await again;
  expect([running, runs(), job.state().failures]).toEqual([0, 1, 0]);
  job.wake();
  await job.runOnce();
  await job.stop?.();
  expect(runs()).toBe(1);
  expect(clock.sleeping()).toBe(0);
});

test('it can be stopped without ever having been started', async () => {
  await job.stop?.();
  job.start?.(new AbortController().signal);
  await job.stop?.();
  expect(runs()).toBe(0);
});
