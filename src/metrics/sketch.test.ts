import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Sketch } from './sketch.ts';

const values = fc.array(
  fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer({ min: -50, max: 50 })),
  { minLength: 1, maxLength: 60 },
);
const ranks = [0, 0.01, 0.5, 0.9, 0.95, 0.99, 1];
const sketchOf = (of: readonly number[]): Sketch => {
  const sketch = new Sketch();
  for (const value of of) sketch.add(value);
  return sketch;
};

test('any percentile lies within 1/128 of the value of that rank', () => {
  fc.assert(
    fc.property(values, (of) => {
      const sorted = [...of].sort((a, b) => a - b);
      const sketch = sketchOf(of);
      for (const q of ranks) {
        const exact = sorted[Math.max(0, Math.ceil(q * of.length) - 1)]!;
        // Below the least number of full precision the buckets are all as wide as the least of them.
        expect(Math.abs(sketch.quantile(q)! - exact)).toBeLessThanOrEqual(Math.abs(exact) / 128 + 2 ** -1028);
      }
    }),
  );
});

test('merged in any grouping, packed or not, sketches say what one sketch of everything says', () => {
  fc.assert(
    fc.property(fc.array(values, { minLength: 1, maxLength: 4 }), (groups) => {
      const merged = new Sketch();
      for (const group of groups) merged.mergePacked(sketchOf(group).pack());
      const whole = sketchOf(groups.flat());
      expect(merged.count()).toBe(whole.count());
      for (const q of ranks) expect(merged.quantile(q)).toBe(whole.quantile(q));
      expect([...merged.pack()]).toEqual([...whole.pack()]);
    }),
    { numRuns: 40 },
  );
});

test('nothing counted has no percentile, and what was cleared is gone', () => {
  const sketch = new Sketch();
  expect(sketch.quantile(0.5)).toBeUndefined();
  sketch.add(3);
  sketch.clear();
  expect(sketch.quantile(0.5)).toBeUndefined();
});

test('bytes that are no sketch are refused', () => {
  expect(() => new Sketch().mergePacked(Uint8Array.of(0, 200))).toThrow();
  expect(() => new Sketch().mergePacked(Uint8Array.of(0, 1, 255, 255, 255, 127, 1, 0))).toThrow(/beyond all numbers/);
});
