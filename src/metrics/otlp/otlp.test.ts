import { deflateSync, gzipSync } from 'node:zlib';
import { OTLPMetricExporter as JsonExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtoExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  AggregationType,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createEventLog } from '../../events/index.ts';
import { openTestState, type TestState } from '../../migrations/test-state.ts';
import { createHttpServer, type HttpServer, type Role } from '../../platform/http/index.ts';
import { silentLogger } from '../../platform/logging.ts';
import { metricRoutes } from '../metric-routes.ts';
import { heldClock, openMetrics, type TestMetrics } from '../test-metrics.ts';
import { codecOf } from './otlp-codec.ts';
import { type OtlpRequest, otlpDescriptor } from './otlp-messages.ts';
import { loadOtlpProtobuf } from './otlp-protobuf.ts';

const start = Date.now();
const clock = heldClock(start);
let made: TestMetrics;
let state: TestState;
let server: HttpServer;
let url: string;

beforeAll(async () => {
  made = await openMetrics({
    clock,
    priceOf: (provider, model) =>
      provider === 'openai' && model === 'gpt-x' ? { inputUsd: 2, outputUsd: 8 } : undefined,
  });
  state = await openTestState();
  server = createHttpServer({
    log: silentLogger,
    clock,
    allowedHosts: () => [],
    authenticate: async ({ headers }) => ({
      ...{ subject: 'somebody', role: String(headers['x-role'] ?? 'service') as Role },
      ...{ workspaces: 'all', via: 'token' },
    }),
  });
  await server.register(
    metricRoutes({
      ...{ metrics: made.metrics, db: state.db, clock, log: silentLogger, startedMs: start, enabled: true },
      events: createEventLog({ db: state.db, clock, instance: 'i1' }),
      health: () => ({ atMs: clock.now(), status: 'healthy' }),
    }),
  );
  url = await server.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await server.close();
  await made.remove();
  await state.remove();
});

const protobuf = 'application/x-protobuf';
const json = 'application/json';
const post = async (body: string | Uint8Array, headers: Record<string, string> = { 'content-type': json }) => {
  const answer = await server.inject({
    ...{ method: 'POST', url: '/v1/metrics', headers, payload: Buffer.from(body) },
  });
  return { status: answer.statusCode, headers: answer.headers, answer, body: answer.rawPayload };
};
const nano = (ms: number): string => `${BigInt(Math.round(ms)) * 1_000_000n}`;
const request = (metrics: unknown[], resource: Record<string, string> = { 'service.name': 'app' }): string =>
  JSON.stringify({
    resourceMetrics: [
      {
        resource: {
          attributes: Object.entries(resource).map(([key, value]) => ({ key, value: { stringValue: value } })),
        },
        scopeMetrics: [{ metrics }],
      },
    ],
  });
const send = async (metrics: unknown[], resource?: Record<string, string>) => {
  const answer = await post(request(metrics, resource));
  return { status: answer.status, body: JSON.parse(answer.body.toString()) };
};
const ask = async (
  name: string,
  aggregation: 'sum' | 'last' | 'count' | 'p50' | 'max',
  match?: Record<string, string>,
) => {
  const answer = await made.metrics.history.query({
    ...{ name, aggregation, match, groupBy: [], fromMs: start - 3_600_000, toMs: clock.now() + 300_000 },
    stepMs: 4_200_000,
  });
  return answer.series.map(({ values }) => values.filter((value) => value !== null));
};

describe('the SDK of OpenTelemetry', () => {
  test.each([
    ['protobuf', ProtoExporter, AggregationTemporality.CUMULATIVE],
    ['protobuf', ProtoExporter, AggregationTemporality.DELTA],
    ['json', JsonExporter, AggregationTemporality.CUMULATIVE],
  ] as const)('sends every kind of metric in %s (%#)', async (encoding, Exporter, temporality) => {
    const job = `${encoding}-${temporality}`;
    const exporter = new Exporter({ url: `${url}/v1/metrics`, temporalityPreference: temporality });
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const provider = new MeterProvider({
      resource: resourceFromAttributes({ 'service.name': job, 'service.instance.id': 'one' }),
      readers: [reader],
      views: [{ instrumentName: 'wide', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }],
    });
    const meter = provider.getMeter('test');
    const requests = meter.createCounter('http.requests', { unit: '{request}' });
    const open = meter.createUpDownCounter('open.connections');
    const took = meter.createHistogram('request.duration', { unit: 's' });
    const wide = meter.createHistogram('wide', { unit: 'By' });
    meter.createObservableGauge('queue.depth').addCallback((result) => {
      result.observe(7, { queue: 'a', shard: 3, hot: true, tags: ['x', 'y'] });
      result.observe(9, { queue: 'a', shard: 4, hot: false, tags: [] });
    });

    requests.add(3, { route: '/a' });
    open.add(5);
    open.add(-2);
    for (const value of [0.01, 0.02, 0.03]) took.record(value);
    for (let i = 1; i <= 100; i += 1) wide.record(i * 1_000);
    clock.at = Date.now();
    await reader.forceFlush();
    requests.add(4, { route: '/a' });
    took.record(9);
    await new Promise((resolve) => setImmediate(resolve));
    clock.at = Date.now() + 1;
    await reader.forceFlush();
    await provider.shutdown();

    const match = { job, instance: 'one' };
    expect(await ask('http_requests_total', 'sum', { ...match, route: '/a' })).toEqual([[7]]);
    expect(await ask('open_connections', 'last', match)).toEqual([[3]]);
    for (const [value, labels] of [
      [7, { shard: '3', hot: 'true', tags: '["x","y"]' }],
      [9, { shard: '4', hot: 'false', tags: '[]' }],
    ] as const)
      expect(await ask('queue_depth', 'last', { ...match, queue: 'a', ...labels })).toEqual([[value]]);
    expect(await ask('request_duration_seconds', 'count', match)).toEqual([[4]]);
    expect((await ask('request_duration_seconds', 'sum', match))[0]?.[0]).toBeCloseTo(9.06);
    const [[middle] = []] = await ask('wide_bytes', 'p50', match);
    expect(Math.abs(middle! - 50_000)).toBeLessThan(50_000 * 0.03);
    expect(await ask('wide_bytes', 'count', match)).toEqual([[100]]);
  });
});

const gauge = (name: string, points: object[]) => ({ name, gauge: { dataPoints: points } });
const total = (name: string, points: object[], aggregationTemporality = 1) => ({
  name,
  sum: { dataPoints: points, aggregationTemporality, isMonotonic: true },
});
const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } });

describe('a point that is not right', () => {
  const now = () => nano(clock.now());
  const long = 'x'.repeat(10 * 1024 * 1024);
  test.each<[string, object, RegExp]>([
    ['NaN', gauge('bad.nan', [{ timeUnixNano: now(), asDouble: 'NaN' }]), /finite/],
    ['an infinity', gauge('bad.inf', [{ timeUnixNano: now(), asDouble: 'Infinity' }]), /finite/],
    ['no value at all', gauge('bad.none', [{ timeUnixNano: now() }]), /finite/],
    [
      'a time in the far past',
      gauge('bad.past', [{ timeUnixNano: nano(start - 7_200_000), asInt: '1' }]),
      /60 min old/,
    ],
    [
      'a time in the far future',
      gauge('bad.future', [{ timeUnixNano: '9223372036854775807', asInt: '1' }]),
      /5 min ahead/,
    ],
    ['a total below zero', total('bad.less', [{ timeUnixNano: now(), asInt: '-1' }]), /below zero/],
    [
      'a sum that does not say since when',
      total('bad.untold', [{ timeUnixNano: now(), asInt: '1' }], 0),
      /aggregationTemporality/,
    ],
    [
      'a label value of 10 MiB',
      gauge('bad.long', [{ timeUnixNano: now(), asInt: '1', attributes: [attribute('a', long)] }]),
      /longer than 1024/,
    ],
    [
      'forty labels',
      gauge('bad.many', [
        { timeUnixNano: now(), asInt: '1', attributes: Array.from({ length: 40 }, (_, i) => attribute(`l${i}`, 'v')) },
      ]),
      /at most 32 labels/,
    ],
    ['a name of which nothing is left', gauge('…', [{ timeUnixNano: now(), asInt: '1' }]), /a name has letters/],
    ['a name of 300 characters', gauge('n'.repeat(300), [{ timeUnixNano: now(), asInt: '1' }]), /at most 200/],
    [
      'buckets that do not fit their bounds',
      {
        name: 'bad.buckets',
        histogram: {
          aggregationTemporality: 1,
          dataPoints: [{ timeUnixNano: now(), count: '1', bucketCounts: ['1'], explicitBounds: [1] }],
        },
      },
      /not 1/,
    ],
    [
      'buckets that hold less than was counted',
      {
        name: 'bad.count',
        histogram: {
          aggregationTemporality: 1,
          dataPoints: [{ timeUnixNano: now(), count: '5', bucketCounts: ['1', '1'], explicitBounds: [1] }],
        },
      },
      /do not hold/,
    ],
    [
      'bounds that do not ascend',
      {
        name: 'bad.bounds',
        histogram: {
          aggregationTemporality: 1,
          dataPoints: [{ timeUnixNano: now(), count: '3', bucketCounts: ['1', '1', '1'], explicitBounds: [2, 1] }],
        },
      },
      /ascend/,
    ],
    [
      'an exponential scale beyond all',
      {
        name: 'bad.scale',
        exponentialHistogram: {
          aggregationTemporality: 1,
          dataPoints: [{ timeUnixNano: now(), count: '1', scale: 50, positive: { offset: 0, bucketCounts: ['1'] } }],
        },
      },
      /scale/,
    ],
  ])('%s is told and counted, and its neighbours are taken', async (_, metric, reason) => {
    const before = made.metrics.recorder.stats.refused;
    const name = `good_${Object.keys(metric)[1]}_${reason.source.length}`;
    const { status, body } = await send([
      gauge(name, [{ timeUnixNano: now(), asInt: '1' }]),
      metric,
      gauge(`${name}_after`, [{ timeUnixNano: now(), asInt: '2' }]),
    ]);
    expect([status, body.partialSuccess?.rejectedDataPoints]).toEqual([200, '1']);
    expect(body.partialSuccess.errorMessage).toMatch(reason);
    expect(made.metrics.recorder.stats.refused).toBe(before + 1);
    expect(await ask(`${name}_after`, 'last')).toEqual([[2]]);
  });

  test('out of order and repeated points keep what is known: totals do not count twice, levels stand at their time', async () => {
    const at = (offset: number, more: object) => ({
      timeUnixNano: nano(clock.now() + offset),
      startTimeUnixNano: nano(start + 1),
      ...more,
    });
    clock.at += 20_000;
    await send([total('order.total', [at(-4_000, { asInt: '5' }), at(-2_000, { asInt: '9' })], 2)]);
    await send([
      total('order.total', [at(-4_000, { asInt: '5' }), at(-2_000, { asInt: '9' }), at(-3_000, { asInt: '7' })], 2),
    ]);
    expect(await ask('order_total', 'sum')).toEqual([[9]]);
    await send([
      gauge('order.level', [at(-1_000, { asInt: '3' }), at(-5_000, { asInt: '1' }), at(-1_000, { asInt: '3' })]),
    ]);
    expect([await ask('order_level', 'count'), await ask('order_level', 'last')]).toEqual([[[2]], [[3]]]);
    const delta = total('order.delta', [at(-1_000, { asInt: '4' })]);
    await send([delta]);
    await send([delta]);
    expect(await ask('order_delta_total', 'sum')).toEqual([[4]]);
  });

  test('a million series are held at the bound of a metric, and what is known goes on', async () => {
    const points = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => ({
        timeUnixNano: now(),
        asInt: '1',
        attributes: [attribute('id', `${from + i}`)],
      }));
    let rejected = 0;
    const before = made.metrics.otlp.streams;
    // Two requests of 3,000 stand for all the others: the bound is at 1,000.
    for (let from = 0; from < 6_000; from += 3_000)
      rejected += Number(
        (await send([gauge('many.series', points(from, from + 3_000))])).body.partialSuccess.rejectedDataPoints,
      );
    expect(rejected).toBe(5_000);
    // Nothing is remembered of those beyond it.
    expect(made.metrics.otlp.streams).toBe(before + 1_000);
    expect((await send([gauge('many.series', points(0, 1_000))])).body).toEqual({});
  });
});

describe('a request that cannot be read', () => {
  const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024));
  test.each<[string, string | Uint8Array, Record<string, string>, number, string]>([
    ['no protobuf', Buffer.from('not protobuf at all'), { 'content-type': protobuf }, 400, 'request/unreadable'],
    ['protobuf cut short', Buffer.from([0x0a, 0x7f, 0x01]), { 'content-type': protobuf }, 400, 'request/unreadable'],
    ['no JSON', '{"resourceMetrics":[', { 'content-type': json }, 400, 'request/unreadable'],
    ['JSON of another shape', '{"resourceMetrics":{}}', { 'content-type': json }, 400, 'request/unreadable'],
    [
      'a number that is none',
      request([gauge('a', [{ asInt: 'many' }])]),
      { 'content-type': json },
      400,
      'request/unreadable',
    ],
    ['a gzip bomb', bomb, { 'content-type': protobuf, 'content-encoding': 'gzip' }, 413, 'request/too-large'],
    [
      'a deflate bomb',
      deflateSync(Buffer.alloc(20 * 1024 * 1024)),
      { 'content-type': json, 'content-encoding': 'deflate' },
      413,
      'request/too-large',
    ],
    [
      'more than 16 MiB as they are',
      Buffer.alloc(17 * 1024 * 1024),
      { 'content-type': protobuf },
      413,
      'request/too-large',
    ],
    ['what is no gzip', 'plain', { 'content-type': json, 'content-encoding': 'gzip' }, 400, 'request/unreadable'],
    [
      'an encoding nobody knows',
      '{}',
      { 'content-type': json, 'content-encoding': 'snappy' },
      415,
      'request/unsupported-media-type',
    ],
    ['text', 'x 1', { 'content-type': 'text/plain' }, 415, 'request/unsupported-media-type'],
    ['nothing that says what it is', '', {}, 415, 'request/unsupported-media-type'],
    ['somebody who may not', '{}', { 'content-type': json, 'x-role': 'scrape' }, 403, 'access/forbidden'],
  ])('%s is refused with a Status in its own encoding', async (_, body, headers, status, code) => {
    const answer = await post(body, headers);
    expect(answer.status).toBe(status);
    const inProtobuf = headers['content-type'] === protobuf;
    expect(answer.headers['content-type']).toMatch(inProtobuf ? protobuf : json);
    const text = answer.body.toString('utf8');
    expect(text).toContain(code);
    if (!inProtobuf)
      expect(JSON.parse(text)).toMatchObject({ code: expect.any(Number), message: expect.stringMatching(/./) });
  });

  test('an empty one is right, and gzip, deflate and the other path are', async () => {
    expect((await post('', { 'content-type': protobuf })).body).toHaveLength(0);
    const body = request([gauge('packed', [{ timeUnixNano: nano(clock.now()), asInt: '4' }])]);
    for (const [name, packed] of [
      ['gzip', gzipSync(body)],
      ['deflate', deflateSync(body)],
    ] as const)
      expect((await post(packed, { 'content-type': json, 'content-encoding': name })).status).toBe(200);
    const alias = await server.inject({
      method: 'POST',
      url: '/api/v1/otlp/v1/metrics',
      headers: { 'content-type': json },
      payload: body,
    });
    expect([alias.statusCode, alias.json()]).toEqual([200, {}]);
  });

  test('what cannot be stored any more is answered with 503 and a time to come back', async () => {
    const { recorder } = made.metrics;
    const full = vi.spyOn(recorder, 'fullness').mockReturnValue(0.9);
    const answer = await post('{}');
    full.mockRestore();
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '5']);
    expect((await post('{}')).status).toBe(200);
  });
});

test('counts of buckets are read as plain numbers: an object for each would take fifty times the memory of the body', async () => {
  const { Root } = await import('protobufjs/light.js');
  const point = { count: 3, positive: { bucketCounts: [1, 2 ** 40] }, timeUnixNano: 5 };
  const metrics = [{ name: 'took', exponentialHistogram: { dataPoints: [point] } }];
  const body = Root.fromJSON(otlpDescriptor)
    .lookupType('Request')
    .encode({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] })
    .finish();
  const protobufs = await loadOtlpProtobuf();
  const { resourceMetrics } = protobufs.type('Request').decode(protobufs.reader(body)) as unknown as OtlpRequest;
  const [resource] = resourceMetrics ?? [];
  const read = resource?.scopeMetrics?.[0]?.metrics?.[0]?.exponentialHistogram?.dataPoints?.[0];
  expect([read?.count, read?.positive?.bucketCounts, read?.timeUnixNano]).toEqual([3, [1, 2 ** 40], 5]);
});

test('partial success in protobuf is what the SDK reads it as', async () => {
  const codec = await codecOf('protobuf');
  const answer = codec.answer({ rejected: 300, message: 'why' }) as Uint8Array;
  expect(Buffer.from(answer).toString('hex')).toBe('0a0808ac021203776879');
});

test('what a summary took of percentiles stays levels, its count and sum are totals', async () => {
  const point = (count: string, sum: number, level: number | 'NaN') => ({
    ...{ timeUnixNano: nano(clock.now()), startTimeUnixNano: nano(start + 1), count, sum },
    quantileValues: [{ quantile: 0.5, value: level }],
  });
  await send([{ name: 'rpc.time', unit: 's', summary: { dataPoints: [point('4', 8, 2)] } }]);
  clock.at += 1_000;
  expect((await send([{ name: 'rpc.time', unit: 's', summary: { dataPoints: [point('6', 9, 'NaN')] } }])).body).toEqual(
    {},
  );
  expect(await ask('rpc_time_seconds_count', 'sum')).toEqual([[6]]);
  expect(await ask('rpc_time_seconds_sum', 'sum')).toEqual([[9]]);
  expect(await ask('rpc_time_seconds', 'last', { q: '0.5' })).toEqual([[2]]);
});

test('a series that says it has ended has a gap from then on', async () => {
  const at = (more: object) => ({ timeUnixNano: nano(clock.now()), startTimeUnixNano: nano(start + 1), ...more });
  await send([total('ending', [at({ asInt: '2' })], 2)]);
  const series = () =>
    made.registry.families().find(({ definition }) => definition.storedName === 'ending_total')?.seriesCount;
  expect(series()).toBe(1);
  await send([total('ending', [at({ flags: 1 })], 2)]);
  expect(series()).toBe(0);
});

test('tokens and calls that programs tell by the conventions for generative AI are tokens, cost and calls here', async () => {
  const attributes = [
    attribute('gen_ai.provider.name', 'openai'),
    attribute('gen_ai.request.model', 'gpt-x'),
    attribute('gen_ai.operation.name', 'chat'),
  ];
  const point = (more: object[], count: string, sum: number) => ({
    ...{ timeUnixNano: nano(clock.now()), startTimeUnixNano: nano(start + 1), count, sum },
    ...{ bucketCounts: [count, '0'], explicitBounds: [1_000_000], attributes: [...attributes, ...more] },
  });
  const usage = (type: string, sum: number) => point([attribute('gen_ai.token.type', type)], '2', sum);
  await send([
    {
      ...{ name: 'gen_ai.client.token.usage', unit: '{token}' },
      histogram: { aggregationTemporality: 2, dataPoints: [usage('input', 3_000), usage('output', 500)] },
    },
    {
      ...{ name: 'gen_ai.client.operation.duration', unit: 's' },
      histogram: { aggregationTemporality: 2, dataPoints: [point([], '2', 3)] },
    },
  ]);
  const model = { provider: 'openai', model: 'gpt-x', job: 'app' };
  expect(await ask('llm_tokens', 'sum', { ...model, kind: 'prompt' })).toEqual([[3_000]]);
  expect(await ask('llm_tokens', 'sum', { ...model, kind: 'completion' })).toEqual([[500]]);
  expect((await ask('llm_cost_usd', 'sum', model))[0]?.[0]).toBeCloseTo(3_000 * 2e-6 + 500 * 8e-6);
  expect(await ask('llm_calls', 'sum', { ...model, call: 'chat', outcome: 'ok' })).toEqual([[2]]);
  expect(await ask('llm_call_duration_ms', 'sum', { ...model, call: 'chat' })).toEqual([[3_000]]);
  // Under its own name it stays what it was.
  expect(await ask('gen_ai_client_token_usage', 'count')).toEqual([[4]]);
});

test('law: whatever bytes come, the answer is one that OpenTelemetry knows, and nothing fails unexpectedly', async () => {
  const { Root } = (await import('protobufjs/light.js')).default;
  const requests = Root.fromJSON(otlpDescriptor).lookupType('Request');
  const point = { timeUnixNano: clock.now() * 1e6, startTimeUnixNano: clock.now() * 1e6, count: 3, sum: 4.5 };
  const valid = requests
    .encode({
      resourceMetrics: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 'fuzz' } }] },
          scopeMetrics: [
            {
              metrics: [
                {
                  name: 'fuzz.a',
                  gauge: {
                    dataPoints: [{ ...point, asDouble: 1.5, attributes: [{ key: 'k', value: { intValue: 7 } }] }],
                  },
                },
                {
                  name: 'fuzz.b',
                  histogram: {
                    aggregationTemporality: 1,
                    dataPoints: [{ ...point, bucketCounts: [1, 2], explicitBounds: [1] }],
                  },
                },
                {
                  name: 'fuzz.c',
                  exponentialHistogram: {
                    aggregationTemporality: 2,
                    dataPoints: [{ ...point, scale: 2, zeroCount: 1, positive: { offset: -3, bucketCounts: [1, 1] } }],
                  },
                },
                {
                  name: 'fuzz.d',
                  summary: { dataPoints: [{ ...point, quantileValues: [{ quantile: 0.5, value: 1 }] }] },
                },
              ],
            },
          ],
        },
      ],
    })
    .finish();
  const statuses = new Set<number>();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 6 }),
      fc.oneof({ weight: 3, arbitrary: fc.constant(valid.length) }, fc.nat(valid.length)),
      async (changes, end) => {
        const bytes = Uint8Array.from(valid);
        for (const [at, byte] of changes) bytes[at] = byte;
        const { status } = await post(bytes.subarray(0, end), {
          'content-type': protobuf,
        });
        statuses.add(status);
        expect([200, 400]).toContain(status);
      },
    ),
    { numRuns: 300 },
  );
  // Both, or nothing was looked into.
  expect([...statuses].sort()).toEqual([200, 400]);
});
