import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import type { Intake, PointSeries, PointTime, PointValue } from '../intake/intake.ts';
import { createKnownSeries, createOutcome, takeOtlp } from './otlp-intake.ts';
import type { OtlpRequest } from './otlp-messages.ts';
import { loadOtlpProtobuf, type OtlpProtobuf } from './otlp-protobuf.ts';
import { createOtlpWire } from './otlp-wire.ts';

let protobuf: OtlpProtobuf;
let wire: ReturnType<typeof createOtlpWire>;
beforeAll(async () => {
  protobuf = await loadOtlpProtobuf();
  wire = createOtlpWire(protobuf);
});

/** Writes down what comes, and refuses some of it. */
function createWritten(known = createKnownSeries()) {
  const lines: string[] = [];
  // NaN and -0 are told apart, and labels come in an order that does not matter.
  const textOf = (_: string, value: unknown): unknown =>
    typeof value === 'number' && (Number.isNaN(value) || !Number.isFinite(value) || Object.is(value, -0))
      ? `${Object.is(value, -0) ? '-' : ''}${value}`
      : value;
  const write = (what: string, series: PointSeries, time: PointTime, value?: PointValue): void => {
    const labels = Object.entries(series.labels).sort(([a], [b]) => (a < b ? -1 : 1));
    lines.push(JSON.stringify([what, { ...series, labels }, time, value], textOf));
  };
  const intake: Intake = {
    streams: 0,
    expire: () => 0,
    take(series, time, value) {
      write('take', series, time, value);
      return value.kind === 'level' && value.value === 3 ? { reason: 'value', detail: 'three' } : undefined;
    },
    refuse(name, detail) {
      lines.push(`refuse ${name} ${detail}`);
      return { reason: 'value', detail };
    },
    end: (series, time) => write('end', series, time),
  };
  const { count, outcome } = createOutcome();
  return { taking: { intake, known, now: () => 77, count }, lines, outcome };
}

/** What is taken of a body, by the library and as it stands; `unreadable` where it is refused. */
function bothWays(body: Uint8Array, known = createKnownSeries()) {
  const decoded = createWritten();
  let expected: unknown = 'unreadable';
  try {
    takeOtlp(protobuf.type('Request').decode(protobuf.reader(body)) as unknown as OtlpRequest, decoded.taking);
    expected = [decoded.lines, decoded.outcome()];
  } catch {
    // The library says so too.
  }
  const read = createWritten(known);
  let found: unknown = 'unreadable';
  let isReadable = false;
  try {
    wire.check(body);
    isReadable = true;
  } catch {
    // See above.
  }
  if (isReadable) {
    wire.take(body, read.taking);
    found = [read.lines, read.outcome()];
  }
  return { expected, found };
}

const text = fc.oneof(fc.constantFrom('', 'a', 'service.name', 'http.route', 'ü€😀'), fc.string({ maxLength: 8 }));
const double = fc.oneof(fc.constantFrom(0, -0, 3, Number.NaN, Infinity), fc.double());
const integer = fc.maxSafeInteger();
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.record({ stringValue: text }),
    fc.record({ boolValue: fc.boolean() }),
    fc.record({ intValue: integer }),
    fc.record({ doubleValue: double }),
    fc.record({ bytesValue: fc.uint8Array({ maxLength: 4 }) }),
    fc.record({ arrayValue: fc.record({ values: fc.array(tie('any'), { maxLength: 2 }) }) }),
    fc.record({ kvlistValue: fc.record({ values: fc.array(tie('attribute'), { maxLength: 2 }) }) }),
    fc.constant({}),
  ),
  attribute: fc.record({ key: text, value: tie('any') }, { requiredKeys: ['key'] }),
}));
const attributes = fc.array(value.attribute, { maxLength: 3 });
const nano = fc.oneof(fc.constant(0), fc.nat(), fc.constant(1.7e18));
const timed = { attributes, timeUnixNano: nano, startTimeUnixNano: nano, flags: fc.constantFrom(0, 1, 2, 2 ** 31) };
const number = fc.record({ ...timed, asDouble: double, asInt: integer }, { requiredKeys: [] });
const numbers = fc.array(number, { maxLength: 4 });
const temporality = fc.constantFrom(0, 1, 2, 7);
const counts = fc.array(fc.nat(9), { maxLength: 3 });
const buckets = fc.record({ offset: fc.integer(), bucketCounts: counts }, { requiredKeys: [] });
const counted = { ...timed, count: fc.nat(9), sum: double, min: double, max: double };
const distribution = fc.record(
  { ...counted, bucketCounts: counts, explicitBounds: fc.array(double, { maxLength: 2 }) },
  { requiredKeys: [] },
);
const exponential = fc.record(
  { ...counted, scale: fc.integer({ min: -12, max: 22 }), zeroCount: fc.nat(3), positive: buckets, negative: buckets },
  { requiredKeys: [] },
);
const quantiles = fc.array(fc.record({ quantile: double, value: double }), { maxLength: 2 });
const summary = fc.record({ ...timed, count: fc.nat(9), sum: double, quantileValues: quantiles }, { requiredKeys: [] });
const list = <T>(one: fc.Arbitrary<T>) => fc.array(one, { maxLength: 2 });
const metric = fc.record(
  {
    ...{ name: text, unit: fc.constantFrom('', '1', 's', '{request}', 'By/s') },
    gauge: fc.record({ dataPoints: numbers }),
    sum: fc.record({ dataPoints: numbers, aggregationTemporality: temporality, isMonotonic: fc.boolean() }),
    histogram: fc.record({ dataPoints: list(distribution), aggregationTemporality: temporality }),
    exponentialHistogram: fc.record({ dataPoints: list(exponential), aggregationTemporality: temporality }),
    summary: fc.record({ dataPoints: list(summary) }),
  },
  { requiredKeys: [] },
);
// Mostly one way to tell values, as it should be.
const usual = fc.tuple(metric, fc.constantFrom('gauge', 'sum', 'histogram')).map(([all, kind]) => ({
  ...{ name: all.name ?? '', unit: all.unit ?? '' },
  [kind]: all[kind as 'gauge'] ?? {},
}));
// What is known of a series keeps the description that came first.
const described = fc.oneof(usual, metric).map((one) => ({ ...one, description: 'about it' }));
const scopes = fc.array(fc.record({ metrics: fc.array(described, { maxLength: 3 }) }), { maxLength: 2 });
const request = fc.record({
  resourceMetrics: fc.array(
    fc.record({ resource: fc.record({ attributes }), scopeMetrics: scopes }, { requiredKeys: ['scopeMetrics'] }),
    { maxLength: 2 },
  ),
});
const encode = (message: object): Uint8Array => protobuf.type('Request').encode(message).finish();

test('law: what is taken as it stands is what the library decodes, also where series are known by their bytes', () => {
  let taken = 0;
  fc.assert(
    fc.property(request, (message) => {
      const body = encode(message);
      const known = createKnownSeries();
      for (let time = 0; time < 2; time += 1) {
        const { expected, found } = bothWays(body, known);
        expect(found).toEqual(expected);
        if (found !== 'unreadable') taken += 1;
      }
    }),
    { numRuns: 200 },
  );
  expect(taken).toBe(400);
});

test('law: whatever bytes come, what is refused and what is taken is what the library refuses and decodes', () => {
  let refused = 0;
  let taken = 0;
  const change = fc.oneof(
    // One byte for another, which mostly leaves the lengths as they are.
    {
      weight: 3,
      arbitrary: fc.record({
        at: fc.nat(),
        bytes: fc.uint8Array({ minLength: 1, maxLength: 1 }),
        gone: fc.constant(1),
      }),
    },
    fc.record({
      at: fc.nat(),
      bytes: fc.oneof(fc.uint8Array({ maxLength: 3 }), fc.constant(new Uint8Array(12).fill(0x80))),
      gone: fc.nat(3),
    }),
  );
  fc.assert(
    fc.property(request, fc.array(change, { minLength: 1, maxLength: 3 }), (message, changes) => {
      let body = Buffer.from(encode(message));
      for (const { at, bytes, gone } of changes) {
        const place = body.length === 0 ? 0 : at % body.length;
        body = Buffer.concat([body.subarray(0, place), bytes, body.subarray(place + gone)]);
      }
      const { expected, found } = bothWays(body);
      expect(found).toEqual(expected);
      if (found === 'unreadable') refused += 1;
      else taken += 1;
    }),
    { numRuns: 600 },
  );
  // Both, or nothing was looked into.
  expect(Math.min(refused, taken)).toBeGreaterThan(0);
});

const bytesOf = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const wrap = (tag: number, inner: Uint8Array): Uint8Array => {
  const { length } = inner;
  return Uint8Array.from([tag, ...(length < 128 ? [length] : [(length & 127) | 128, length >> 7]), ...inner]);
};
const inRequest = (metric: Uint8Array): Uint8Array => wrap(0x0a, wrap(0x12, wrap(0x12, metric)));
test.each([
  [
    'attributes with another field between them',
    '0a0161 2a19 0a17 3a03 0a016b 310100000000000000 3a07 0a016c 12020a00',
  ],
  ['an integer and a double', '0a0161 2a16 0a14 310100000000000000 210000000000000040 4002'],
  ['one sum in two parts', '0a0161 3a0f 0a0b 310100000000000000 4000 1001 3a04 1002 1801'],
  ['a sum that says what it is before its points', '0a0161 3a11 1002 1801 0a0b 310100000000000000 4000'],
  ['a point without a value', '0a0161 2a02 0a00'],
  ['a name that comes twice', '0a0161 0a0162 2a02 0a00'],
  ['a group that nobody knows', '0a0161 9b01 0801 9c01 2a02 0a00'],
  ['a varint of eleven bytes in a field of ours', '0a0161 2a0e 0a0c 40 8080808080808080808001'],
  ['a field with the number zero', '0a0161 0001'],
])('%s is read as the library reads it', (_, hex) => {
  const { expected, found } = bothWays(inRequest(bytesOf(hex)));
  expect(found).toEqual(expected);
});

test('values that lie in one another too deep are refused', () => {
  // A list of one value, which is a list of one value, …
  let inner: Uint8Array = new Uint8Array();
  for (let i = 0; i < 60; i += 1) inner = wrap(0x2a, wrap(0x0a, inner));
  const attribute = wrap(0x3a, Buffer.concat([bytesOf('0a016b'), wrap(0x12, inner)]));
  const body = inRequest(wrap(0x2a, wrap(0x0a, attribute)));
  expect(bothWays(body)).toEqual({ expected: 'unreadable', found: 'unreadable' });
});

test('a value that stands between attributes is no part of what a series is known by', () => {
  const known = createKnownSeries();
  for (const value of ['01', '02']) {
    const body = bytesOf(`0a0161 2a19 0a17 3a03 0a016b 31${value}00000000000000 3a07 0a016c 12020a00`);
    bothWays(inRequest(body), known);
  }
  expect(known.of({}, { name: 'a', unit: undefined, description: undefined }).byBytes.size).toBe(0);
  bothWays(inRequest(bytesOf('0a0161 2a10 0a0e 3a03 0a016b 310100000000000000')), known);
  expect(known.of({}, { name: 'a', unit: undefined, description: undefined }).byBytes.size).toBe(1);
});

test('attributes are forgotten before they fill the memory', () => {
  const known = createKnownSeries();
  const about = { name: 'a' };
  const first = known.of({}, about);
  for (let i = 0; i < 8_191; i += 1) known.added(4_096);
  expect(known.of({}, about)).toBe(first);
  known.added(4_096);
  expect(known.of({}, about)).not.toBe(first);
});

test('names of metrics are forgotten before they fill the memory, and of any length not remembered at all', () => {
  const known = createKnownSeries();
  const first = known.of({}, { name: 'a' });
  const long = 'n'.repeat(5_000);
  for (const name of ['job', 'instance'])
    expect(known.of({ [name]: long }, { name: 'b' })).not.toBe(known.of({ [name]: long }, { name: 'b' }));
  expect(known.of({}, { name: long })).not.toBe(known.of({}, { name: long }));
  expect(known.of({}, { name: 'a' })).toBe(first);
  // Refused ones too: nothing is added of them.
  for (let i = 0; i < 9_000; i += 1) known.of({}, { name: `${i}${long.slice(0, 4_000)}` });
  expect(known.of({}, { name: 'a' })).not.toBe(first);
});
