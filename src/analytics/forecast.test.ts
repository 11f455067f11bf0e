import { expect, test } from 'vitest';
import { forecastOf, reachesAt } from './forecast.ts';
import { sayAmount } from './say.ts';
import { beginMs, createRandom, families, makeSeries, seriesOf, stepHours } from './test-labelled.ts';

const hourMs = 3_600_000;
const hours = 168;
const count = hours / stepHours;

test('a limit is met by a line that rises, and by no other', () => {
  expect(reachesAt({ atMs: 100, value: 50, perMs: 0.5 }, 100)).toBe(200);
  expect(reachesAt({ atMs: 100, value: 50, perMs: 0 }, 100)).toBeUndefined();
  expect(reachesAt({ atMs: 100, value: 50, perMs: -1 }, 100)).toBeUndefined();
});

test('of what grows evenly the true time lies within the interval, nearly always', () => {
  let within = 0;
  const seeds = Array.from({ length: 30 }, (_, at) => 90_001 + at);
  for (const seed of seeds) {
    const random = createRandom(seed);
    const perHour = random.between(0.05, 0.15);
    const noise = random.between(0.1, 1);
    const values = Array.from({ length: count }, (_, at) => 60 + perHour * at * stepHours + noise * random.normal());
    const { state, earliestMs, latestMs, reachedAtMs, holdOut } = forecastOf(
      seriesOf(values, { capacity: 100, kind: 'stock', unit: 'percent' }),
    );
    expect(state).toBe('fills');
    const trueMs = beginMs + (40 / perHour) * hourMs;
    if ((earliestMs ?? 0) <= trueMs && trueMs <= (latestMs ?? Number.POSITIVE_INFINITY)) within += 1;
    expect(Math.abs((reachedAtMs ?? 0) - trueMs)).toBeLessThan(0.25 * (trueMs - beginMs));
    expect(holdOut!.error).toBeLessThan(holdOut!.errorOfNoChange);
  }
  expect(within / seeds.length).toBeGreaterThanOrEqual(0.9);
});

test('of load, noise, walks and steps no date is told', () => {
  const told = families
    .filter(({ label }) => label === 'nothing')
    .flatMap((family) => [1, 2, 3, 4].map((at) => makeSeries(family, 91_001 + at)))
    .filter((series) => forecastOf({ ...series, capacity: 400 }).state === 'fills');
  expect(told.map(({ key }) => key).length).toBeLessThanOrEqual(1);
});

test('too little is said plainly, and what falls or has no limit has no date', () => {
  const rising = Array.from({ length: count }, (_, at) => 10 + at * 0.1);
  expect(forecastOf(seriesOf(rising.slice(0, 20), { capacity: 100 }))).toMatchObject({
    ...{ state: 'too_little_data', perHour: null, reachedAtMs: null },
    message: expect.stringContaining('takes 24 h'),
  });
  expect(forecastOf(seriesOf(rising))).toMatchObject({ state: 'grows', reachedAtMs: null, limit: null });
  expect(forecastOf(seriesOf(rising.toReversed(), { capacity: 100 }))).toMatchObject({
    ...{ state: 'falls', reachedAtMs: null },
  });
  expect(
    forecastOf(
      seriesOf(
        rising.map((value) => value / 1e6),
        { capacity: 100 },
      ),
    ),
  ).toMatchObject({
    ...{ state: 'grows', reachedAtMs: null, message: expect.stringContaining('five years') },
  });
});

test('amounts are said shortly, large ones with their thousands apart', () => {
  expect([sayAmount(100_000, 'events'), sayAmount(302.6, 'events'), sayAmount(0.01234, '')]).toEqual([
    '100,000 events',
    '303 events',
    '0.0123',
  ]);
});
