import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isAtLeast, parseVersion, replacesFilesByRename } from './version.ts';

test.each([
  ['1.5.7', [1, 5, 7]],
  ['v1.4.9.8', [1, 4, 9, 8]],
  [' 1.5.0rc1 ', [1, 5, 0]],
  ['2', [2]],
  ['', undefined],
  ['unknown', undefined],
  [undefined, undefined],
])('the numbers of %j are %j', (text, numbers) => {
  expect(parseVersion(text)).toEqual(numbers);
});

test.each([
  ['1.5.0', '1.5.0', true],
  ['1.5', '1.5.0', true],
  ['1.4.16', '1.5.0', false],
  ['1.10.0', '1.9.9', true],
  ['1.5.0.1', '1.5.0', true],
  ['nightly', '1.5.0', undefined],
  [undefined, '1.5.0', undefined],
])('%j is at least %s: %j', (have, want, answer) => {
  expect(isAtLeast(have, want)).toBe(answer);
});

test('of two versions each is at least the other only when they are the same', () => {
  const numbers = fc.array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(numbers, numbers, (one, other) => {
      const [a, b] = [one.join('.'), other.join('.')];
      const same = Array.from({ length: 4 }, (_, i) => (one[i] ?? 0) === (other[i] ?? 0)).every(Boolean);
      expect(isAtLeast(a, b) === true && isAtLeast(b, a) === true).toBe(same);
      expect(isAtLeast(a, b) === true || isAtLeast(b, a) === true).toBe(true);
    }),
  );
});

test('an unknown version counts as one that writes in place', () => {
  expect([undefined, '', '1.4.16', '1.5.0', '1.5.7'].map(replacesFilesByRename)).toEqual([
    false,
    false,
    false,
    true,
    true,
  ]);
});
