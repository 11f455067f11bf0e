import { expect, test } from 'vitest';
import { createFakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import type { CheckChange } from './check-runner.ts';
import { createHealth, type Health } from './health.ts';
import type { HealthCheck, HealthWord } from './health-check.ts';
import { createHealthWatch } from './health-watch.ts';
import { createSeenWords } from './seen-words.ts';

test('a change that could not be written down is told by the next run, and holds up no other', async () => {
  const told: string[] = [];
  let full = true;
  const note = async ({ name, before, status }: CheckChange): Promise<void> => {
    if (full && name !== 'second') throw new Error('the disk is full');
    told.push(`${name}: ${before} -> ${status}`);
  };
  const check = (name: string): HealthCheck => ({
    ...{ name, about: 'watched' },
    read: () => ({ status: 'unhealthy', message: '', atMs: 1 }),
  });
  const words = createSeenWords();
  const watch = createHealthWatch({
    words,
    ...{ checks: [check('first'), check('second')], clock: createFakeClock(), log: silentLogger, onChange: note },
    // Of health, what it asks for.
    health: {
      report: () => ({ answer: { can: false, reasons: [] }, ingest: { can: undefined, reasons: [] } }),
    } as unknown as Health,
  });
  await watch.runOnce();
  expect(told).toEqual(['second: undefined -> unhealthy']);
  full = false;
  await watch.runOnce();
  await watch.runOnce();
  expect(told.slice(1)).toEqual([
    'first: undefined -> unhealthy',
    'can answer: undefined -> unhealthy',
    'can ingest: undefined -> unknown',
  ]);
  expect(words.of('first')).toMatchObject({ word: 'unhealthy', looks: 3, failures: 3 });
});

test('of what its slice looks at by itself it is told since when it is as it is, and how often it was bad', async () => {
  const clock = createFakeClock();
  const seen = createSeenWords();
  let status: HealthWord = 'unknown';
  const checks: HealthCheck[] = [
    { name: 'target a', about: 'watched', tellsChanges: true, read: () => ({ status, message: '', atMs: 1 }) },
  ];
  const health = createHealth({ checks, clock, seen });
  const watch = createHealthWatch({
    ...{ checks, health, words: seen, clock, log: silentLogger },
    onChange: async () => {},
  });
  const view = () => {
    const { sinceMs, looks, failures } = health.report().checks[0]!;
    return [sinceMs, looks, failures];
  };
  expect(view()).toEqual([undefined, 0, 0]);
  await watch.runOnce();
  expect(view()).toEqual([clock.now(), 1, 0]);
  status = 'unhealthy';
  expect(view()).toEqual([undefined, 1, 0]);
  await clock.advance(15_000);
  const sinceMs = clock.now();
  await watch.runOnce();
  await clock.advance(15_000);
  await watch.runOnce();
  expect(view()).toEqual([sinceMs, 3, 2]);
});
