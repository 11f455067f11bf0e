import { describe, expect, test } from 'vitest';
import { type Assessment, assessGrowth, type Floor, floorHours } from './growth.ts';
import type { MeasureKind } from './stories.ts';

/** Noise that is the same each time. */
function createNoise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
}

/** Floors of `hours` of one service; its runs begin at the given hours. */
function floorsOf(
  hours: number,
  level: (hour: number, hourOfRun: number) => number,
  { noise = 0.01, restarts = [] as readonly number[], seed = 7 } = {},
): Floor[] {
  const random = createNoise(seed);
  return Array.from({ length: Math.round(hours / floorHours) }, (_, at) => {
    const hour = (at + 1) * floorHours;
    const began = restarts.filter((one) => one < hour).at(-1) ?? 0;
    const value = level(hour, hour - began) * (1 + noise * random());
    return { atMs: hour * 3_600_000, upSeconds: (hour - began) * 3_600, value };
  });
}
/** The first level that is no `none`, and whether it was ever confirmed: as a service would be told of it. */
function follow(floors: readonly Floor[], kind: MeasureKind) {
  let confirmed: { hours: number; found: Assessment } | undefined;
  let suspectedHours: number | undefined;
  for (let count = 4; count <= floors.length && !confirmed; count += 2) {
    const found = assessGrowth(floors.slice(0, count), kind);
    if (found.level !== 'none') suspectedHours ??= count * floorHours;
    if (found.level === 'confirmed') confirmed = { hours: count * floorHours, found };
  }
  return { confirmed, suspectedHours };
}

const MiB = 1_048_576;
const base = 400 * MiB;
const day = (hour: number): number => Math.sin((2 * Math.PI * hour) / 24);

/** Of programs that ran: a cache of 60,000 entries (MiB), and descriptors that are opened and closed at random. */
const cacheFloors = [58, 74, 95, 102, 126, 133, 149, 157, 180, 182, 218, 218, 218, 222, 226, 226, 226, 232, 240, 240];
const churnFloors = [5, 9, 9, 13, 13, 16, 21, 25, 19, 18, 21, 23, 26, 23, 22, 28, 30, 27, 26, 31, 26, 32, 31, 31, 33];
const recorded = (values: readonly number[]): Floor[] =>
  values.map((value, at) => {
    const hours = (at + 1) * floorHours;
    return { atMs: hours * 3_600_000, upSeconds: hours * 3_600, value };
  });

describe('harmless stories are never confirmed', () => {
  const stories: readonly [string, MeasureKind, Floor[]][] = [
    ['a steady process', 'bytes', floorsOf(48, () => base)],
    ['a warm-up of hours', 'bytes', floorsOf(48, (h) => base * (1 - 0.6 * Math.exp(-h / 2)))],
    ['a day that comes and goes', 'bytes', floorsOf(48, (h) => base * (1 + 0.3 * day(h)))],
    ['a cache that fills to its cap', 'bytes', floorsOf(48, (h) => base + 0.7 * base * Math.min(1, h / 7))],
    ['a cache that triples a process within hours', 'bytes', recorded(cacheFloors)],
    ['descriptors that come and go around a level', 'handles', recorded(churnFloors)],
    ['a slow collection', 'bytes', floorsOf(48, (h) => base * (1 + (0.3 * (h % 5)) / 5))],
    ['fragmentation', 'bytes', floorsOf(48, (h) => base * (1 + 0.05 * Math.log1p(6 * h)))],
    ['a load that is switched on', 'bytes', floorsOf(48, (h) => base * (1 + 0.4 * Math.min(1, Math.max(0, h - 20))))],
    [
      'high water in three steps',
      'bytes',
      floorsOf(48, (h) => base * (1 + (h > 5 ? 0.1 : 0) + (h > 12 ? 0.1 : 0) + (h > 31 ? 0.1 : 0))),
    ],
    [
      'deploys',
      'bytes',
      floorsOf(48, (_, h) => base * (1 - 0.4 * Math.exp(-h / 0.6)), { restarts: [5, 11, 17, 24, 31, 39] }),
    ],
    ['descriptors that follow the load', 'handles', floorsOf(48, (h) => 100 * (1 + 0.2 * day(h)), { noise: 0.05 })],
    ['a pool that fills', 'sessions', floorsOf(48, (h) => Math.round(40 * (1 - Math.exp(-h / 3))), { noise: 0 })],
  ];
  test.each(stories)('%s', (_name, kind, floors) => {
    expect(follow(floors, kind).confirmed).toBeUndefined();
  });
});

describe('leaks are confirmed', () => {
  const leaks: readonly [string, MeasureKind, Floor[], number][] = [
    ['of one percent an hour', 'bytes', floorsOf(48, (h) => base * (1 + 0.01 * h)), 26],
    ['of a third an hour, within hours', 'bytes', floorsOf(48, (h) => base * (1 + 0.33 * h)), 5],
    ['under a day that comes and goes', 'bytes', floorsOf(48, (h) => base * (1 + 0.15 * day(h) + 0.03 * h)), 26],
    ['that begin late', 'bytes', floorsOf(48, (h) => base * (1 + 0.04 * Math.max(0, h - 18))), 34],
    ['in stairs', 'bytes', floorsOf(48, (h) => base * (1 + 0.03 * Math.floor(h))), 26],
    [
      'over restarts that come too soon for one run to show it',
      'bytes',
      floorsOf(30, (_, h) => base * (1 - 0.4 * Math.exp(-h / 0.25) + 0.06 * h), { restarts: [6, 12, 18, 24] }),
      16,
    ],
    ['of descriptors', 'handles', floorsOf(48, (h) => 60 + 20 * h, { noise: 0.05 }), 3],
    ['of descriptors, slowly', 'handles', floorsOf(48, (h) => 100 + 3 * h, { noise: 0.02 }), 20],
    ['of sessions', 'sessions', floorsOf(48, (h) => Math.round(5 + 1.5 * h), { noise: 0 }), 16],
  ];
  test.each(leaks)('%s', (_name, kind, floors, withinHours) => {
    const { confirmed, suspectedHours } = follow(floors, kind);
    expect(confirmed?.hours ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(withinHours);
    expect(suspectedHours).toBeLessThanOrEqual(confirmed?.hours ?? 0);
  });

  test('with the rate at which they grow, and the stories that were weighed', () => {
    const { confirmed } = follow(
      floorsOf(48, (h) => base + 10 * MiB * h),
      'bytes',
    );
    expect(confirmed?.found.perHour).toBeGreaterThan(9 * MiB);
    expect(confirmed?.found.perHour).toBeLessThan(11 * MiB);
    expect(confirmed?.found).toMatchObject({ by: 'stories', story: 'growth', runs: 1 });
    expect(confirmed?.found.closest).not.toBeNull();
    expect(confirmed?.found.confidence).toBeGreaterThan(0.9);
  });

  test('and suspected long before: much growth within hours is worth a look', () => {
    const { confirmed, suspectedHours } = follow(
      floorsOf(48, (h) => base * (1 + 0.05 * h)),
      'bytes',
    );
    expect(suspectedHours).toBeLessThanOrEqual(6);
    expect(confirmed?.hours).toBeGreaterThan(6);
  });
});

test('a hole in what was seen is no step: the age of the process goes on', () => {
  const all = floorsOf(40, (h) => base * (1 + 0.02 * h));
  const withHole = all.filter((_, at) => at < 20 || at > 60);
  const { confirmed } = follow(withHole, 'bytes');
  expect(confirmed?.found.perHour).toBeGreaterThan(0.018 * base);
  expect(confirmed?.found.perHour).toBeLessThan(0.022 * base);
});

test('nothing is said of too little', () => {
  expect(assessGrowth([], 'bytes').level).toBe('none');
  expect(
    assessGrowth(
      floorsOf(0.75, (h) => base * (1 + h)),
      'bytes',
    ).level,
  ).toBe('none');
});
