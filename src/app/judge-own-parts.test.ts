import { describe, expect, test } from 'vitest';
import { type EvaluationState, judgeEvaluation, judgeOutbox, judgeScheduler } from './judge-own-parts.ts';

const nowMs = Date.UTC(2026, 0, 5, 12);
const hourMs = 3_600_000;
type End = readonly [kind: string, state: string, hoursAgo: number];
const scheduler = (...ends: readonly End[]) =>
  judgeScheduler({ ends: ends.map(([kind, state, ago]) => ({ kind, state, atMs: nowMs - ago * hourMs })) }, nowMs);

describe('what runs by itself', () => {
  test.each<[string, End[], 'healthy' | 'degraded']>([
    ['has not run yet', [], 'healthy'],
    ['succeeds', [['backup.create', 'succeeded', 1]], 'healthy'],
    [
      'failed, and succeeded after it',
      [
        ['backup.create', 'failed', 2],
        ['backup.create', 'succeeded', 1],
      ],
      'healthy',
    ],
    [
      'failed once within a day of a success',
      [
        ['recovery.drill', 'failed', 1],
        ['recovery.drill', 'succeeded', 23],
      ],
      'healthy',
    ],
    [
      'fails, and has not succeeded for a day',
      [
        ['repository.check', 'failed', 1],
        ['repository.check', 'succeeded', 24],
      ],
      'degraded',
    ],
    ['fails, and never succeeded', [['backup.create', 'failed', 1]], 'degraded'],
    ['failed long ago and was not tried since', [['backup.create', 'failed', 24]], 'healthy'],
    ['was cancelled', [['cleanup.run', 'cancelled', 1]], 'healthy'],
    ['is begun by people and failed', [['backup.restore', 'failed', 1]], 'healthy'],
  ])('%s', (_, ends, status) => {
    expect(scheduler(...ends).status).toBe(status);
  });

  test('tells the last success of each kind', () => {
    const found = scheduler(
      ['backup.create', 'succeeded', 2],
      ['recovery.drill', 'failed', 1],
      ['backup.restore', 'succeeded', 1],
    );
    expect(found.details).toEqual({
      'backup.create succeeded': '2026-01-05T10:00:00.000Z',
      'recovery.drill succeeded': null,
    });
    expect(found.message).toBe('recovery.drill failed at 2026-01-05T11:00:00.000Z and succeeded never.');
  });
});

test.each([
  ['nothing waits', 0, null, [], 'healthy'],
  ['what waits is young', 3, nowMs - 15 * 60_000, [], 'healthy'],
  ['what waits is old', 3, nowMs - 15 * 60_000 - 1, [], 'degraded'],
  ['one was given up today', 0, null, [nowMs - 23 * hourMs], 'degraded'],
  ['one was given up long ago', 0, null, [nowMs - 24 * hourMs], 'healthy'],
  ['the clock was set back', 1, nowMs + hourMs, [], 'healthy'],
])('of what is to be told, %s', (_, pending, oldestMs, deadMs, status) => {
  expect(judgeOutbox({ pending, oldestMs, deadMs }, nowMs).status).toBe(status);
});

const well: EvaluationState = {
  ...{ evaluator: 'i1', instance: 'i1', intervalMs: 30_000, startedMs: nowMs - hourMs },
  last: { atMs: nowMs - 30_000, rules: 40, failed: 0 },
};
test.each<[string, Partial<EvaluationState>, 'healthy' | 'degraded', string]>([
  ['are evaluated here', {}, 'healthy', '40 alert rules are evaluated here.'],
  ['are evaluated elsewhere', { evaluator: 'i2', last: undefined }, 'healthy', 'i2 evaluates the alert rules.'],
  ['have one that cannot be', { last: { atMs: nowMs, rules: 40, failed: 1 } }, 'degraded', '1 of 40 alert rules'],
  ['are a little late', { last: { atMs: nowMs - 150_000, rules: 40, failed: 0 } }, 'healthy', '40 alert rules'],
  ['are late', { last: { atMs: nowMs - 150_001, rules: 40, failed: 0 } }, 'degraded', 'were not evaluated for 150 s'],
  ['have no evaluator', { evaluator: undefined, last: undefined }, 'degraded', 'No instance has evaluated'],
  ['just began', { last: undefined, startedMs: nowMs - 1_000 }, 'healthy', 'The first evaluation is not over'],
])('alert rules that %s', (_, more, status, message) => {
  const found = judgeEvaluation({ ...well, ...more }, nowMs);
  expect(found.status).toBe(status);
  expect(found.message).toContain(message);
});
