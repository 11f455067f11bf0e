import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Anomaly } from './alert-rule.ts';
import { testRule } from './test-rules.ts';
import { fewestWindows, findUsual, pastOf, scoreOf, valuesOf } from './usual.ts';

const any: Anomaly = { baselineMs: 0, seasonMs: undefined, direction: 'both', leastDifference: 0 };
const usualOf = (values: readonly number[]) => {
  const usual = findUsual(values);
  if (usual === undefined) throw new Error('there is too little of a past');
  return usual;
};
/** Around 100, by a small generator, the same each time. */
const around100 = Array.from({ length: 101 }, (_, i) => 100 + ((i * 37) % 21) - 10);
const hour = 3_600_000;
const day = 24 * hour;

test('with too little of a past nothing is unusual', () => {
  expect(findUsual(Array(fewestWindows - 1).fill(1))).toBeUndefined();
  expect(findUsual(Array(fewestWindows).fill(1))).toMatchObject({ median: 1, spread: 0 });
});

test('a value is as unusual as it lies spreads away from the median, in the direction that counts', () => {
  const usual = usualOf(around100);
  expect(usual).toMatchObject({ median: 100, spread: 5 * 1.4826 });
  expect(scoreOf(any, 100 + 10 * 1.4826, usual)).toBeCloseTo(2);
  expect(scoreOf(any, 100 - 10 * 1.4826, usual)).toBeCloseTo(2);
  expect(scoreOf({ ...any, direction: 'above' }, 50, usual)).toBe(0);
  expect(scoreOf({ ...any, direction: 'below' }, 50, usual)).toBeGreaterThan(6);
  expect(scoreOf({ ...any, leastDifference: 50 }, 150, usual)).toBe(0);
  expect(scoreOf({ ...any, leastDifference: 50 }, 150.1, usual)).toBeGreaterThan(6);
});

test('what nearly never moved is judged by the few times that it did, and what never moved by any move', () => {
  const mostly = usualOf([...Array(60).fill(0), ...Array(10).fill(5)]);
  expect(mostly.median).toBe(0);
  expect(scoreOf(any, 5, mostly)).toBeGreaterThan(5);
  const still = usualOf(Array(30).fill(7));
  expect([scoreOf(any, 7, still), scoreOf(any, 7.01, still)]).toEqual([0, 1_000]);
});

test('an outage in the past does not make the next one usual', () => {
  const broken = around100.map((value, i) => (i < 40 ? value * 50 : value));
  expect(scoreOf(any, 5_000, usualOf(broken))).toBeGreaterThan(100);
});

test('scores do not depend on the unit, on the order of the past, nor on where zero lies', () => {
  const whole = fc.integer({ min: -1_000, max: 1_000 });
  fc.assert(
    fc.property(
      fc.array(whole, { minLength: fewestWindows, maxLength: 60 }),
      whole,
      fc.constantFrom(1, 2, 1_024),
      whole,
      (past, value, by, plus) => {
        const score = scoreOf(any, value, usualOf(past));
        const moved = scoreOf(any, value * by + plus, usualOf(past.toReversed().map((one) => one * by + plus)));
        expect(moved).toBeCloseTo(score, 6);
        expect(Number.isFinite(score) && score >= 0).toBe(true);
      },
    ),
  );
});

describe('the past', () => {
  const anomaly: Anomaly = { ...any, baselineMs: 7 * day };
  const rule = testRule({ measure: 'anomaly', threshold: 4, aggregation: 'average' });
  const past = pastOf(rule, anomaly, 30 * day + 12 * hour + 17_000);
  const times = Array.from({ length: 40 * 288 }, (_, i) => i * 300_000);
  /** A batch each noon, an hour long. */
  const values = times.map((atMs) => (atMs % day >= 11.5 * hour && atMs % day < 12.5 * hour ? 1_000 : 10) + (atMs % 7));

  test('ends before the window that is judged, moves by whole windows, and is as long as it is said to be', () => {
    expect(past.endMs).toBeLessThanOrEqual(30 * day + 12 * hour + 17_000 - rule.windowMs);
    expect(past.endMs - past.fromMs).toBe(7 * day);
    expect(pastOf(rule, anomaly, 30 * day + 12 * hour + 299_999)).toEqual(past);
    expect(valuesOf(anomaly, past, times, values)).toHaveLength(7 * 288);
    const gaps = values.map((value, i) => (i % 2 === 0 ? value : null));
    expect(valuesOf(anomaly, past, times, gaps)).toHaveLength((7 * 288) / 2);
  });

  test('with a season what comes every day at this time is usual, and its absence is not', () => {
    const daily = { ...anomaly, seasonMs: day };
    expect(scoreOf(any, 1_003, usualOf(valuesOf(anomaly, past, times, values)))).toBeGreaterThan(100);
    const atNoon = usualOf(valuesOf(daily, past, times, values));
    expect(scoreOf(any, 1_003, atNoon)).toBeLessThan(3);
    expect(scoreOf(any, 10, atNoon)).toBeGreaterThan(100);
    // Half an hour before and after, on six days and the half of a seventh that the baseline still reaches.
    expect(atNoon.windows).toBeGreaterThanOrEqual(6 * 13);
    const night = pastOf(rule, daily, 30 * day + 2 * hour);
    expect(scoreOf(any, 1_003, usualOf(valuesOf(daily, night, times, values)))).toBeGreaterThan(100);
  });
});
