import { describe, expect, test } from 'vitest';
import {
  findGrowth,
  findQuickRhythm,
  findSpikesInRhythm,
  findUnderuse,
  moversOf,
  type Pattern,
  relationPattern,
} from './pattern.ts';
import { isProfile, profileOf } from './profile.ts';
import { findRelations } from './relation.ts';
import type { ResourceSeries } from './series.ts';
import { families, hourlyOf, lastOf, makeRelated, makeSeries, seriesOf } from './test-labelled.ts';

// Seeds that nothing was tuned on; more of them are measured by `npm run bench -- analytics`.
const seeds = Array.from({ length: 12 }, (_, at) => 50_001 + 7 * at);
/** As many as are looked at together, over which chance is spread. */
const looked = 100;

/** As a look at a week does it: in steps of an hour with the highest value of each, and the last two days once more, more closely. */
const found = (series: ResourceSeries): Pattern[] => {
  const profile = profileOf(hourlyOf(series));
  if (!isProfile(profile)) throw new Error(profile.reason);
  const spikes = findSpikesInRhythm(profile, looked) ?? findQuickRhythm(lastOf(series, 48), 2 * looked);
  return [findGrowth(profile, looked), spikes].filter((one) => one !== undefined);
};

describe('made series of a week', () => {
  const told = families.map((family) => ({
    family,
    patterns: seeds.map((seed) => found(makeSeries(family, seed)).map(({ type }) => type)),
  }));
  const rate = (label: string, type: string): number => {
    const all = told.filter(({ family }) => family.label === label).flatMap(({ patterns }) => patterns);
    return all.filter((types) => types.includes(type as Pattern['type'])).length / all.length;
  };

  test('growth is found, in lots and under a daily load too', () => {
    expect(rate('growth', 'gradual_growth')).toBeGreaterThanOrEqual(0.9);
  });

  test('a rhythm of spikes is found, also one that nobody would set', () => {
    expect(rate('spikes', 'periodic_spikes')).toBeGreaterThanOrEqual(0.85);
  });

  test('and of load, noise, walks, steps, rises that ended and bursts nearly nothing is told', () => {
    expect(rate('nothing', 'gradual_growth') + rate('nothing', 'periodic_spikes')).toBeLessThanOrEqual(0.02);
    expect(rate('growth', 'periodic_spikes') + rate('spikes', 'gradual_growth')).toBeLessThanOrEqual(0.02);
  });

  test.each([
    ['hourly spikes', 1],
    ['spikes each six hours', 6],
    ['daily spikes', 24],
    ['spikes each three hours and a quarter', 3.25],
  ])('%s have this period', (name, hours) => {
    const family = families.find((one) => one.name === name)!;
    const periods = seeds.flatMap((seed) =>
      found(makeSeries(family, seed)).map(({ metrics }) => (metrics.period_seconds ?? 0) / 3_600),
    );
    expect(periods.length).toBeGreaterThan(seeds.length / 2);
    expect(new Set(periods)).toEqual(new Set([hours]));
  });
});

test('a job of a quarter of an hour stands out of the highest values of hours, not of their means', () => {
  const family = families.find(({ name }) => name === 'spikes each six hours')!;
  const count = (of: (series: ResourceSeries) => ResourceSeries): number =>
    seeds.filter((seed) => {
      const profile = profileOf(of(makeSeries(family, seed)));
      return isProfile(profile) && findSpikesInRhythm(profile, looked) !== undefined;
    }).length;
  expect(count(hourlyOf)).toBeGreaterThan(1.3 * count((series) => ({ ...hourlyOf(series), tops: null })));
});

test('what is hardly used is told once most of the window is known', () => {
  const of = (known: number) => {
    const values = Array.from({ length: 168 }, (_, hour) => (hour < 168 - known ? null : 3 + (hour % 7)));
    const profile = profileOf(seriesOf(values, { stepMs: 3_600_000, capacity: 100, mayBeSpare: true }));
    return isProfile(profile) ? findUnderuse(profile) : undefined;
  };
  expect(of(100)).toBeUndefined();
  expect(of(126)?.confidence).toBe(0.75);
});

describe('pairs', () => {
  const strangers = families
    .filter(({ label, name }) => label === 'nothing' && name !== 'saw')
    .map((family, at) => makeSeries(family, 60_001 + at));

  test.each([70_001, 70_002, 70_003])('what belongs together is found among strangers, in its order (%i)', (seed) => {
    const { series, lag } = makeRelated(seed);
    const all = [...series, ...strangers];
    const relations = findRelations(moversOf(all)).map((one) => relationPattern(one, all));
    const pairs = relations.map((one) => [one?.metadata.leader, one?.metadata.follower].sort().join(' '));
    expect(pairs.sort()).toEqual(['inserts:t storage:t/files', 'memory query_latency:t']);
    const ofMemory = relations.find((one) => one?.resourceType === 'query_latency' || one?.resourceType === 'memory');
    expect(ofMemory?.metrics.lag_seconds).toBe(lag * 3_600);
    if (lag > 0) expect(ofMemory?.metadata).toMatchObject({ leader: 'memory', follower: 'query_latency:t' });
    for (const one of relations) expect(one?.confidence).toBeGreaterThan(0.7);
  });

  test('strangers stay strangers, though all of them follow the day', () => {
    const daily = families.filter(({ name }) => ['daily load', 'office hours', 'slow wander', 'walk'].includes(name));
    const all = daily.flatMap((family, of) =>
      [1, 2, 3, 4].map((at) => makeSeries(family, 80_001 + 13 * at + 1_000 * of)),
    );
    expect(findRelations(moversOf(all))).toEqual([]);
  });
});
