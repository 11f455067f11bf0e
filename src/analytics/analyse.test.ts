import { expect, test } from 'vitest';
import { analyse } from './analyse.ts';
import type { Forecast } from './forecast.ts';
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
    ...{
      capacity: 100,
      mayBeSpare: false,
      family: `disk:${until}`,
      stepMs: hour,
      times,
      tops: null,
      highest: null,
      isShared: false,
    },
    values: times.map((_, i) => (i < until ? 0.5 * i + next() : null)),
  });
  const { profiles, forecasts, patterns } = await analyse({
    series: [grows(168), grows(100)],
    ...{ closer: [], quotaForecasts: [], leaks: [], leftOut: 0, breathe: async () => undefined },
    window: { fromMs: 0, toMs: 168 * hour - 1, stepMs: hour },
  });
  expect(profiles).toHaveLength(2);
  expect(forecasts.map(({ key }) => key)).toEqual(['disk:168']);
  expect(patterns.filter(({ key }) => key === 'disk:100')).toEqual([]);
});

test('a quota has one forecast: of its present window when that is used up, else of its trend when that meets the limit', async () => {
  const next = noise(3);
  const times = Array.from({ length: 168 }, (_, i) => i * hour);
  const quota = (id: string, slope: number): ResourceSeries => ({
    ...{ key: `quota:${id}`, resourceType: 'tokens', metric: '', unit: 'tokens', kind: 'level', capacity: 100 },
    ...{ mayBeSpare: true, family: `quota:${id}`, stepMs: hour, times, tops: null, highest: null, isShared: true },
    values: times.map((_, i) => 10 + slope * i + next()),
  });
  const own = (id: string, reachedAtMs: number | null): Forecast => ({
    ...{ key: `quota:${id}`, resourceType: 'tokens', unit: 'tokens', limit: 100, basis: 'quota window', now: 5 },
    ...{ perHour: null, reachedAtMs, earliestMs: null, latestMs: null, holdOut: null, message: 'm' },
    state: reachedAtMs === null ? 'not_in_this_window' : 'fills',
  });
  const { forecasts, trends } = await analyse({
    series: [quota('rising', 0.3), quota('hasty', 0.3), quota('even', 0)],
    quotaForecasts: [own('rising', null), own('hasty', 169 * hour), own('even', null), own('forever', null)],
    ...{ closer: [], leaks: [], leftOut: 0, breathe: async () => undefined },
    window: { fromMs: 0, toMs: 168 * hour - 1, stepMs: hour },
  });
  expect(forecasts.map(({ key, basis, state }) => `${key} ${basis}: ${state}`).sort()).toEqual([
    'quota:even quota window: not_in_this_window',
    'quota:forever quota window: not_in_this_window',
    'quota:hasty quota window: fills',
    'quota:rising trend: fills',
  ]);
  // What is recommended rests on the trend.
  expect(trends).toHaveLength(3);
});

test('what comes each hour is found in the last two days, and values are not kept', async () => {
  const next = noise(9);
  const week = Array.from({ length: 168 }, (_, i) => i * hour);
  const close = Array.from({ length: 576 }, (_, i) => 120 * hour + i * 300_000);
  const cpu = (stepMs: number, times: number[], valueAt: (i: number) => number): ResourceSeries => ({
    ...{ key: 'cpu', resourceType: 'cpu', metric: 'm', unit: 'percent', kind: 'level', capacity: 100 },
    ...{ mayBeSpare: false, family: 'cpu', stepMs, times, tops: null, highest: null, isShared: false },
    values: times.map((_, i) => valueAt(i)),
  });
  const { patterns, profiles } = await analyse({
    series: [cpu(hour, week, () => 15 + next())],
    closer: [cpu(300_000, close, (i) => (i % 12 === 4 ? 90 : 10) + next())],
    ...{ quotaForecasts: [], leaks: [], leftOut: 0, breathe: async () => undefined },
    window: { fromMs: 0, toMs: 168 * hour - 1, stepMs: hour },
  });
  expect(patterns.map(({ type, metadata }) => `${type} ${metadata.period}`)).toEqual(['periodic_spikes hourly']);
  expect(profiles[0]?.series.values).toEqual([]);
});
