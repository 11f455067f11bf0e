import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatBytes,
  formatDistance,
  formatDuration,
  formatFacts,
  formatFigure,
  formatInstant,
  formatTable,
  withoutControls,
} from './format.ts';

test.each([
  [0, '0 B'],
  [1, '1 B'],
  [1023, '1023 B'],
  [1024, '1.00 KiB'],
  [1536, '1.50 KiB'],
  [10_240, '10.0 KiB'],
  [102_400, '100 KiB'],
  [1_048_575, '1.00 MiB'],
  [5_294_967, '5.05 MiB'],
  [252 * 1024 ** 3, '252 GiB'],
])('%d bytes are shown as %s', (bytes, shown) => {
  expect(formatBytes(bytes)).toBe(shown);
});

test.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [1_000, '1.0 s'],
  [9_949, '9.9 s'],
  [9_960, '10 s'],
  [59_400, '59 s'],
  [59_600, '1 min'],
  [185_000, '3 min 5 s'],
  [3_600_000, '1 h'],
  [7_800_000, '2 h 10 min'],
  [86_400_000, '1 d'],
  [97_200_000, '1 d 3 h'],
])('%d ms are shown as %s', (ms, shown) => {
  expect(formatDuration(ms)).toBe(shown);
});

test('sizes and spans never show a unit more than its next one holds', () => {
  fc.assert(
    fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (value) => {
      expect(Number.parseFloat(formatBytes(value))).toBeLessThan(1024);
      expect(formatDuration(value)).not.toMatch(/\b60 (s|min)\b|\b24 h\b|NaN|undefined/);
    }),
  );
});

test('instants are shown in the local zone and read back as the same second', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_102_444_800 }), (seconds) => {
      expect(Date.parse(formatInstant(seconds * 1_000).replace(' ', 'T'))).toBe(seconds * 1_000);
    }),
  );
  expect(formatInstant('not a time')).toBe('not a time');
});

test('a distance has a direction', () => {
  expect(formatDistance(5_000, 0)).toBe('in 5.0 s');
  expect(formatDistance(0, 300_000)).toBe('5 min ago');
  expect(formatDistance(100, 0)).toBe('now');
});

describe('a table', () => {
  test('aligns its columns, numbers to the right', () => {
    const table = formatTable(
      [{ title: 'name' }, { title: 'size', align: 'right' }, { title: 'state' }],
      [
        ['a', '1 B', 'good'],
        ['longer', '12 KiB', 'bad'],
      ],
    );
    expect(table.split('\n')).toEqual(['name      size  state', 'a          1 B  good', 'longer  12 KiB  bad']);
  });

  test('is not thrown out of line by colours', () => {
    const [head, row] = formatTable([{ title: 'state' }, { title: 'next' }], [['\u001b[32mok\u001b[39m', 'x']]).split(
      '\n',
    );
    expect(head).toBe('state  next');
    expect(row).toBe('\u001b[32mok\u001b[39m     x');
  });

  test('facts stand below each other', () => {
    expect(
      formatFacts([
        ['a', '1'],
        ['long', '2'],
      ]),
    ).toBe('a     1\nlong  2');
  });
});

test('no text of others reaches a terminal with control characters in it', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (value, text) => {
      const shown = JSON.stringify(withoutControls({ value, text, [text]: [text] }), (_key, inner: unknown) => inner);
      expect(shown.replaceAll(/\\\\u[0-9a-f]{4}/g, '')).not.toMatch(/\p{Cc}|\u202e/u);
    }),
    { numRuns: 30 },
  );
  expect(withoutControls('a\u001b[2Jb\u009bc\u202ed')).toBe('a\\u001b[2Jb\\u009bc\\u202ed');
  expect(withoutControls({ a: [1, null, true, 'x\ny'] })).toEqual({ a: [1, null, true, 'x y'] });
});

test.each([
  [59.72416882068624, '59.72'],
  [100, '100'],
  [0.000123456, '0.000123'],
  [43_232_870, '43232870'],
  [null, '-'],
  [undefined, '-'],
  ['healthy', 'healthy'],
  [false, 'false'],
])('a figure of a check, %s, is %s', (value, shown) => {
  expect(formatFigure(value)).toBe(shown);
});
