import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Outcome } from '../gateway/index.ts';
import { heldClock, openMetrics, type TestMetrics } from '../metrics/test-metrics.ts';
import { silentLogger } from '../platform/logging.ts';
import { describeValues } from './distribution.ts';
import { createExchangeLog } from './exchange-log.ts';
import { costOf, createPriceTable } from './prices.ts';
import { called, seen } from './test-exchanges.ts';
import { createTraffic, type Traffic } from './traffic.ts';
import { summaryBody } from './traffic-bodies.ts';
import { trafficDefinitions } from './traffic-metrics.ts';

const start = Date.UTC(2026, 0, 5, 12);

describe('a percentile', () => {
  test.each([
    ['ten values', 10, { p50: 5, p95: 10, p99: 10 }],
    ['a hundred values', 100, { p50: 50, p95: 95, p99: 99 }],
    ['one value', 1, { p50: 1, p95: 1, p99: 1 }],
    ['a thousand values', 1_000, { p50: 500, p95: 950, p99: 990 }],
  ])('of %s is the one of its rank, never one below', (_, n, expected) => {
    const values = Array.from({ length: n }, (_unused, i) => n - i);
    expect(describeValues(values)).toMatchObject({ count: n, min: 1, max: n, ...expected });
  });

  test('is a value that was seen, with at least that share at or below it', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1 }), (values) => {
        const { p95, p50, avg, min, max } = describeValues([...values]);
        for (const [q, found] of [
          [0.5, p50],
          [0.95, p95],
        ] as const) {
          expect(values).toContain(found);
          expect(values.filter((one) => one <= found!).length).toBeGreaterThanOrEqual(q * values.length);
        }
        expect(avg!).toBeGreaterThanOrEqual(min!);
        expect(avg! - max!).toBeLessThanOrEqual(1e-9);
      }),
    );
  });

  test('of nothing is unknown', () => {
    expect(describeValues([])).toMatchObject({ count: 0, p50: null, avg: null });
  });
});

describe('the price of a call', () => {
  const table = createPriceTable([
    { model: '*', inputUsd: 100, outputUsd: 100, provider: 'costly' },
    { model: 'gpt-4o*', inputUsd: 2.5, outputUsd: 10, cachedInputUsd: 1.25 },
    { model: 'gpt-4o-mini', inputUsd: 0.15, outputUsd: 0.6 },
    { model: 'gpt-4o-mini', provider: 'azure', inputUsd: 0.3, outputUsd: 0.6 },
  ]);

  test.each([
    ['openai', 'gpt-4o-mini', 0.15],
    ['azure', 'GPT-4o-mini', 0.3],
    ['openai', 'gpt-4o-2024-08-06', 2.5],
    ['router', 'openai/gpt-4o-mini', 0.15],
    ['costly', 'anything', 100],
    ['openai', 'anything', undefined],
  ])('of %s for %s is that of the most particular name', (provider, model, inputUsd) => {
    expect(table.find(provider, model)?.inputUsd).toBe(inputUsd);
  });

  test('counts cached input at its own price, and tells nothing without tokens', () => {
    const price = { model: 'm', inputUsd: 2, outputUsd: 10, cachedInputUsd: 1 };
    expect(costOf(price, { promptTokens: 1_000_000, completionTokens: 100_000, cachedTokens: 400_000 })).toBeCloseTo(
      0.6 * 2 + 0.4 * 1 + 0.1 * 10,
    );
    expect(costOf(price, { promptTokens: 10, completionTokens: null, cachedTokens: 50 })).toBeCloseTo(10 / 1e6);
    expect(costOf(price, { promptTokens: null, completionTokens: null, cachedTokens: null })).toBeNull();
  });
});

test('of the latest exchanges exactly so many are kept, and it is told from when on none is missing', () => {
  fc.assert(
    fc.property(fc.nat(40), fc.integer({ min: 1, max: 10 }), (count, most) => {
      const log = createExchangeLog({ most, nowMs: -1 });
      for (let i = 0; i < count; i += 1)
        log.add({ ...seen({ atMs: i, totalMs: 0 }), source: 'gateway', costUsd: null, retry: false });
      expect([...log.since(0)].map(({ atMs }) => atMs)).toEqual(
        Array.from({ length: Math.min(count, most) }, (_, i) => Math.max(0, count - most) + i),
      );
      expect([...log.newest()].map(({ atMs }) => atMs)).toEqual([...log.since(0)].map(({ atMs }) => atMs).reverse());
      expect(log.keptFromMs()).toBe(count > most ? count - most : -1);
    }),
  );
});

test('what was told of before anything is kept counts, and the rate is not over the kept part alone', async () => {
  const clock = heldClock(start);
  const made = await openMetrics({ clock, own: trafficDefinitions });
  const traffic = createTraffic({ recorder: made.metrics.recorder, clock, log: silentLogger, prices: [] });
  clock.at += 1_000;
  for (const secondsBefore of [100, 60, 1])
    traffic.record(seen({ atMs: clock.now() - secondsBefore * 1_000 - 50, totalMs: 50 }));
  const summary = traffic.summary({ windowMs: 3_600_000 });
  expect(summary).toMatchObject({
    keptFromMs: start,
    countedFromMs: clock.now() - 100_000,
    total: { requests: 3, done: 3 },
  });
  const told = { by: undefined, limit: 10, backend: null, unpricedModels: [] };
  expect(summaryBody(summary, told).total.throughput_per_second).toBeCloseTo(3 / 100);
  await made.remove();
});

describe('what passed', () => {
  const clock = heldClock(start);
  let made: TestMetrics;
  let traffic: Traffic;
  const warned: unknown[] = [];
  const log = { ...silentLogger, warn: (fields: unknown) => warned.push(fields) } as unknown as typeof silentLogger; // only `warn` is looked at

  beforeAll(async () => {
    made = await openMetrics({ clock, own: trafficDefinitions });
  });
  afterAll(() => made.remove());
  beforeEach(() => {
    clock.at = start;
    warned.length = 0;
    made.metrics.recorder.reset();
    traffic = createTraffic({
      recorder: made.metrics.recorder,
      clock,
      log,
      prices: [{ model: 'gpt-4o-mini', inputUsd: 1, outputUsd: 2 }],
    });
  });

  test('is counted once each, by what became of it and not by its status', () => {
    const outcomes: Outcome[] = [
      ...(['ok', 'ok', 'empty', 'busy', 'hidden_error', 'client_error', 'rate_limited', 'upstream_error'] as const),
      ...(['upstream_unreachable', 'upstream_broken', 'client_gone', 'refused_route', 'refused_key'] as const),
      ...(['refused_quota', 'refused_barrier'] as const),
    ];
    traffic.observe(outcomes.map((outcome) => seen({ outcome, atMs: start })));
    clock.at = start + 10_000;
    const { total } = traffic.summary({ windowMs: 60_000 });
    expect(total).toMatchObject({
      requests: 15,
      done: 4,
      errors: 5,
      clientErrors: 1,
      cancelled: 1,
      refused: 4,
      empty: 1,
    });
    expect(total.done + total.errors + total.clientErrors + total.cancelled + total.refused).toBe(total.requests);
    expect(total.errorRate).toBeCloseTo(5 / 9);
    expect(total.durationMs.count).toBe(9);
    expect(traffic.totals.of('query')).toMatchObject({ count: 4, errors: 5, empty: 1 });
    expect(traffic.totals.errors()).toBe(5);
  });

  test('is told by operation, workspace, user, model and provider, each with its own percentiles', () => {
    traffic.observe([
      ...[10, 20, 30].map((totalMs) => seen({ atMs: start, totalMs, subject: 'alice' })),
      seen({ atMs: start, totalMs: 500, operation: 'insert', workspace: 'archive', mode: null, trackId: 't' }),
      called({}, { atMs: start, totalMs: 80 }),
      called({ call: 'other', model: null }, { atMs: start, operation: 'read', route: 'other' }),
      called({ model: 'other-model', provider: 'ollama' }, { atMs: start, totalMs: 90, workspace: 'archive' }),
    ]);
    clock.at = start + 5_000;
    const keysOf = (by: Parameters<Traffic['summary']>[0]['by']) =>
      traffic.summary({ windowMs: 60_000, by }).groups.map(({ key, row }) => [key, row.requests, row.llm.calls]);
    expect(keysOf('operation')).toEqual([
      ['query', 3, 0],
      ['llm', 0, 2],
      ['insert', 1, 0],
    ]);
    expect(keysOf('workspace')).toEqual([
      ['library', 3, 1],
      ['archive', 1, 1],
    ]);
    expect(keysOf('user')).toEqual([['alice', 3, 0]]);
    expect(keysOf('model')).toEqual([
      ['gpt-4o-mini', 0, 1],
      ['other-model', 0, 1],
    ]);
    expect(keysOf('provider')).toEqual([
      ['ollama', 0, 1],
      ['openai', 0, 1],
    ]);
    const [query] = traffic.summary({ windowMs: 60_000, by: 'operation' }).groups;
    expect(query?.row.durationMs).toMatchObject({ min: 10, p50: 20, p99: 30, max: 30 });
    expect(traffic.summary({ windowMs: 60_000, workspace: 'archive' }).total).toMatchObject({ requests: 1 });
    // Only what ended in the window counts.
    clock.at = start + 3_600_000;
    traffic.observe([seen({ atMs: clock.at - 1_000 })]);
    expect(traffic.summary({ windowMs: 60_000 }).total.requests).toBe(1);
  });

  test('costs what its tokens cost; of a model without a price they are counted, the cost is unknown and that is said once', () => {
    traffic.observe([
      called({ promptTokens: 1_000_000, completionTokens: 500_000 }, { atMs: start, subject: 'alice' }),
      called({ model: 'nameless' }, { atMs: start }),
      called({ model: 'nameless' }, { atMs: start }),
      called({ promptTokens: null, completionTokens: null }, { atMs: start }),
    ]);
    const { llm } = traffic.summary({ windowMs: 1 }).total;
    expect(llm).toMatchObject({
      ...{ calls: 4, promptTokens: 1_002_000, completionTokens: 500_400 },
      ...{ costUsd: 2, callsWithoutPrice: 2, callsWithoutTokens: 1 },
    });
    expect(warned).toHaveLength(1);
    expect(traffic.unpricedModels()).toEqual(['nameless']);
    expect(traffic.recent({ limit: 9 }).map(({ costUsd }) => costUsd)).toEqual([null, null, null, 2]);
    expect(traffic.user('alice')).toMatchObject({ llmCalls: 1, promptTokens: 1_000_000, costUsd: 2 });
  });

  test('repeats a failed call only when it is the same one, soon after', () => {
    const call = (digest: string, outcome: Outcome, secondsLater: number) =>
      called({ digest }, { outcome, atMs: start + secondsLater * 1_000, totalMs: 100 });
    traffic.observe([
      call('a', 'rate_limited', 0),
      call('b', 'ok', 1),
      call('a', 'upstream_error', 5),
      call('a', 'ok', 10),
      call('a', 'ok', 11),
      call('c', 'upstream_error', 12),
      call('c', 'ok', 12 + 200),
    ]);
    const told = traffic
      .recent({ limit: 9 })
      .map(({ retry, atMs }) => `${(atMs - start) / 1_000}${retry ? ' again' : ''}`);
    expect(told).toEqual(['212', '12', '11', '10 again', '5 again', '1', '0']);
    // Of the digest nothing is kept.
    expect(JSON.stringify(traffic.recent({ limit: 9 }))).not.toMatch(/"digest":"/);
  });

  test('stands on /metrics under names of its own and in the history under plain ones', async () => {
    traffic.observe([
      seen({ atMs: start, totalMs: 250, firstContentMs: 90, stream: true }),
      seen({ atMs: start, outcome: 'hidden_error', totalMs: 750 }),
      seen({ atMs: start, outcome: 'refused_quota', status: 429, totalMs: 1 }),
      called({ cachedTokens: 10, firstTokenMs: 30 }, { atMs: start }),
    ]);
    const names = made.registry.families().map(({ definition }) => definition.name);
    for (const { exposedAs } of trafficDefinitions) expect(names).toContain(exposedAs);
    expect(names.filter((name) => name.startsWith('ragwarden_app_traffic'))).toEqual([]);
    clock.at = start + 5_000;
    await made.metrics.history.sampleOnce();
    clock.at += 1_000;
    const ask = async (name: string, aggregation: 'sum' | 'max' | 'count' | 'p50', match = {}) =>
      (await made.metrics.history.query({ name, aggregation, match, fromMs: start - 1, toMs: clock.at, groupBy: [] }))
        .series[0]?.values[0];
    expect(await ask('traffic_exchanges', 'sum')).toBe(3);
    expect(await ask('traffic_exchanges', 'sum', { outcome: 'hidden_error', status: '2xx' })).toBe(1);
    expect(await ask('traffic_duration_ms', 'count')).toBe(2);
    expect(await ask('traffic_duration_ms', 'max')).toBe(750);
    expect(await ask('traffic_first_content_ms', 'max', { stream: 'true', operation: 'query', mode: 'mix' })).toBe(90);
    expect(await ask('llm_tokens', 'sum', { kind: 'prompt', model: 'gpt-4o-mini' })).toBe(1_000);
    expect(await ask('llm_tokens', 'sum', { kind: 'cached' })).toBe(10);
    expect(await ask('llm_cost_usd', 'sum')).toBeCloseTo((1_000 + 400) / 1e6);
    expect(await ask('llm_first_token_ms', 'max')).toBe(30);
  });
});
