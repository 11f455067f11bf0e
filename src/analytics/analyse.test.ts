import { expect, test } from 'vitest';
import { analyse } from './analyse.ts';
import { findRelations, type Mover, relate } from './relation.ts';
import type { ResourceSeries } from './series.ts';

const hour = 3_600_000;
/** Numbers between 0 and 1 that are the same each time. */
const noise = (seed: number) => {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
};

test('two that move together are found, piece by piece: no piece of a month is the whole comparison', () => {
  const next = noise(7);
  const load = Array.from({ length: 720 }, next);
  const mover = (key: string): Mover => ({
    ...{ key, family: key, kind: 'level' },
    values: load.map((value) => value + 0.05 * next()),
  });
  const movers = [mover('a'), mover('b')];
  const pieces = [...relate(movers)];
  expect(pieces.filter((one) => one === 'more').length).toBeGreaterThan(10);
  // Not so many that a month takes four times as long as it must.
  expect(pieces.length).toBeLessThan(30);
  expect(findRelations(movers)).toMatchObject([{ lagHours: 0, leader: 'a', follower: 'b' }]);
});

test('what has no values any more is profiled and foretold nothing', async () => {
  const next = noise(3);
  const times = Array.from({ length: 168 }, (_, i) => i * hour);
  const grows = (until: number): ResourceSeries => ({
    ...{ key: `disk:${until}`, resourceType: 'disk', metric: 'disk_percent', unit: 'percent', kind: 'stock' },
    ...{ capacity: 100, mayBeSpare: false, family: `disk:${until}`, stepMs: hour, times, highest: null },
    values: times.map((_, i) => (i < until ? 0.5 * i + next() : null)),
  });
  const { profiles, forecasts, patterns } = await analyse({
    series: [grows(168), grows(100)],
    ...{ quotaForecasts: [], leaks: [], leftOut: 0, breathe: async () => undefined },
    window: { fromMs: 0, toMs: 168 * hour - 1, stepMs: hour },
  });
  expect(profiles).toHaveLength(2);
  expect(forecasts.map(({ key }) => key)).toEqual(['disk:168']);
  expect(patterns.filter(({ key }) => key === 'disk:100')).toEqual([]);
});
