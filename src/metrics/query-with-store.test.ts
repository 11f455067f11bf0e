import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { AppError } from '../platform/errors.ts';
import type { HttpRequester, OutgoingRequest } from '../platform/http-client.ts';
import { queryWithStore } from './query-with-store.ts';
import { createReadBack } from './read-back/read-back.ts';
import { heldClock, openMetrics, type TestMetrics } from './test-metrics.ts';

const start = Date.UTC(2026, 0, 5, 12);
const minute = 60_000;
const clock = heldClock(start);
let made: TestMetrics;
let asked: OutgoingRequest[];
let answer: { status: number; body: string } | Error;
const http: HttpRequester = {
  async request(request) {
    asked.push(request);
    if (answer instanceof Error) throw answer;
    const { status, body } = answer;
    const text = () => body;
    return { status, headers: {}, bytes: Buffer.from(body), text, json: (): unknown => JSON.parse(body) };
  },
};
const store = {
  endpoint: { url: 'http://store.test/prometheus/', headers: {}, auth: { kind: 'none' }, timeoutMs: 30_000 },
  match: { job: 'ragwarden' },
  resolutionMs: 15_000,
} as const;

beforeEach(() => {
  asked = [];
  answer = { status: 200, body: matrix([]) };
});
beforeAll(async () => {
  made = await openMetrics({ clock });
  const level = made.metrics.recorder.gauge({ name: 'level_ms', unit: 'ms' }).labels({ part: 'a' });
  for (let i = 0; i < 6; i += 1) {
    clock.at = start + i * minute;
    level.set(100 + i);
    await made.metrics.history.sampleOnce();
  }
});
afterAll(() => made.remove());

const matrix = (result: { metric: Record<string, string>; values: [number, string][] }[]): string =>
  JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } });
const own = { part: 'a', instance: 'i1' };
const exposed = 'ragwarden_app_level_seconds';
/** Ends of windows of a minute that begin `from` minutes after the start, in seconds as a store has them. */
const endOf = (from: number): number => (start + (from + 1) * minute - 1) / 1_000;

const ask = (from: number, to: number, source?: 'own' | 'store', aggregation: 'max' | 'sum' | 'p90' = 'max') =>
  queryWithStore(
    { history: made.metrics.history, readBack: createReadBack({ store, registry: made.registry, http }) },
    { name: 'level_ms', aggregation, fromMs: start + from * minute, toMs: start + to * minute, stepMs: minute },
    source,
  );

test('what the own tiers have is answered without asking anybody', async () => {
  const found = await ask(0, 5);
  expect(found.series).toEqual([{ labels: own, values: [100, 101, 102, 103, 104, 105] }]);
  expect(found).toMatchObject({ storeError: null, sources: [{ tier: 'raw' }] });
  expect(asked).toEqual([]);
});

test('what is older comes from the store, in our names and units, and is said to', async () => {
  const metric = { __name__: exposed, job: 'ragwarden', ...own };
  answer = {
    status: 200,
    body: matrix([
      {
        metric,
        values: [
          [endOf(-2), '0.05'],
          [endOf(-1), 'NaN'],
        ],
      },
      { metric: { ...metric, part: 'gone' }, values: [[endOf(-3), '0.07']] },
    ]),
  };
  const found = await ask(-3, 1);
  expect(found.series).toEqual([
    { labels: own, values: [null, 50, null, 100, 101] },
    { labels: { ...own, part: 'gone' }, values: [70, null, null, null, null] },
  ]);
  expect(found.sources).toEqual([
    { tier: 'store', fromMs: start - 3 * minute, toMs: start - 1, resolutionMs: 15_000 },
    expect.objectContaining({ tier: 'raw', fromMs: start, toMs: start + minute }),
  ]);
  expect(found).toMatchObject({ storeError: null, approximate: false, total: 2 });
  expect(asked).toHaveLength(1);
  expect(asked[0]).toMatchObject({
    method: 'POST',
    url: 'http://store.test/prometheus/api/v1/query_range',
    timeoutMs: 5_000,
  });
  expect(Object.fromEntries(new URLSearchParams(String(asked[0]?.body)))).toEqual({
    query: `max_over_time(${exposed}{job="ragwarden"}[60000ms])`,
    ...{ start: String(endOf(-3)), end: String(endOf(-1)), step: '60', timeout: '5s' },
  });
});

test.each([
  ['is away', new AppError('outgoing/failed', 'http://store.test could not be reached: nobody listens there.')],
  ['refuses', { status: 422, body: '{"status":"error","error":"query timed out"}' }],
  ['answers something else', { status: 200, body: '<html>' }],
  [
    'answers with another shape',
    { status: 200, body: '{"status":"success","data":{"resultType":"vector","result":[]}}' },
  ],
])('a store that %s leaves its windows empty and breaks nothing', async (_, bad) => {
  answer = bad;
  const found = await ask(-3, 1);
  expect(found.series).toEqual([{ labels: own, values: [null, null, null, 100, 101] }]);
  expect(found.storeError).toMatch(/^http:\/\/store\.test: ./);
  await expect(ask(-3, 1, 'store')).rejects.toMatchObject({ code: 'metrics/store-failed' });
  expect((await ask(-3, 1, 'own')).storeError).toBeNull();
});

test('asked for by name the store answers alone, by either of the names', async () => {
  answer = {
    status: 200,
    body: matrix([{ metric: { __name__: exposed, job: 'ragwarden', ...own }, values: [[endOf(1), '0.2']] }]),
  };
  const found = await ask(0, 1, 'store');
  expect(found.series).toEqual([{ labels: own, values: [null, 200] }]);
  expect(found.sources).toEqual([{ tier: 'store', fromMs: start, toMs: start + minute, resolutionMs: 15_000 }]);
  const back = createReadBack({ store, registry: made.registry, http });
  const range = { aggregation: 'max', fromMs: start, toMs: start + minute, stepMs: minute } as const;
  expect((await back.query({ ...range, name: exposed })).name).toBe('level_ms');
  expect(new Set(asked.map(({ body }) => new URLSearchParams(String(body)).get('query')))).toHaveLength(1);
});

test('nobody reads of the store what is not ours there, whatever name or labels they ask for', async () => {
  const back = createReadBack({ store, registry: made.registry, http });
  const range = { aggregation: 'max', fromMs: start, toMs: start + minute, stepMs: minute } as const;
  for (const name of ['up{} or vector(1) #', 'a b', '', 'a"'])
    await expect(back.query({ ...range, name })).rejects.toMatchObject({ code: 'request/invalid' });
  expect(asked).toEqual([]);
  await back.query({ ...range, name: 'of_an_earlier_life', match: { job: 'secret', part: 'a"} or up{' } });
  expect(new URLSearchParams(String(asked[0]?.body)).get('query')).toBe(
    'max_over_time(of_an_earlier_life{job="ragwarden",part="a\\"} or up{"}[60000ms])',
  );
});

test('what a store cannot tell is refused when it is asked for, and says so where it would be missed', async () => {
  await expect(ask(-3, 1, 'store', 'sum')).rejects.toMatchObject({ code: 'request/invalid' });
  const found = await ask(-3, 1, undefined, 'sum');
  expect(found.storeError).toContain('a store has samples of its own');
  expect(found.series[0]?.values).toEqual([null, null, null, 100, 101]);
  expect(asked).toEqual([]);
  const none = queryWithStore(
    { history: made.metrics.history, readBack: undefined },
    { name: 'level_ms', aggregation: 'max', fromMs: start, toMs: start, stepMs: minute },
    'store',
  );
  await expect(none).rejects.toMatchObject({ code: 'feature/disabled' });
});
