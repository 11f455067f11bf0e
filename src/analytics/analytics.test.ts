import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createEventLog } from '../events/index.ts';
import { openMetrics, type TestMetrics } from '../metrics/test-metrics.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { type Analytics, createAnalytics } from './analytics.ts';
import { boundedAnalytics } from './analytics-growth.ts';
import type { ResourceSeries } from './series.ts';
import { createRandom, seriesOf } from './test-labelled.ts';
import type { Fleet } from './write-down.ts';

const hourMs = 3_600_000;
const all = { ended: false, limit: 100, offset: 0 };
let clock: FakeClock;
let made: TestMetrics;
let state: TestState;
/** What a look sees beside the store, which is empty here. */
let seen: ResourceSeries[];
let looks: number;
/** Runs once before the next unit of work, when what it rests on may have been read. */
let before: (() => Promise<unknown>) | undefined;
let told: Map<string, number>;
let speaker: string;
let isAway: boolean;

beforeEach(async () => {
  clock = createFakeClock();
  made = await openMetrics({ clock });
  state = await openTestState();
  isAway = false;
  [seen, looks, before, told, speaker] = [[grows('disk')], 0, undefined, new Map(), 'i1'];
});
afterEach(async () => {
  await made.remove();
  await state.remove();
});

/** It fills within a week. */
const grows = (key: string, more: Partial<ResourceSeries> = {}): ResourceSeries => {
  const random = createRandom(key.length);
  const values = Array.from({ length: 400 }, (_, at) => 50 + 0.1 * at + random.normal());
  return seriesOf(values, { key, resourceType: key, kind: 'stock', unit: 'percent', capacity: 100, ...more });
};
const shared = (): ResourceSeries => grows('quota:team', { resourceType: 'tokens', isShared: true });

function open(instance = 'i1', fleet?: Fleet): Analytics {
  const { db } = state;
  return createAnalytics({
    history: made.metrics.history,
    ports: {
      ...{ definitions: () => [], leaks: () => [], machine: () => undefined },
      async quotas(_, most) {
        looks += 1;
        if (isAway) throw new Error('the state is away');
        const nowMs = clock.now();
        // They end now, whenever that is.
        const series = seen.map((one) => ({
          ...one,
          times: one.times.map((_, at) => nowMs - (400 - at) * one.stepMs),
        }));
        return { series: series.slice(0, most), forecasts: [], leftOut: Math.max(0, series.length - most) };
      },
    },
    settings: () => ({ windowMs: 168 * hourMs, intervalMs: 900_000, maxSeries: 100 }),
    ...{ instance, fleet, clock, log: silentLogger },
    events: createEventLog({ db, clock, instance }),
    db: {
      ...db,
      reader: () => db.reader(),
      async unit(work) {
        const first = before;
        before = undefined;
        await first?.();
        return db.unit(work);
      },
    },
  });
}
const fleetOf = (instance: string): Fleet => ({
  instances: async () => told,
  speaks: async () => instance === speaker,
  spoke: async () => instance === speaker,
});
const recommendationsOf = async (analytics: Analytics, more: object = {}) =>
  (await analytics.recommendations({ limit: 100, offset: 0, ...more })).items;

describe('a dismissal', () => {
  test('that comes while a look is under way is not lost', async () => {
    const analytics = open();
    const [found] = await recommendationsOf(analytics);
    before = () => analytics.dismiss(found!.id, 'a larger one is on its way', 'ann');
    await analytics.job.runOnce();
    expect(await recommendationsOf(analytics)).toMatchObject([{ state: 'dismissed', dismissal: { by: 'ann' } }]);
  });

  test('of what a look has just found to be gone is refused, and brings nothing back', async () => {
    const analytics = open();
    const [found] = await recommendationsOf(analytics);
    seen = [];
    await clock.advance(8 * 24 * hourMs);
    before = () => analytics.job.runOnce();
    await expect(analytics.dismiss(found!.id, 'late', 'ann')).rejects.toMatchObject({ code: 'conflict/state' });
    expect(await recommendationsOf(analytics)).toMatchObject([{ state: 'resolved' }]);
  });

  test('outlives the cause, whose return it still counts for: of what is over it goes last', async () => {
    const analytics = open();
    seen = [grows('disk'), grows('memory')];
    // The one that would go first by its id.
    const { id, key } = [...(await recommendationsOf(analytics))].sort((a, b) => (a.id < b.id ? -1 : 1))[0]!;
    await analytics.dismiss(id, 'known', 'ann');
    seen = [];
    await clock.advance(8 * 24 * hourMs);
    await analytics.job.runOnce();
    // Two patterns and two recommendations are over, the dismissed one not the youngest.
    expect(await boundedAnalytics(state.db).trim(1, 100)).toBe(3);
    seen = [grows(key)];
    await analytics.job.runOnce();
    expect(await recommendationsOf(analytics)).toMatchObject([
      { id, state: 'dismissed', dismissal: { reason: 'known' } },
    ]);
  });
});

describe('who asks again and again', () => {
  test('is answered from the last look until its interval has passed', async () => {
    const analytics = open();
    const first = await analytics.look();
    for (let minute = 0; minute < 14; minute += 2) {
      await clock.advance(120_000);
      await analytics.patterns(all);
      await recommendationsOf(analytics);
      expect(await analytics.look()).toEqual(first);
    }
    expect(looks).toBe(1);
    await clock.advance(60_000);
    expect((await analytics.look()).atMs).toBe(clock.now());
    expect(looks).toBe(2);
  });

  test('has a bound for windows of their own, and is told when to come again', async () => {
    const analytics = open();
    for (let hours = 1; hours <= 12; hours += 1) await analytics.look(hours * hourMs);
    await analytics.look(12 * hourMs);
    await clock.advance(60_000);
    await expect(analytics.look(13 * hourMs)).rejects.toMatchObject({
      ...{ code: 'analytics/too-many-looks', retryAfterSeconds: 840 },
    });
    expect(looks).toBe(12);
    // The window of the settings is looked at all the same.
    await analytics.look();
    expect(looks).toBe(13);
    await clock.advance(840_000);
    await analytics.look(13 * hourMs);
  });

  test('is not refused for looks that failed: the window of the settings never, others not for longer than a minute', async () => {
    const analytics = open();
    isAway = true;
    for (let time = 0; time < 13; time += 1) await expect(analytics.look()).rejects.toThrow('away');
    for (let hours = 1; hours <= 12; hours += 1) await expect(analytics.look(hours * hourMs)).rejects.toThrow('away');
    await expect(analytics.look(13 * hourMs)).rejects.toMatchObject({
      ...{ code: 'analytics/too-many-looks', retryAfterSeconds: 60 },
    });
    isAway = false;
    await analytics.look();
    await clock.advance(60_000);
    await analytics.look(13 * hourMs);
  });

  test('does not begin a look that failed a moment ago', async () => {
    const analytics = open();
    before = async () => {
      throw new Error('the state is away');
    };
    for (let time = 0; time < 5; time += 1) await analytics.patterns(all);
    expect(looks).toBe(1);
    await clock.advance(60_000);
    await analytics.patterns(all);
    expect(looks).toBe(2);
  });
});

test('what is open is counted as it is, before a look too and after a dismissal', async () => {
  const [found] = await recommendationsOf(open());
  const analytics = open();
  expect((await analytics.counts()).open).toEqual([{ priority: 2, count: 1 }]);
  await analytics.dismiss(found!.id, 'known', 'ann');
  expect((await analytics.counts()).open).toEqual([]);
});

test('no more is analysed than may be, quotas included', async () => {
  seen = Array.from({ length: 130 }, (_, at) => grows(`quota:${at}`, { isShared: true }));
  const { analysis } = await open().look();
  expect([analysis.profiles.length, analysis.leftOut]).toEqual([100, 30]);
});

describe('instances that share a state', () => {
  let one: Analytics;
  let two: Analytics;
  const keys = (items: readonly { instance: string | null; key: string }[]) =>
    items.map(({ instance, key }) => `${key} of ${instance ?? 'all'}`).sort();
  beforeEach(async () => {
    for (const instance of ['i1', 'i2']) told.set(instance, clock.now());
    [one, two] = [open('i1', fleetOf('i1')), open('i2', fleetOf('i2'))];
    seen = [grows('disk'), shared()];
    await one.job.runOnce();
    await two.job.runOnce();
  });

  test('have one row for what is one thing, and each its own for its own', async () => {
    const { items } = await two.patterns(all);
    expect(keys(items)).toEqual(['disk of i1', 'disk of i2', 'quota:team of all']);
    expect(keys(await recommendationsOf(one))).toEqual(['disk of i1', 'disk of i2', 'quota:team of all']);
    const ofTwo = await one.patterns({ ...all, instance: 'i2' });
    expect(keys(ofTwo.items)).toEqual(['disk of i2', 'quota:team of all']);
    expect(ofTwo.total).toBe(2);
  });

  test('each counts what it answers for, so that the sum over them counts each thing once', async () => {
    const total = async (of: Analytics) => (await of.counts()).open.reduce((sum, { count }) => sum + count, 0);
    expect([await total(one), await total(two), one.lastLook()?.patterns, two.lastLook()?.patterns]).toEqual([
      2, 1, 2, 1,
    ]);
  });

  test('the one that speaks for all counts what is of all after a restart too, before it looks', async () => {
    const before = (await one.counts()).open;
    expect((await open('i1', fleetOf('i1')).counts()).open).toEqual(before);
    expect((await open('i2', fleetOf('i2')).counts()).open).toEqual((await two.counts()).open);
  });

  test('what an instance found that is there and looks no more ends after a week', async () => {
    const ofTwo = async (more: object) => keys(await recommendationsOf(one, more)).filter((key) => key.endsWith('i2'));
    const aliveDays = async (days: number): Promise<void> => {
      await clock.advance(days * 24 * hourMs);
      for (const instance of ['i1', 'i2']) told.set(instance, clock.now());
      await one.job.runOnce();
    };
    await aliveDays(6);
    expect(await ofTwo({ state: 'open' })).toEqual(['disk of i2']);
    await aliveDays(1);
    expect(await ofTwo({ state: 'resolved' })).toEqual(['disk of i2']);
    expect(keys((await one.patterns(all)).items)).not.toContain('disk of i2');
  });

  test('when the one that speaks for all is gone another goes on with the same rows, and what was its alone ends', async () => {
    const shared = (await two.patterns(all)).items.find(({ instance }) => instance === null)!;
    speaker = 'i2';
    for (let quarter = 0; quarter < 3; quarter += 1) {
      await clock.advance(900_000);
      told.set('i2', clock.now());
      await two.job.runOnce();
    }
    // A restart is no end.
    expect(keys((await two.patterns(all)).items)).toContain('disk of i1');
    await clock.advance(900_000);
    told.set('i2', clock.now());
    await two.job.runOnce();
    const { items } = await two.patterns(all);
    expect(keys(items)).toEqual(['disk of i2', 'quota:team of all']);
    expect(items.find(({ instance }) => instance === null)).toMatchObject({
      ...{ id: shared.id, firstSeenMs: shared.firstSeenMs, lastSeenMs: clock.now() },
    });
    expect(keys(await recommendationsOf(two, { state: 'resolved' }))).toEqual(['disk of i1']);
  });
});
