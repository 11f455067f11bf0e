import { describe, expect, test } from 'vitest';
import { formatMetricValue, sparkline, unitOf } from './metric-values.ts';
import { toAscii } from './terminal.ts';
import { instantText, rangeOf, spanSeconds, stepFor } from './time-range.ts';

test.each([
  [null, 'ms', '-'],
  [0, 'ms', '0 ms'],
  [0.123_45, 'ms', '0.1235 ms'],
  [1_500, 'ms', '1.5 s'],
  [0.25, 'seconds', '0.25 s'],
  [125, 'seconds', '2 min 5 s'],
  [1_048_576, 'bytes/s', '1.00 MiB/s'],
  [12.345_6, 'percent', '12.35 %'],
  [0.0021, 'usd', '$0.0021'],
  [1_234_567, '', '1234567'],
  [17, 'documents', '17 documents'],
  [-5.25, '', '-5.25'],
])('%s of unit "%s" is %s', (value, unit, text) => {
  expect(formatMetricValue(value, unit)).toBe(text);
});

test.each([
  ['ms', 'timer', 'p95', 'ms'],
  ['ms', 'timer', 'rate', '/s'],
  ['bytes', 'counter', 'rate', 'bytes/s'],
  ['bytes', 'histogram', 'count', ''],
  ['unknown', 'gauge', 'last', ''],
])('%s of a %s by %s has the unit "%s"', (unit, type, aggregation, expected) => {
  expect(unitOf({ unit, type }, aggregation)).toBe(expected);
});

describe('the course', () => {
  test('is drawn between least and greatest, and a gap stays empty', () => {
    expect(sparkline([0, null, 7, 3.5])).toBe('▁ █▅');
    expect(sparkline([4, 4])).toBe('▄▄');
    expect(sparkline([null, null])).toBe('  ');
  });

  test('fits its line, neighbours as one', () => {
    expect(sparkline([0, 2, null, null, 9, 7], 3)).toBe('▁ █');
  });

  test('is told in ASCII where nothing else is shown', () => {
    expect(toAscii(sparkline([0, 1, 2, 3, 4, 5, 6, 7]))).toBe('_.,-=+*#');
  });
});

test.each([
  ['90', 90],
  ['30s', 30],
  ['5m', 300],
  ['6h', 21_600],
  ['7d', 604_800],
])('%s are %d seconds', (text, seconds) => {
  expect(spanSeconds(text)).toBe(seconds);
});

test.each(['', '0', '-5m', '1w', '1.5h', 'soon'])('"%s" is no span', (text) => {
  expect(() => spanSeconds(text)).toThrow(/such as/);
});

test('a range ends now and is an hour unless told', () => {
  const nowMs = Date.UTC(2026, 0, 5, 12);
  expect(rangeOf({}, nowMs)).toEqual({ fromMs: nowMs - 3_600_000, toMs: nowMs });
  expect(rangeOf({ last: 60, to: '2026-01-05T10:00:00Z' }, nowMs).fromMs).toBe(Date.UTC(2026, 0, 5, 9, 59));
  expect(rangeOf({ from: '2026-01-05T09:00:00Z' }, nowMs).fromMs).toBe(Date.UTC(2026, 0, 5, 9));
  expect(instantText('2026-01-05T09:00:00+02:00')).toBe('2026-01-05T07:00:00.000Z');
  expect(() => instantText('yesterday')).toThrow(/such as/);
});

test.each([
  [60, 1],
  [3_600, 60],
  [86_400, 1_800],
  [365 * 86_400, 604_800],
])('a range of %d s has the step %d s for sixty windows', (seconds, step) => {
  expect(stepFor(seconds * 1_000, 60)).toBe(step);
});
