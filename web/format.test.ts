import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatAge,
  formatAhead,
  formatBytes,
  formatCount,
  formatDuration,
  formatExact,
  formatInstant,
  formatPercent,
  plural,
} from './format.ts';

test.each([
  [0, '0 B'],
  [1, '1 B'],
  [1023, '1023 B'],
  [1024, '1.00 KiB'],
  [1024 * 1024 - 1, '1.00 MiB'],
  [48_211_004, '46.0 MiB'],
  [250 * 1024 ** 3, '250 GiB'],
  [-2048, '-2.00 KiB'],
])('%d bytes read as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test('a size is never shown as 1024 of a unit that has a larger one', () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 48 }), (bytes) => {
      expect(formatBytes(bytes)).not.toMatch(/^1024 (?!B)/);
    }),
  );
});

test.each([
  [0, '0 s'],
  [59.9, '59 s'],
  [60, '1 min'],
  [61, '1 min 1 s'],
  [3_600, '1 h'],
  [90_000, '1 d 1 h'],
  [86_400 * 12 + 3_700, '12 d'],
  [-5, '0 s'],
])('%d seconds read as %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test.each([
  [0, 'now'],
  [-3_000, 'now'],
  [12_000, '12 s ago'],
  [119_999, '119 s ago'],
  [120_000, '2 min ago'],
  [7_200_000, '2 h ago'],
  [172_800_000, '2 d ago'],
])('%d ms back is %s', (passed, text) => {
  expect(formatAge(1_000_000_000_000 - passed, 1_000_000_000_000)).toBe(text);
});

test('what lies ahead counts down and is then due', () => {
  expect(formatAhead(3_720_000, 0)).toBe('in 1 h 2 min');
  expect(formatAhead(500, 0)).toBe('due now');
  expect(formatAhead(0, 60_000)).toBe('due now');
});

describe('an instant', () => {
  const at = new Date(2026, 10, 22, 4, 5, 6).getTime();

  test('has seconds today, the day before that, and the date in another year', () => {
    expect(formatInstant(at, at + 1_000)).toBe('04:05:06');
    expect(formatInstant(at, new Date(2026, 10, 23, 1).getTime())).toBe('22 Nov 04:05');
    expect(formatInstant(at, new Date(2027, 0, 1).getTime())).toBe('2026-11-22');
  });

  test('is exact with its zone', () => {
    expect(formatExact(at)).toMatch(/^2026-11-22 04:05:06 UTC([+-]\d\d:\d\d)?$/);
  });
});

test('small shares keep a decimal, and nothing is exactly nothing', () => {
  expect([0, 0.4, 9.94, 9.96, 87.4, 100].map(formatPercent)).toEqual([
    '0 %',
    '0.4 %',
    '9.9 %',
    '10 %',
    '87 %',
    '100 %',
  ]);
});

test('counts agree with their noun', () => {
  expect([plural(0, 'file'), plural(1, 'file'), plural(1_200, 'file')]).toEqual(['0 files', '1 file', '1,200 files']);
  expect(formatCount(1_234_567)).toBe('1,234,567');
});
