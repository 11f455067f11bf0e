import { expect, test } from 'vitest';
import type { CleanupTask } from '../../api/cleanup-wire.ts';
import { containedOf, paramsText, questionOf, readParams, sayCron, successOf, triggerOf } from './figures.ts';

test('what was typed is read as numbers, yes and no, and words', () => {
  const typed = ' days_to_keep=14  force=true folder=exports pattern=a=b ';
  const params = { days_to_keep: 14, force: true, folder: 'exports', pattern: 'a=b' };
  expect(readParams(typed)).toEqual(params);
  expect(readParams(paramsText(params))).toEqual(params);
  expect(readParams('')).toEqual({});
});

test.each(['days_to_keep 14', '=14'])('of %j the word without a name is told', (typed) => {
  expect(readParams(typed)).toBe(typed.split(' ')[0]);
});

test('the question says how much goes, and whether it comes back', () => {
  const plan = { item_count: 3, size_bytes: 2_048, undo: 'quarantine' } as const;
  expect(questionOf(plan, false)).toContain('3 items (2.00 KiB) go, into the quarantine');
  expect(questionOf(plan, true)).toContain('Of 3 items (2.00 KiB) those that the newest point holds go');
  expect(questionOf({ ...plan, undo: 'none' }, false)).toContain('cannot be undone');
});

test('a task says what begins it, and one that never ran has no rate', () => {
  const task = { trigger_type: 'scheduled', schedule_expression: '0 2 * * *', time_zone: 'UTC' } as CleanupTask;
  expect(triggerOf(task)).toBe('daily at 02:00 UTC');
  expect(triggerOf({ ...task, trigger_type: 'health_check', health: { check: null, becomes: ['critical'] } })).toBe(
    'health becomes critical',
  );
  expect(successOf({ run_count: 0, success_rate: null })).toBe('never ran');
  expect(successOf({ run_count: 4, success_rate: 0.5 })).toBe('50 % of 4 runs');
});

test('what no point holds is not the same as what nobody knows', () => {
  const of = (state: 'missing' | 'unknown') => containedOf({ contained: { state, reason: '' } });
  expect([of('missing'), of('unknown')]).toEqual(['no', 'unknown']);
});

test.each([
  ['0 * * * *', 'every hour'],
  ['15 * * * *', 'every hour at :15'],
  ['0 */6 * * *', 'every 6 h'],
  ['30 3 * * *', 'daily at 03:30'],
  ['30 3 * * 1', '30 3 * * 1'],
  ['*/5 * * * *', '*/5 * * * *'],
  ['', ''],
])('the schedule %s is said as %s', (expression, text) => {
  expect(sayCron(expression)).toBe(text);
});
