import fc from 'fast-check';
import { expect, test } from 'vitest';
import { factsOfTags, type PointFacts, tagChanges, tagsOfFacts } from './facts.ts';

const instant = fc.integer({ min: 0, max: 4_102_444_800_000 });
const orNull = <Value>(of: fc.Arbitrary<Value>) => fc.option(of, { nil: null });
const facts = fc.record({
  startedMs: instant,
  finishedMs: orNull(instant),
  verifiedMs: orNull(instant),
  storedBytes: orNull(fc.maxSafeNat()),
  operationId: orNull(fc.stringMatching(/^op_[0-9a-z]{26}$/)),
  pinned: fc.boolean(),
});
const others = ['rp:backup_20261122_093000_x7k2', 'manifest', 'target:default', 'component:workspace'];

test('what is noted as tags is read back the same, beside all other tags', () => {
  fc.assert(
    fc.property(facts, (known) => {
      const read = factsOfTags([...others, ...tagsOfFacts(known, null)]);
      expect(read).toEqual({ facts: known satisfies PointFacts, unreadable: [] });
    }),
  );
});

test('changing one set of facts into another touches no other tag, and a second time nothing', () => {
  fc.assert(
    fc.property(facts, facts, (from, to) => {
      const [present, wanted] = [[...others, ...tagsOfFacts(from, null)], tagsOfFacts(to, null)];
      const { add, remove } = tagChanges(present, wanted);
      const after = [...present.filter((tag) => !remove.includes(tag)), ...add];
      expect(new Set(after)).toEqual(new Set([...others, ...wanted]));
      expect(tagChanges(after, wanted)).toEqual({ add: [], remove: [] });
    }),
  );
});

test('what the manifest says is not said again', () => {
  const known = {
    startedMs: 1,
    finishedMs: null,
    verifiedMs: null,
    storedBytes: null,
    operationId: 'op_1',
    pinned: false,
  };
  expect(tagsOfFacts(known, { started_at: '1970-01-01T00:00:00.001Z', operation_id: 'op_1' })).toEqual([]);
  expect(tagsOfFacts(known, {})).toEqual(['started-at:1970-01-01T00:00:00.001Z', 'operation:op_1']);
});

test.each([
  'verified-at:yesterday',
  'verified-at:2026-11-22',
  'stored-bytes:-1',
  'stored-bytes:1e3',
  'stored-bytes:99999999999999999',
  'operation:../x',
])('%s says nothing and is named', (tag) => {
  expect(factsOfTags([tag])).toEqual({
    facts: { startedMs: null, finishedMs: null, verifiedMs: null, storedBytes: null, operationId: null, pinned: false },
    unreadable: [tag],
  });
});
