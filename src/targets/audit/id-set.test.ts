import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createIdSet, createNumbers, hashOf } from './id-set.ts';

const sealed = (ids: readonly string[]): ReturnType<ReturnType<typeof createIdSet>['seal']> => {
  const set = createIdSet();
  for (const id of ids) set.add(id);
  return set.seal();
};

test('a sealed set answers as a Set does', () => {
  const ids = fc.array(fc.string({ maxLength: 2 }));
  fc.assert(
    fc.property(ids, ids, (these, others) => {
      const [a, b] = [sealed(these), sealed(others)];
      const [realA, realB] = [new Set(these), new Set(others)];
      expect(a.size).toBe(realA.size);
      expect(a.duplicates).toBe(these.length - realA.size);
      expect(others.every((id) => a.has(id) === realA.has(id))).toBe(true);
      expect(a.countMissingIn(b)).toBe([...realA].filter((id) => !realB.has(id)).length);
    }),
  );
});

test('similar ids have different hashes', () => {
  const hashes = new Set(Array.from({ length: 50_000 }, (_, n) => hashOf(`doc-${n}-chunk-000`)));
  expect(hashes.size).toBe(50_000);
});

test('above its limit a set says that it cannot tell', () => {
  const set = createIdSet(3);
  for (const id of ['a', 'b', 'c', 'd']) set.add(id);
  expect(set.seal().isOverfull).toBe(true);
  const numbers = createNumbers(2_000);
  for (let n = 0; n < 2_000; n += 1) numbers.push(n);
  expect(numbers.isOverfull()).toBe(false);
  expect(numbers.values().at(-1)).toBe(1_999);
});
