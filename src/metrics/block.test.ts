import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type BlockSeries,
  blockOf,
  encodeBlock,
  openBlock,
  type SeriesType,
  type Summaries,
  seriesTypes,
} from './block.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { readColumn, writeColumn } from './column.ts';
import type { Packing } from './frame.ts';
import { Sketch } from './sketch.ts';
import { addToTotal, emptyTotal, growth } from './summary.ts';

const numbers = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.integer({ min: -1_000, max: 1_000 }).map((n) => n / 100),
  fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE, 2 ** 53, 2 ** 50 + 1),
);
const column = fc.oneof(
  fc.array(numbers, { minLength: 1, maxLength: 60 }),
  fc.array(fc.nat(1_000), { minLength: 1, maxLength: 60 }).map((steps) => {
    let sum = 0;
    return steps.map((step) => (sum += step));
  }),
);
const same = (a: ArrayLike<number>, b: ArrayLike<number>): boolean =>
  a.length === b.length && Array.from(a).every((value, i) => Object.is(value, b[i]));

test('any column comes back bit for bit', () => {
  fc.assert(
    fc.property(column, (values) => {
      const out = new ByteWriter();
      writeColumn(out, values);
      const from = new ByteReader(out.take());
      return same(readColumn(from, values.length), values) && from.left === 0;
    }),
    { numRuns: 300 },
  );
});

const ascending = fc
  .array(fc.integer({ min: 1, max: 600_000 }), { minLength: 1, maxLength: 20 })
  .chain((steps) =>
    fc.nat(4_000_000_000_000).map((start) => steps.map((_, i) => start + steps.slice(0, i).reduce((a, b) => a + b, 0))),
  );

const name = fc.record({
  name: fc.string({ maxLength: 10 }),
  labels: fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.string({ unit: 'binary', maxLength: 8 })),
  type: fc.constantFrom(...seriesTypes),
});

const seriesOf = (times: readonly number[]) =>
  fc
    .tuple(
      name,
      fc.nat(times.length - 1),
      fc.array(numbers, { minLength: times.length, maxLength: times.length }),
      fc.boolean(),
    )
    .map(([head, from, values, samples]): BlockSeries => {
      const own = Float64Array.from(times.slice(from));
      if (samples) return { ...head, kind: 'samples', times: own, values: Float64Array.from(values.slice(from)) };
      const rows = values.slice(from).map((value, i) => {
        const sketch = new Sketch();
        for (let n = 0; n <= i; n += 1) if (!Number.isNaN(value)) sketch.add(value);
        const increase = head.type === 'counter' ? i : 0;
        return { count: i, sum: value, min: value, max: value, last: value, increase, sketch: sketch.pack() };
      });
      return { ...head, kind: 'summaries', times: own, rows };
    });

const plain = (series: readonly BlockSeries[]) =>
  series.map(({ name: of, labels, type, kind, times, ...rest }) => ({
    of,
    labels: { ...labels },
    type,
    kind,
    times: [...times],
    ...('values' in rest
      ? { values: [...rest.values] }
      : { rows: rest.rows.map((row) => ({ ...row, sketch: [...(row.sketch ?? [])] })) }),
  }));

test('any block comes back as it was, however it is packed, and its entries tell what is in it', async () => {
  const blocks = fc.array(ascending.chain(seriesOf), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(blocks, fc.constantFrom<Packing>('none', 'quick', 'well'), async (series, packing) => {
      const read = await openBlock(await encodeBlock(series, packing));
      expect(plain(await read.series())).toEqual(plain(series));
      expect(read.entries).toEqual(blockOf(series).entries);
    }),
    { numRuns: 100 },
  );
});

test('what an entry tells of samples is what a naive count finds', async () => {
  await fc.assert(
    fc.asyncProperty(column, fc.constantFrom<SeriesType>('counter', 'gauge'), async (values, type) => {
      const times = Float64Array.from(values.keys());
      const series: BlockSeries = {
        kind: 'samples',
        name: 'x',
        labels: {},
        type,
        times,
        values: Float64Array.from(values),
      };
      const { entries } = await openBlock(await encodeBlock([series], 'quick'));
      const naive = emptyTotal();
      for (const [i, value] of values.entries())
        addToTotal(naive, value, type === 'counter' ? growth(values[i - 1], value) : 0);
      expect(entries[0]?.all).toEqual(naive);
      expect([entries[0]?.firstMs, entries[0]?.lastMs]).toEqual([0, values.length - 1]);
    }),
    { numRuns: 100 },
  );
});

test('a payload with any bit turned, or any byte missing, is never read as numbers', async () => {
  const payload = await encodeBlock(
    [
      {
        kind: 'samples',
        name: 'level',
        labels: { a: 'b' },
        type: 'gauge',
        times: Float64Array.of(1_000, 2_000, 3_000),
        values: Float64Array.of(1, 2.5, 3.5),
      },
    ],
    'well',
  );
  for (let bit = 0; bit < payload.length * 8; bit += 1) {
    const broken = Buffer.from(payload);
    broken[bit >> 3] = broken[bit >> 3]! ^ (1 << (bit & 7));
    const read = async () => (await openBlock(broken)).series();
    await expect(read(), `bit ${bit}`).rejects.toThrow();
  }
  for (let length = 0; length < payload.length; length += 1)
    await expect(openBlock(payload.subarray(0, length))).rejects.toThrow();
});

test('a count beyond all counting does not make a block unreadable for the others', async () => {
  const sketch = new Sketch();
  sketch.add(1, 2 ** 63);
  const row = { count: 2 ** 63, sum: 1, min: 1, max: 1, last: 1, increase: 0, sketch: sketch.pack() };
  const times = Float64Array.of(1_000);
  const payload = await encodeBlock(
    [
      { kind: 'summaries', name: 'endless', labels: {}, type: 'distribution', times, rows: [row] },
      { kind: 'samples', name: 'level', labels: {}, type: 'gauge', times, values: Float64Array.of(7) },
    ],
    'well',
  );
  const read = await openBlock(payload);
  expect(read.entries.map(({ all }) => all.count)).toEqual([2 ** 53, 1]);
  const [endless, level] = await read.series();
  expect(level).toMatchObject({ name: 'level', values: Float64Array.of(7) });
  const merged = new Sketch();
  merged.mergePacked((endless as Summaries).rows[0]!.sketch!); // as it was written
  expect(merged.count()).toBe(2 ** 53);
});

test('a block that was written before there were columns is still read', async () => {
  // Version 1: JSON below zstd, written by ragwarden before it had tiers.
  const { zstdCompressSync } = await import('node:zlib');
  const body = {
    t: [1_000, 5_000],
    s: [
      ['up', { target: 'a' }, 'gauge', [null, 'NaN']],
      ['n_total', {}, 'counter', [1, 2]],
    ],
  };
  const payload = Buffer.concat([Buffer.of(1), zstdCompressSync(JSON.stringify(body))]);
  const read = await openBlock(payload);
  expect(plain(await read.series())).toEqual([
    { of: 'up', labels: { target: 'a' }, type: 'gauge', kind: 'samples', times: [6_000], values: [Number.NaN] },
    { of: 'n_total', labels: {}, type: 'counter', kind: 'samples', times: [1_000, 6_000], values: [1, 2] },
  ]);
});
