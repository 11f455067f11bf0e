import { expect, test } from 'vitest';
import {
  findMatcherFault,
  matchersOf,
  placeFirings,
  readMatchers,
  shownLabels,
  shownValue,
  stateOfRule,
} from './wording.ts';

test.each([
  ['severity=warning\n team!=web ', undefined],
  ['target=prod-*', undefined],
  ['severity', '"severity" is neither'],
  ['team=*', 'One line must say'],
  ['team=""', 'One line must say'],
  ['team!=web', 'One line must say'],
  ['\n', 'One line must say'],
])('a silence of %j is told what is wrong with it before it is sent', (typed, fault) => {
  const found = findMatcherFault(readMatchers(typed));
  if (fault === undefined) expect(found).toBeUndefined();
  else expect(found).toContain(fault);
});

test('the silence of an alert names its rule and each of its labels, and is none that is refused', () => {
  const typed = matchersOf({ rule_name: 'disk', labels: { mount: '/data, old', host: 'a' } });
  expect(readMatchers(typed)).toEqual(['alertname=disk', 'mount=/data, old', 'host=a']);
  expect(findMatcherFault(readMatchers(typed))).toBeUndefined();
});

test('a rule that cannot be evaluated, or measures nothing, does not look quiet', () => {
  const status = { evaluated_at: null, label_sets: 1, pending: 0, firing: 0, error: null };
  const textOf = (change: object, enabled = true): string =>
    stateOfRule({ enabled, status: { ...status, ...change } }).text;
  expect(textOf({})).toBe('quiet');
  expect(textOf({ firing: 2, pending: 1 })).toBe('2 firing');
  expect(textOf({ pending: 1 })).toBe('1 pending');
  expect(textOf({ label_sets: 0 })).toBe('no values');
  expect(textOf({ error: 'no such label', firing: 1 })).toBe('cannot be evaluated');
  expect(textOf({ firing: 1 }, false)).toBe('off');
  expect(stateOfRule({ enabled: true, status: null }).text).toBe('not evaluated yet');
});

test('firings stand where they were in the range, to its end when they go on, and are seen however short', () => {
  const range = { from: '2026-01-05T00:00:00Z', to: '2026-01-05T10:00:00Z' };
  const at = (hour: string): string => `2026-01-05T${hour}:00Z`;
  expect(
    placeFirings(
      [
        { triggered_at: at('01:00'), resolved_at: at('03:30') },
        { triggered_at: at('08:00'), resolved_at: null },
        { triggered_at: at('10:00'), resolved_at: at('10:00') },
      ],
      range,
    ),
  ).toEqual([
    { at: 10, width: 25 },
    { at: 80, width: 20 },
    { at: 99.6, width: 0.4 },
  ]);
});

test('labels have one order, and no value is no zero', () => {
  expect(shownLabels({ b: '2', a: '1' })).toBe('a=1, b=2');
  expect([shownValue(null), shownValue(0), shownValue(0.12345)]).toEqual(['no value', '0', '0.1235']);
});
