import { expect, test, vi } from 'vitest';
import { createFakeClock } from './fake-clock.ts';
import { createJobs, findLateness } from './jobs.ts';
import { silentLogger } from './logging.ts';
import { createReconciler, type ReconcilerState } from './reconciler.ts';

const resting: ReconcilerState = {
  name: 'job',
  intervalMs: 10_000,
  runs: 1,
  failures: 0,
  lastStartedAt: 1_000,
  lastFinishedAt: 2_000,
  lastError: null,
  running: false,
  active: true,
  startedAt: 0,
  runLimitMs: 300_000,
  restart: async () => 'restarted',
};

test.each<[string, Partial<ReconcilerState>, number, string | undefined]>([
  ['due', {}, 12_000, undefined],
  ['a little late', {}, 72_000, undefined],
  ['overdue', {}, 72_001, 'it runs every 10 s and has not for 70 s'],
  ['at work', { running: true }, 301_000, undefined],
  ['stuck', { running: true }, 301_001, 'one run has lasted 300 s'],
  [
    'never run',
    { lastStartedAt: null, lastFinishedAt: null, startedAt: 50_000 },
    121_000,
    'it runs every 10 s and has not for 71 s',
  ],
  ['not started', { active: false, startedAt: null }, 9e9, undefined],
  ['one whose run failed', { lastError: 'no', failures: 1 }, 12_000, undefined],
])('a job that is %s', (_, change, nowMs, late) => {
  expect(findLateness({ ...resting, ...change }, nowMs)).toBe(late);
});

test('every part tells of its jobs, and what is stopped is late no more', async () => {
  const clock = createFakeClock();
  const jobs = createJobs();
  const never = new AbortController();
  const job = createReconciler({
    name: 'hanging',
    intervalMs: 1_000,
    runLimitMs: 5_000,
    clock,
    log: silentLogger,
    run: (signal) => new Promise<void>((done) => signal.addEventListener('abort', () => done())),
  });
  jobs.add({ name: 'no work' });
  jobs.add(job);
  jobs.add({ jobs: () => [resting] });
  job.start?.(never.signal);
  await clock.advance(5_001);
  const late = () => jobs.states(clock.now()).map((state) => [state.name, state.late !== null]);
  expect(late()).toEqual([
    ['hanging', true],
    ['job', true],
  ]);
  await job.stop?.();
  expect(late()[0]).toEqual(['hanging', false]);
});

test('jobs are begun anew by name or all of them, and one that hangs keeps nobody waiting', async () => {
  const clock = createFakeClock();
  const jobs = createJobs();
  const job = (name: string, run: (signal: AbortSignal) => Promise<void>) => {
    const made = createReconciler({ name, intervalMs: 60_000, clock, log: silentLogger, run });
    jobs.add(made);
    made.start?.(new AbortController().signal);
    return made;
  };
  let quick = 0;
  const parts = [
    job('quick', async () => {
      quick += 1;
    }),
    job('hanging', (signal) => new Promise((done) => signal.addEventListener('abort', () => done()))),
  ];
  await vi.waitFor(() => expect(clock.sleeping()).toBe(1));
  await expect(jobs.restart({ names: ['quick', 'slow'], waitMs: 1_000, force: false })).rejects.toMatchObject({
    code: 'request/not-found',
  });
  expect(quick).toBe(1);
  expect(await jobs.restart({ names: ['quick'], waitMs: 1_000, force: false })).toEqual([
    { name: 'quick', outcome: 'restarted' },
  ]);
  expect(quick).toBe(2);
  const all = jobs.restart({ waitMs: 1_000, force: false });
  await vi.waitFor(() => expect(quick).toBe(3));
  await clock.advance(1_000);
  expect(await all).toEqual([
    { name: 'quick', outcome: 'restarted' },
    { name: 'hanging', outcome: 'waiting' },
  ]);
  expect(await jobs.restart({ names: ['hanging'], waitMs: 1_000, force: true })).toEqual([
    { name: 'hanging', outcome: 'aborted' },
  ]);
  for (const part of parts) await part.stop?.();
});
