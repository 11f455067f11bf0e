import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Distributions } from './distributions.ts';
import { Sketch } from './sketch.ts';
import { type Batch, Interval } from './summary.ts';

const boundsOf = [[], [5], [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 1_000_000], [0, 1, 1.0001, 1.0002, 2 ** 40]] as const;
const value = fc.oneof(
  fc.constantFrom(0, -0, 1, 5, 5_000, 1_000, 0.1, 1.0001, Number.MIN_VALUE, 1e290),
  fc.double({ min: 0, max: 1e6, noNaN: true }),
);
const batch = fc
  .array(fc.tuple(value, fc.integer({ min: 1, max: 5 })), { minLength: 1, maxLength: 4 })
  .map((pairs): Batch => {
    const values = pairs.map(([one]) => one);
    const counts = pairs.map(([, count]) => count);
    const sum = pairs.reduce((total, [one, count]) => total + one * count, 0);
    const count = counts.reduce((total, one) => total + one, 0);
    return { count, sum, min: Math.min(...values), max: Math.max(...values), values, counts };
  });
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constant('values' as const), values: fc.array(value, { maxLength: 70 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('same' as const), one: value, times: fc.nat(70) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('batch' as const), batch }) },
  { weight: 3, arbitrary: fc.constant({ kind: 'take' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'anew' as const }) },
);

/** Counted one by one, as nobody would mistake it. */
function createPlain(bounds: readonly number[], scale: number) {
  const made = { interval: new Interval(), buckets: new Array<number>(bounds.length + 1).fill(0), sum: 0 };
  const find = (one: number): number => {
    const at = bounds.findIndex((bound) => one * scale <= bound);
    return at < 0 ? bounds.length : at;
  };
  return Object.assign(made, {
    add(one: number): void {
      made.interval.add(one);
      made.buckets[find(one)]! += 1;
      made.sum += one;
    },
    addBatch(many: Batch): void {
      made.interval.addBatch(many);
      for (const [i, one] of many.values.entries()) made.buckets[find(one)]! += many.counts[i]!;
      made.sum += many.sum;
    },
  });
}

const unpacked = (packed: Uint8Array | undefined) => {
  const sketch = new Sketch();
  if (packed) sketch.mergePacked(packed);
  return [0, 0.25, 0.5, 0.9, 1].map((q) => sketch.quantile(q));
};

test('law: buckets and percentiles are those of counting each value as it comes, whatever waits and whatever ends', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...boundsOf),
      fc.constantFrom(1, 0.001, 1_024),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), step), { maxLength: 40 }),
      (bounds, scale, steps) => {
        const columns = bounds.length + 1;
        const totals = { values: new Float64Array(8), buckets: new Float64Array(8 * columns) };
        const kept = new Distributions(bounds, scale, totals);
        const plain = Array.from({ length: 7 }, () => createPlain(bounds, scale));
        for (let slot = 1; slot < 7; slot += 1) kept.begin(slot);
        const sameSum = (a: number, b: number): void => expect(Math.abs(a - b)).toBeLessThanOrEqual(Math.abs(b) * 1e-9);
        const take = (slot: number): void => {
          const one = plain[slot]!;
          expect(kept.count(slot)).toBe(one.interval.count);
          const [mine, theirs] = [kept.take(slot), one.interval.take()];
          expect(mine === undefined).toBe(theirs === undefined);
          if (mine !== undefined && theirs !== undefined) {
            const { sketch, sum, ...rest } = mine;
            const { sketch: otherSketch, sum: otherSum, ...others } = theirs;
            // -0 and 0 are one value, and which of them is the least depends on who asks.
            expect(JSON.stringify(rest)).toBe(JSON.stringify(others));
            sameSum(sum, otherSum);
            expect(unpacked(sketch)).toEqual(unpacked(otherSketch));
          }
          expect([...totals.buckets.subarray(slot * columns, (slot + 1) * columns)]).toEqual(one.buckets);
          sameSum(totals.values[slot]!, one.sum);
        };
        for (const [slot, one] of steps) {
          if (one.kind === 'take') take(slot);
          else if (one.kind === 'batch') {
            kept.addBatch(slot, one.batch);
            plain[slot]!.addBatch(one.batch);
          } else if (one.kind === 'anew') {
            kept.end(slot);
            kept.begin(slot);
            totals.values[slot] = 0;
            totals.buckets.fill(0, slot * columns, (slot + 1) * columns);
            plain[slot] = createPlain(bounds, scale);
          } else
            for (const each of one.kind === 'same' ? new Array<number>(one.times).fill(one.one) : one.values) {
              kept.add(slot, each);
              plain[slot]!.add(each);
            }
        }
        for (let slot = 1; slot < 7; slot += 1) take(slot);
      },
    ),
    { numRuns: 150 },
  );
});

test('what is recorded through a handle whose series is gone is in nobody’s counts', () => {
  const totals = { values: new Float64Array(4), buckets: new Float64Array(8) };
  const kept = new Distributions([1], 1, totals);
  kept.begin(1);
  for (let i = 0; i < 100; i += 1) kept.add(0, i);
  expect(kept.take(0)).toBeUndefined();
  expect([...totals.values, ...totals.buckets].some((one) => one !== 0)).toBe(false);
});
