import fc from 'fast-check';
import { expect, test } from 'vitest';
import { blockOf, encodeBlock, openBlock, type Samples } from './block.ts';
import { Column, GrowingSamples, RowTimes } from './growing-samples.ts';

const column = (type: 'counter' | 'gauge', value: number): Column =>
  new Column({ name: 'm', labels: { a: 'b' }, type }, 0, value);
const plain = (type: 'counter' | 'gauge', values: readonly number[]): Samples => ({
  ...{ name: 'm', labels: { a: 'b' }, type, kind: 'samples' },
  times: Float64Array.from(values, (_, i) => i),
  values: Float64Array.from(values),
});
const entryOf = ({ type, firstMs, lastMs, first, all }: ReturnType<typeof blockOf>['entries'][number]) => ({
  ...{ type, firstMs, lastMs, first, all: { ...all } },
});

test('a column that grows says at each moment what a column of its values says, also when it is asked later', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('counter' as const, 'gauge' as const),
      fc.array(fc.oneof(fc.nat(1_000), fc.double()), { minLength: 1, maxLength: 12 }),
      fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
      fc.nat(1_000),
      (type, values, asksAtOnce, replaced) => {
        const growing = column(type, values[0]!);
        const times: number[] = [0];
        const seen = values.map((value, at) => {
          if (at > 0) {
            growing.values.push(value);
            times.push(at);
          }
          const one = new GrowingSamples(growing, new RowTimes(times));
          // Whoever asks at once does, the others only after all that came later.
          if (asksAtOnce[at]) void one.all;
          return one;
        });
        growing.values[values.length - 1] = replaced;
        for (const [at, one] of seen.entries()) {
          const same = plain(type, values.slice(0, at + 1));
          expect([...one.times]).toEqual([...same.times]);
          expect([...one.values]).toEqual([...same.values]);
          expect(entryOf(blockOf([one]).entries[0]!)).toEqual(entryOf(blockOf([same]).entries[0]!));
        }
      },
    ),
  );
});

test('written, it is what a column of its values is', async () => {
  const growing = column('counter', 3);
  growing.values.push(5, 1);
  const one = new GrowingSamples(growing, new RowTimes([0, 1, 2]));
  const [found] = await (await openBlock(await encodeBlock([one], 'quick'))).series();
  expect(found).toEqual(plain('counter', [3, 5, 1]));
  expect(await encodeBlock([one], 'none')).toEqual(await encodeBlock([plain('counter', [3, 5, 1])], 'none'));
});
