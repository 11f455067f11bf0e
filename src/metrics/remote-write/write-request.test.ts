import fc from 'fast-check';
import snappy from 'snappyjs';
import { expect, test } from 'vitest';
import { codecOf } from '../otlp/otlp-codec.ts';
import { decodeWriteRequest } from './test-store.ts';
import { encodeWriteRequest } from './write-request.ts';

const labelName = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,8}$/).filter((name) => !name.startsWith('__'));

test('a store reads what was written, with each label once, in order, and none that is empty', () => {
  const series = fc.record({
    name: fc.stringMatching(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,12}$/),
    labels: fc.dictionary(labelName, fc.string({ unit: 'grapheme', maxLength: 20 }), { maxKeys: 5 }),
    samples: fc.array(fc.record({ atMs: fc.integer({ min: 0, max: 4e12 }), value: fc.double() }), {
      minLength: 1,
      maxLength: 3,
    }),
  });
  const shared = fc.dictionary(labelName, fc.string({ maxLength: 5 }), { maxKeys: 3 });
  fc.assert(
    fc.property(fc.array(series, { maxLength: 5 }), shared, (given, common) => {
      const request = given.map((one) => ({ ...one, labels: Object.entries(one.labels).flat() }));
      const read = decodeWriteRequest(encodeWriteRequest(request, common));
      expect(read.timeseries).toEqual(
        given.map((one) => ({
          labels: Object.entries({ ...common, ...one.labels, __name__: one.name })
            .filter(([, value]) => value !== '')
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([name, value]) => ({ name, value: value.toWellFormed() })),
          samples: one.samples.map(({ atMs, value }) => ({ timestamp: atMs, value })),
        })),
      );
    }),
    { numRuns: 200 },
  );
});

test.each(['before', 'after'])(
  'the end of a series is the very NaN that stores know it by, %s OTLP in protobuf was read',
  async (when) => {
    // Both share one protobufjs, which reading OTLP makes do without objects for 64 bits.
    if (when === 'after') await codecOf('protobuf');
    const body = encodeWriteRequest([{ name: 'up', labels: [], samples: [{ atMs: 5, value: 'stale' }] }], {});
    const bits = Buffer.alloc(8);
    bits.writeBigUInt64LE(0x7ff0000000000002n);
    expect(Buffer.from(snappy.uncompress(body)).includes(bits)).toBe(true);
    expect(decodeWriteRequest(body).timeseries[0]?.samples).toEqual([{ timestamp: 5, value: Number.NaN }]);
  },
);

test('what families are goes along', () => {
  const families = [
    { name: 'a_total', type: 'counter', help: 'Of a.', unit: undefined },
    { name: 'b_seconds', type: 'histogram', help: 'Of "b".', unit: 'seconds' },
  ] as const;
  expect(decodeWriteRequest(encodeWriteRequest([], {}, families)).metadata).toEqual([
    { type: 1, metricFamilyName: 'a_total', help: 'Of a.', unit: '' },
    { type: 3, metricFamilyName: 'b_seconds', help: 'Of "b".', unit: 'seconds' },
  ]);
});
