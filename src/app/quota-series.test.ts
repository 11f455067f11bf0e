import { expect, onTestFinished, test } from 'vitest';
import type { WindowOfSeries } from '../analytics/index.ts';
import { draft, openTestQuotas } from '../quotas/test-quotas.ts';
import { quotaSeries, readQuotaFacts } from './quota-series.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const beginMs = Date.UTC(2026, 5, 1);
/** A week, in hours. */
const week: WindowOfSeries = { fromMs: beginMs, toMs: beginMs + 168 * hourMs - 1, stepMs: hourMs };
const nowMs = beginMs + 168 * hourMs + 10 * minuteMs;
const quota: Parameters<typeof quotaSeries>[0] = {
  ...{ id: 'team', counts: 'tokens', period: 'hour', limit: 100, shadow: false, action: 'block', enabled: true },
  origin: 'api',
};

test('a quota stands at the hours of everything else: nothing is known before its first window, and one that nobody used is 0', () => {
  const past = [7, 9, 30].map((hour) => ({ startMs: beginMs + hour * hourMs, greatest: hour }));
  const series = quotaSeries(quota, past.toReversed(), week, nowMs)!;
  expect([series.times[0], series.times.length]).toEqual([week.fromMs, 168]);
  expect(series.values.slice(0, 12)).toEqual([...Array(7).fill(null), 7, 0, 9, 0, 0]);
  expect([series.values[30], series.values[167]]).toEqual([30, 0]);
});

test('of short windows the newest are there like the oldest, each step with the most of any', () => {
  const past = Array.from({ length: 168 * 60 }, (_, minute) => ({
    startMs: beginMs + minute * minuteMs,
    greatest: minute % 60 === 59 ? Math.floor(minute / 60) : 1,
  }));
  const { values, stepMs } = quotaSeries({ ...quota, period: 'minute' }, past, week, nowMs)!;
  expect(stepMs).toBe(hourMs);
  expect(values).toEqual([1, ...Array.from({ length: 167 }, (_, hour) => hour + 1)]);
});

test('of windows that are longer than the steps the present one is not told, since it is not over', () => {
  const fine: WindowOfSeries = {
    fromMs: beginMs + 37 * minuteMs,
    toMs: beginMs + 217 * minuteMs - 1,
    stepMs: minuteMs,
  };
  const past = [{ startMs: beginMs, greatest: 5 }];
  const series = quotaSeries(quota, past, fine, beginMs + 217 * minuteMs)!;
  // From the hour in which the window begins.
  expect(series.times).toEqual([0, 1, 2, 3].map((hour) => beginMs + hour * hourMs));
  expect(series.values).toEqual([5, 0, 0, null]);
});

test.each([
  [{}, true],
  [{ shadow: true }, false],
  [{ action: 'warn' }, false],
  [{ origin: 'default' }, false],
] as const)('a quota with %o that is hardly used may be told to be spare: %s', (more, mayBeSpare) => {
  const past = [{ startMs: beginMs, greatest: 1 }];
  expect(quotaSeries({ ...quota, ...more }, past, week, nowMs)).toMatchObject({ mayBeSpare, isShared: true });
  expect(quotaSeries({ ...quota, ...more }, [], week, nowMs)).toBeUndefined();
});

test('others have their turn between two quotas, and no more are read than series may be', async () => {
  const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
  const { quotas, state, clock, remove } = await openTestQuotas(ids.map((id) => draft({ id, period: 'hour' })));
  onTestFinished(remove);
  await quotas.spend(draft().of, { requests: 1 }, () => true);
  await quotas.ledger.flush({ everything: true });
  await clock.advance(hourMs);
  const now = clock.now();
  const window: WindowOfSeries = { fromMs: now - 4 * hourMs, toMs: now - 1, stepMs: hourMs };
  let turns = 0;
  let read = true;
  const others = (): void => {
    turns += 1;
    if (read) setImmediate(others);
  };
  setImmediate(others);
  const ours = ids.map((id) => quotas.definitions.require(id));
  const facts = await readQuotaFacts(state.db, ours, window, { nowMs: now, most: 4 });
  read = false;
  expect(turns).toBeGreaterThanOrEqual(4);
  expect([facts.series.length, facts.leftOut]).toEqual([4, 2]);
});
