import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CounterHandle, DistributionHandle } from '../handles.ts';
import { createRecorder, type Recorder } from '../recorder.ts';
import { createMetricRegistry, type MetricRegistry } from '../registry.ts';
import { Sketch } from '../sketch.ts';
import { heldClock } from '../test-metrics.ts';
import { batchOfBuckets, batchOfExponential } from './batch.ts';
import { createIntake, createIntakeCounters, type Growth, type Intake, type PointValue } from './intake.ts';

const start = Date.UTC(2026, 0, 5, 12);

type Made = {
  clock: ReturnType<typeof heldClock>;
  registry: MetricRegistry;
  recorder: Recorder;
  intake: Intake;
  grown: Growth[];
};
function make(): Made {
  const clock = heldClock(start);
  const registry = createMetricRegistry({ clock });
  const recorder = createRecorder({ registry, clock });
  const grown: Growth[] = [];
  const intake = createIntake({
    ...{ recorder, counters: createIntakeCounters(registry), clock, source: 'otlp', endedAfterMs: 60_000 },
    onGrown: (_, __, growth) => grown.push(growth),
  });
  return { clock, registry, recorder, intake, grown };
}
const series = { name: 'runs_total', labels: { job: 'a' } };
const total = (made: Made, startMs: number | undefined, value: number, atMs = made.clock.now()) =>
  made.intake.take(series, { atMs, startMs }, { kind: 'amount', value, counted: 'since-start' });
const counted = ({ recorder }: Made): number => {
  const handle = recorder.series({ ...series, type: 'counter' });
  return handle instanceof CounterHandle ? handle.value() : Number.NaN;
};

describe('a total', () => {
  test('counts what it grew by, from nothing where it began in our time', () => {
    const made = make();
    for (const value of [5, 9, 9, 12]) {
      made.clock.at += 1_000;
      total(made, start + 500, value);
    }
    expect(counted(made)).toBe(12);
  });

  test('that began before us counts from what it was when it was first seen: an earlier life may have counted the rest', () => {
    const made = make();
    made.clock.at += 1_000;
    total(made, start - 60_000, 1_000);
    made.clock.at += 1_000;
    total(made, start - 60_000, 1_007);
    expect(counted(made)).toBe(7);
  });

  test('of unknown begin counts from when it was first seen, and anew when it falls', () => {
    const made = make();
    for (const value of [100, 130, 4, 6]) {
      made.clock.at += 1_000;
      total(made, undefined, value);
    }
    expect(counted(made)).toBe(30 + 4 + 2);
  });

  test('of two programs under one name are added, not mistaken for each other', () => {
    const made = make();
    for (const [a, b] of [
      [10, 1],
      [20, 2],
      [30, 3],
    ] as const) {
      made.clock.at += 1_000;
      total(made, start + 100, a);
      total(made, start + 200, b);
    }
    expect(counted(made)).toBe(33);
  });

  test('that was silent has a gap, and what it grew by meanwhile counts when it comes back', () => {
    const made = make();
    made.clock.at += 1_000;
    total(made, start + 500, 10);
    made.clock.at += 120_000;
    expect(made.intake.expire()).toBe(1);
    const family = made.registry.families().find(({ definition }) => definition.storedName === 'runs_total');
    expect(family?.seriesCount).toBe(0);
    total(made, start + 500, 25);
    expect(counted(made)).toBe(15);
  });

  test('that was forgotten is not counted a second time', () => {
    const made = make();
    made.clock.at += 1_000;
    total(made, start + 500, 10);
    made.clock.at += 2 * 86_400_000;
    made.intake.expire();
    expect(made.intake.streams).toBe(0);
    total(made, start + 500, 10);
    expect(counted(made)).toBe(0);
  });

  test('law: growth is the same whether it is told as totals or as amounts, in whatever order totals come', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1_000), { minLength: 1, maxLength: 20 }), fc.array(fc.nat()), (amounts, swaps) => {
        const [asTotals, asAmounts] = [make(), make()];
        const points: { atMs: number; value: number }[] = [];
        let sum = 0;
        amounts.forEach((amount, i) => {
          sum += amount;
          const atMs = start + 1_000 * (i + 1);
          points.push({ atMs, value: sum });
          asAmounts.clock.at = atMs;
          const time = { atMs, startMs: atMs - 1_000 };
          asAmounts.intake.take(series, time, { kind: 'amount', value: amount, counted: 'since-last' });
        });
        for (const swap of swaps) points.push(points.splice(swap % points.length, 1)[0]!);
        asTotals.clock.at = start + 30_000;
        for (const { atMs, value } of points) total(asTotals, start + 1, value, atMs);
        // Whatever order they come in, the latest total is what there is.
        expect(counted(asTotals)).toBe(counted(asAmounts));
      }),
      { numRuns: 50 },
    );
  });
});

describe('a distribution', () => {
  const take = (made: Made, value: PointValue): void => {
    made.clock.at += 1_000;
    expect(made.intake.take({ name: 'took', labels: {} }, { atMs: made.clock.now(), startMs: start + 1 }, value)).toBe(
      undefined,
    );
  };
  const explicit = (counts: number[], sum: number, bounds = [10, 20]): PointValue => ({
    ...{ kind: 'buckets', counted: 'since-start', value: { counts, bounds, sum } },
  });
  const counts = ({ recorder }: Made): number => {
    const handle = recorder.series({ name: 'took', labels: {}, type: 'histogram' });
    return handle instanceof DistributionHandle ? handle.count() : Number.NaN;
  };

  test('told as totals counts what each bucket grew by, and all of them when it began anew', () => {
    const made = make();
    take(made, explicit([1, 2, 0], 40));
    take(made, explicit([1, 5, 1], 130));
    take(made, explicit([0, 1, 0], 12));
    expect(made.grown.map(({ count, sum }) => [count, sum])).toEqual([
      [3, 40],
      [4, 90],
      [1, 12],
    ]);
    expect(counts(made)).toBe(8);
  });

  test.each<[string, PointValue]>([
    ['more values than can be counted', explicit([2 ** 53, 1, 0], 40)],
    ['a sum without end', explicit([1, 0, 0], 1e300)],
    ['a bound beyond', explicit([1, 0, 0], 1, [1, 1e300])],
    [
      'exponential buckets that reach beyond',
      {
        ...{ kind: 'exponential buckets', counted: 'since-last', sum: 1, min: undefined, max: undefined },
        value: {
          scale: 0,
          zeroCount: 0,
          positive: { offset: 1_000, counts: [1] },
          negative: { offset: 0, counts: [] },
        },
      },
    ],
  ])('with %s is refused', (_, value) => {
    const made = make();
    const refusal = made.intake.take({ name: 'took', labels: {} }, { atMs: start, startMs: start }, value);
    expect(refusal?.reason).toBe('value');
    expect(counts(made)).toBe(0);
  });

  test('is refused where more buckets would have to be remembered than are allowed, and taken again when others are forgotten', () => {
    const made = make();
    const wide = {
      counts: new Array<number>(2_000).fill(1),
      bounds: Array.from({ length: 1_999 }, (_, i) => i),
      sum: 1,
    };
    const takeWide = (i: number) =>
      made.intake.take(
        { name: 'took', labels: { i: String(i) } },
        { atMs: made.clock.now(), startMs: start },
        { kind: 'buckets', counted: 'since-start', value: wide },
      );
    for (let i = 0; i < 1_000; i += 1) expect(takeWide(i)).toBeUndefined();
    const next = { name: 'other', labels: {} };
    const takeNext = () => made.intake.take(next, { atMs: made.clock.now(), startMs: start }, explicit([1, 2, 3], 4));
    expect(takeNext()?.reason).toBe('too-many');
    made.clock.at += 1_000;
    expect(takeWide(0)).toBeUndefined();
    made.clock.at += 86_400_000;
    made.intake.expire();
    expect(takeNext()).toBeUndefined();
  });

  test('with exponential buckets that became coarser meanwhile counts what came, not what was merged', () => {
    const made = make();
    const exponential = (scale: number, offset: number, positive: number[], zeroCount = 0): PointValue => ({
      ...{ kind: 'exponential buckets', counted: 'since-start', sum: undefined, min: undefined, max: undefined },
      value: { scale, zeroCount, positive: { offset, counts: positive }, negative: { offset: 0, counts: [] } },
    });
    take(made, exponential(1, 0, [1, 1, 1, 1]));
    take(made, exponential(0, 0, [2, 2, 0, 3], 1));
    expect(made.grown.map(({ count }) => count)).toEqual([4, 4]);
    const [, second] = made.grown;
    // Bucket 3 of scale 0 is (8, 16].
    expect(second).toMatchObject({ values: [0, 12], counts: [1, 3], min: 0, max: 16 });
  });

  test('law: count and sum are exact, and a percentile is beside the true one by no more than its bucket is wide', () => {
    const bounds = [1, 2, 5, 10, 20, 50, 100];
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 10_000 }), { minLength: 1, maxLength: 300 }), (raw) => {
        const values = raw.map((one) => one / 100).sort((a, b) => a - b);
        const buckets = new Array<number>(bounds.length + 1).fill(0);
        for (const value of values) buckets[bounds.findIndex((bound) => value <= bound)]! += 1;
        const sum = values.reduce((a, b) => a + b, 0);
        const batch = batchOfBuckets({ counts: buckets, bounds, sum, min: values[0], max: values.at(-1) })!;
        expect([batch.count, batch.sum, batch.min, batch.max]).toEqual([values.length, sum, values[0], values.at(-1)]);
        expect(batch.counts.reduce((a, b) => a + b, 0)).toBe(values.length);
        const sketch = new Sketch();
        batch.values.forEach((value, i) => void sketch.add(value, batch.counts[i]));
        for (const q of [0.5, 0.9, 0.99]) {
          const truth = values[Math.ceil(q * values.length) - 1]!;
          const at = bounds.findIndex((bound) => truth <= bound);
          const width = bounds[at]! - (bounds[at - 1] ?? 0);
          expect(Math.abs(sketch.quantile(q)! - truth)).toBeLessThanOrEqual(width * (1 + 1 / 64));
        }
      }),
    );
  });

  test('law: exponential buckets are read to within half their width', () => {
    fc.assert(
      fc.property(fc.integer({ min: -2, max: 6 }), fc.integer({ min: -20, max: 20 }), (scale, index) => {
        const [low, high] = [2 ** (index * 2 ** -scale), 2 ** ((index + 1) * 2 ** -scale)];
        const batch = batchOfExponential(
          {
            ...{ scale, zeroCount: 0, positive: { offset: index, counts: [3] } },
            negative: { offset: index, counts: [1] },
          },
          { sum: undefined, min: undefined, max: undefined },
        );
        expect(batch).toMatchObject({ count: 4, min: -high, max: high, counts: [1, 3] });
        expect(batch?.values[1]).toBeCloseTo((low + high) / 2, 9);
      }),
    );
  });
});
