import { describe, expect, test } from 'vitest';
import { readConfig } from '../config/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { decideAdjustment } from './dynamic.ts';
import { forecastUse } from './forecast.ts';
import { anyPlace, judge } from './quota.ts';
import { createQuotaWatch } from './quota-jobs.ts';
import { draft, openTestQuotas } from './test-quotas.ts';
import { resetAt, slotAt } from './window.ts';

const at = (text: string): number => Date.parse(text);

test.each([
  ['second', '2026-03-04T10:20:30.400Z', '2026-03-04T10:20:30Z', '2026-03-04T10:20:31Z'],
  ['minute', '2026-03-04T10:20:30Z', '2026-03-04T10:20:00Z', '2026-03-04T10:21:00Z'],
  ['hour', '2026-03-04T10:20:30Z', '2026-03-04T10:00:00Z', '2026-03-04T11:00:00Z'],
  ['day', '2026-03-04T10:20:30Z', '2026-03-04T00:00:00Z', '2026-03-05T00:00:00Z'],
  ['week', '2026-03-04T10:20:30Z', '2026-03-02T00:00:00Z', '2026-03-09T00:00:00Z'],
  ['month', '2026-02-28T10:20:30Z', '2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z'],
] as const)('a calendar %s goes from full to full, in UTC', (period, now, from, until) => {
  const slot = slotAt({ period, window: 'calendar' }, at(now));
  expect([slot.slotMs, slot.fromMs, slot.untilMs]).toEqual([at(from), at(from), at(until)]);
  expect(slotAt({ period, window: 'calendar' }, slot.untilMs - 1).slotMs).toBe(at(from));
  expect(slotAt({ period, window: 'calendar' }, slot.untilMs).slotMs).toBe(at(until));
  expect(slotAt({ period, window: 'calendar' }, slot.beforeMs).untilMs).toBe(at(from));
});

test('each millisecond of a sliding second lies in the slot that it is counted in, and the slots leave nothing out', () => {
  const sliding = { period: 'second', window: 'sliding' } as const;
  const startMs = at('2026-03-04T10:20:30Z');
  const slots = Array.from({ length: 2_000 }, (_, ms) => ({ nowMs: startMs + ms, ...slotAt(sliding, startMs + ms) }));
  expect(slots.filter(({ nowMs, slotMs, untilMs }) => nowMs < slotMs || nowMs >= untilMs)).toEqual([]);
  expect(new Set(slots.map(({ slotMs }) => slotMs)).size).toBe(120);
  for (const { slotMs, untilMs, fromMs, beforeMs } of slots) {
    expect(slotAt(sliding, untilMs).slotMs).toBe(untilMs);
    expect([slotAt(sliding, beforeMs).untilMs, fromMs]).toEqual([slotMs, slotMs - 1_000]);
  }
});

test('forever has one window, which does not begin anew', () => {
  expect(slotAt({ period: 'forever', window: 'calendar' }, 1).slotMs).toBe(0);
  expect(resetAt({ period: 'forever', window: 'calendar' }, 1)).toBeNull();
});

test('a limit is judged by what stands with what is asked for', () => {
  expect(judge({ limit: 10, burstLimit: null }, 4, 6)).toEqual({ verdict: 'within', exceededBy: 0 });
  expect(judge({ limit: 10, burstLimit: 20 }, 10, 10)).toEqual({ verdict: 'warned', exceededBy: 10 });
  expect(judge({ limit: 10, burstLimit: null }, 10, 1)).toEqual({ verdict: 'over', exceededBy: 1 });
});

describe('a dynamic limit', () => {
  test.each([
    ['stays while too little is known', [90, 90, 90, 90], undefined],
    ['grows to 120 % of the mean when nearly all is used', [95, 96, 97, 98, 99], 116],
    ['stays when one of five was quiet', [95, 96, 97, 98, 10], undefined],
    ['is bounded', [990, 990, 990, 990, 990], 200],
  ])('%s', (_what, uses, limit) => {
    expect(decideAdjustment({ limit: 100, defined: 100, most: null }, uses)?.limit).toBe(limit);
  });
  test('goes back to what was defined when it is quiet', () => {
    expect(decideAdjustment({ limit: 116, defined: 100, most: null }, [1, 2, 3, 4, 5])?.limit).toBe(100);
  });

  test('is adjusted by the watch, and each change is an event', async () => {
    const found = await openTestQuotas([draft({ type: 'dynamic', limit: 10 })]);
    const { quotas, state, clock, events } = found;
    for (let minute = 0; minute < 6; minute += 1) {
      for (let use = 0; use < 10; use += 1) await quotas.spend(anyPlace, { requests: 1 }, () => true);
      await quotas.ledger.flush({ everything: true });
      await clock.advance(60_000);
    }
    await createQuotaWatch({ quotas, db: state.db, clock, log: silentLogger, intervalMs: 30_000 }).runOnce();
    expect(quotas.definitions.require('q').limit).toBe(12);
    const told = await events.list({ types: ['quota.adjusted'], limit: 5 });
    expect(told.map(({ data }) => data)).toMatchObject([{ quota_id: 'q', from: 10, to: 12, defined: 10 }]);
    await found.remove();
  });
});

test('the pace of a window tells when it will be used up, once enough of it has passed', () => {
  const quota = { period: 'hour', window: 'calendar', limit: 100 } as const;
  const start = at('2026-03-04T10:00:00Z');
  expect(forecastUse(quota, 50, start + 60_000)).toBeUndefined();
  expect(forecastUse(quota, 50, start + 900_000)).toEqual({ atEnd: 200, exhaustedAtMs: start + 1_800_000 });
  expect(forecastUse(quota, 10, start + 900_000)).toEqual({ atEnd: 40, exhaustedAtMs: null });
});

test('warn: what is beyond the limit is allowed, and told as a warning or a violation', async () => {
  const found = await openTestQuotas([
    draft({ id: 'plain', limit: 1, action: 'warn' }),
    draft({ id: 'room', type: 'soft', limit: 1, burstLimit: 5, action: 'warn' }),
  ]);
  const { quotas, events } = found;
  const check = () => quotas.bookings.check({ place: anyPlace, amounts: { requests: 1 }, spend: true });
  expect(await check()).toMatchObject({ allowed: true, results: [{ verdict: 'within' }, { verdict: 'within' }] });
  expect(await check()).toMatchObject({ allowed: true, results: [{ verdict: 'over' }, { verdict: 'warned' }] });
  await quotas.flush();
  const told = await events.list({ types: ['quota.exceeded', 'quota.warned'], limit: 5, order: 'oldest-first' });
  expect(told.map(({ type, data }) => [type, data?.quota_id, data?.action])).toEqual([
    ['quota.exceeded', 'plain', 'warn'],
    ['quota.warned', 'room', undefined],
  ]);
  expect(quotas.totals()).toMatchObject({ checks: 2, blocks: 0 });
  await found.remove();
});

test('quotas are looked after every thirty seconds: what is over is resolved without anybody asking', async () => {
  const found = await openTestQuotas([draft({ period: 'second', limit: 1 })]);
  const { quotas, state, clock } = found;
  const { config } = readConfig({ env: {}, cwd: '/' });
  expect(config?.quotas.checkIntervalMs).toBe(30_000);
  const watch = createQuotaWatch({ quotas, db: state.db, clock, log: silentLogger, intervalMs: 30_000 });
  await watch.start?.(new AbortController().signal);
  for (let use = 0; use < 2; use += 1) await quotas.spend(anyPlace, { requests: 1 }, () => true);
  await quotas.flush();
  await clock.advance(29_000);
  expect((await quotas.violations.countOf(['requests'])).open).toBe(1);
  await clock.advance(1_000);
  await expect.poll(async () => (await quotas.violations.countOf(['requests'])).open).toBe(0);
  await watch.stop?.();
  await found.remove();
});

test('escalate: refused, people are told, and told again when it is over', async () => {
  const told: string[] = [];
  const found = await openTestQuotas([draft({ limit: 1, action: 'escalate' })], {
    alarm: {
      raise: async (_tx, { violation }) => void told.push(`over by ${violation.exceededBy}`),
      resolve: async () => void told.push('room again'),
    },
  });
  const { quotas, state, clock } = found;
  const use = () => quotas.spend(anyPlace, { requests: 1 }, () => true);
  expect((await use()).granted).toBe(true);
  expect((await use()).granted).toBe(false);
  expect((await use()).granted).toBe(false);
  await quotas.flush();
  expect(told).toEqual(['over by 1']);
  await clock.advance(60_000);
  await createQuotaWatch({ quotas, db: state.db, clock, log: silentLogger, intervalMs: 30_000 }).runOnce();
  expect(told).toEqual(['over by 1', 'room again']);
  await found.remove();
});
