import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLabelNames, finishHash, hashText, KnownNames, type LabelNames } from './label-names.ts';
import { SeriesTable } from './series-table.ts';

const sets: readonly LabelNames[] = [[], ['a'], ['b'], ['a', 'b'], ['a', 'b', 'c']].map(createLabelNames);
const text = fc.oneof(fc.constantFrom('', 'x', 'y', 'xy', 'yx'), fc.string({ maxLength: 5 }));
const labels = fc
  .nat(sets.length - 1)
  .chain((set) => fc.array(text, { minLength: set, maxLength: set }).map((values) => ({ set, values })))
  .map(({ set, values }) => ({ names: sets[set]!, values: sets[set]!.names.map((_, i) => values[i] ?? '') }));

test('law: whatever came and went, a series is found by its labels and by no others', () => {
  const steps = fc.array(fc.record({ labels, ends: fc.boolean() }), { maxLength: 120 });
  fc.assert(
    fc.property(steps, labels, (all, other) => {
      const table = new SeriesTable(0);
      const known = new Map<string, number>();
      const keyOf = ({ names, values }: typeof other) => JSON.stringify([names.names, values]);
      const free: number[] = [];
      let end = 1;
      for (const one of all) {
        const slot = known.get(keyOf(one.labels));
        expect(table.find(one.labels.names, one.labels.values)).toBe(slot ?? 0);
        if (slot === undefined) {
          const own = free.pop() ?? end++;
          table.add(own, one.labels.names, one.labels.values);
          known.set(keyOf(one.labels), own);
        } else if (one.ends) {
          table.remove(slot);
          known.delete(keyOf(one.labels));
          free.push(slot);
        }
      }
      expect(table.size).toBe(known.size);
      for (const one of [...all.map((step) => step.labels), other]) {
        const slot = known.get(keyOf(one)) ?? 0;
        // Equal names that another object holds are the same names.
        expect(table.find(createLabelNames(one.names.names), one.values)).toBe(slot);
        if (slot !== 0) expect(table.valuesOf(slot)).toEqual(one.values);
      }
    }),
    { numRuns: 150 },
  );
});

test('names that are written in another order lead to the same series', () => {
  const names = new KnownNames();
  const known = names.of(['a', 'b', 'c']);
  names.remember(['c', 'a', 'b'], known);
  const step = ['c', 'a', 'b'].reduce((at, name) => at?.find(name), names.start as typeof names.start | undefined);
  const table = new SeriesTable(3);
  table.add(1, known, ['1', '2', '3']);
  expect(table.find(known, ['3', '1', '2'], step?.written?.order)).toBe(1);
  expect(table.find(known, ['3', '1', '2'])).toBe(0);
});

test('ways to write names are forgotten before they become too many', () => {
  const names = new KnownNames();
  const first = names.start;
  for (let i = 0; i < 1_001; i += 1) names.remember([`n${i}`], names.of([`n${i}`]));
  expect(names.start).not.toBe(first);
  expect(names.start.find('n1000')?.written?.known.names).toEqual(['n1000']);
});

test('texts that differ in one place spread over a table', () => {
  const seen = new Set<number>();
  for (let i = 0; i < 10_000; i += 1) seen.add(finishHash(hashText(1, `/api/${i}/x`)) & 0x3fff);
  // 10,000 balls in 16,384 boxes leave 7,485 boxes with one at least when they fall at random.
  expect(seen.size).toBeGreaterThan(7_000);
});
