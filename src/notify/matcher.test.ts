import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isLike, matchesAll } from './matcher.ts';

test.each([
  ['prod', 'prod', true],
  ['prod', 'production', false],
  ['*', '', true],
  ['prod-*', 'prod-', true],
  ['*-db', 'prod-db', true],
  ['a*a', 'a', false],
  ['a*b*c', 'a-b-b-c', true],
  ['a*bc*c', 'abc', false],
  ['.*', 'anything', false],
  ['', '', true],
  ['', 'x', false],
])('%j is like %j: %s', (pattern, text, expected) => {
  expect(isLike(pattern, text)).toBe(expected);
});

test('is what the same regular expression says', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 8 });
  fc.assert(
    fc.property(letters, letters, (pattern, text) => {
      const source = pattern
        .split('*')
        .map((part) => part.replaceAll('.', '\\.'))
        .join('.*');
      return isLike(pattern, text) === new RegExp(`^${source}$`, 's').test(text);
    }),
  );
});

test('all conditions hold, and a label that is not there is empty', () => {
  const labels = { severity: 'critical', team: 'search' };
  const severe = { label: 'severity', value: 'critical', equal: true };
  expect(matchesAll([severe, { label: 'team', value: 'web', equal: false }], labels)).toBe(true);
  expect(matchesAll([severe, { label: 'site', value: '', equal: false }], labels)).toBe(false);
  expect(matchesAll([], labels)).toBe(true);
});
