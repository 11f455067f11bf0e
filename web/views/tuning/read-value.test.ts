import { expect, test } from 'vitest';
import { boundsOf, figureOf, readTyped, shown } from './read-value.ts';

test.each([
  ['integer', ' 12 ', 12],
  ['integer', '', null],
  ['integer', 'twelve', 'twelve'],
  ['number', '0.25', 0.25],
  ['boolean', 'true', true],
  ['boolean', 'false', false],
  ['boolean', 'yes', 'yes'],
  ['text', ' a b ', 'a b'],
  ['choice', '7', '7'],
] as const)('a %s typed as %j is %j', (type, typed, value) => {
  expect(readTyped({ type }, typed)).toBe(value);
});

test('what a value may be is told in its own terms, and what nobody set is no zero', () => {
  const info = { name: 'n', minimum: 1, maximum: 5, choices: null, default: 1, unit: null, meaning: '', class: 'safe' };
  expect(boundsOf({ ...info, type: 'integer' })).toBe('1 to 5');
  expect(boundsOf({ ...info, type: 'choice', choices: ['a', 'b'] })).toBe('a, b');
  expect(boundsOf({ ...info, type: 'boolean', minimum: null, maximum: null })).toBe('true or false');
  expect([shown(null), shown(0), shown(false)]).toEqual(['—', '0', 'false']);
});

test('figures of advice are told in their units', () => {
  const told = (value: number | string, unit: 'ms' | 'share' | 'bytes' | 'count' | null) => figureOf({ value, unit });
  expect([
    told(620, 'ms'),
    told(12_340, 'ms'),
    told(0.9, 'share'),
    told(2_048, 'bytes'),
    told(1_234.567, 'count'),
  ]).toEqual(['620 ms', '12.3 s', '90 %', '2.00 KiB', '1,234.57']);
  expect(told('not seen', null)).toBe('not seen');
});
