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

test('begun anew, the run under way is awaited and none of its work is dropped; then it runs at once', async () => {
  job.start?.(new AbortController().signal);
  await underWay();
  let outcome: string | undefined;
  const restarted = job.restart({ waitMs: 60_000, force: false }).then((found) => {
    outcome = found;
  });
  await vi.waitFor(() => expect(clock.sleeping()).toBe(1));
  expect([running, runs(), outcome]).toEqual([1, 0, undefined]);
  end();
  await restarted;
  expect(outcome).toBe('restarted');
  await underWay();
  expect(job.state()).toMatchObject({ runs: 1, failures: 0, lastError: null });
  end();
  await resting();
  // One loop, not two: after an interval there is one run.
  await clock.advance(1_000);
  await underWay();
  end();
  await resting();
  expect(runs()).toBe(3);
  await job.stop?.();
});

test('a run that does not end is waited for so long, and the job begins anew when it has ended', async () => {
  job.start?.(new AbortController().signal);
  await underWay();
  const late = job.restart({ waitMs: 500, force: false });
  await vi.waitFor(() => expect(clock.sleeping()).toBe(1));
  await clock.advance(500);
  expect(await late).toBe('waiting');
  end();
  await vi.waitFor(() => expect([running, runs()]).toEqual([1, 1]));
  await job.stop?.();
});

test('with force a run is told to give up, which is no failure, and the next run is not told so', async () => {
  job.start?.(new AbortController().signal);
  await underWay();
  expect(await job.restart({ waitMs: 500, force: true })).toBe('aborted');
  await underWay();
  expect(job.state()).toMatchObject({ runs: 1, failures: 0, lastError: 'it was told to begin anew' });
  end();
  await resting();
  expect(job.state()).toMatchObject({ runs: 2, failures: 0, lastError: null });
  await job.stop?.();
  expect(await job.restart({ waitMs: 500, force: true })).toBe('inactive');
});

test('what was never started is not begun', async () => {
  expect(await job.restart({ waitMs: 500, force: false })).toBe('inactive');
  expect(running).toBe(0);
});
