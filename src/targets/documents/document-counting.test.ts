import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BackendDocument } from './document.ts';
import { type Counted, countEnded, reachesBack } from './document-counting.ts';

const document = (id: string, status: string, updatedMs: number): BackendDocument => ({
  id,
  status,
  filePath: `${id}.txt`,
  trackId: 't',
  createdMs: 0,
  updatedMs,
  error: null,
  isDuplicate: false,
});
const ids = (ended: readonly BackendDocument[]): string[] => ended.map((one) => one.id).sort();

test('what ended before the first look was not seen to end; what ends afterwards is counted once', () => {
  const first = countEnded(undefined, [document('a', 'processed', 1_000), document('b', 'processing', 2_000)]);
  expect(first.ended).toEqual([]);
  const seen = [document('b', 'processed', 3_000), document('a', 'processed', 1_000)];
  const second = countEnded(first.counted, seen);
  expect(ids(second.ended)).toEqual(['b']);
  expect(countEnded(second.counted, seen).ended).toEqual([]);
});

test('an empty workspace at the first look, and everything after it', () => {
  const { counted } = countEnded(undefined, []);
  expect(ids(countEnded(counted, [document('a', 'failed', 5_000)]).ended)).toEqual(['a']);
});

test('a document that fails and is tried again ends twice', () => {
  const before = countEnded(undefined, []).counted;
  const failed = countEnded(before, [document('a', 'failed', 5_000)]);
  const again = countEnded(failed.counted, [document('a', 'processed', 6_000)]);
  expect(again.ended.map((one) => one.status)).toEqual(['processed']);
});

test('one that is written late, with an earlier time than the newest, is not lost', () => {
  const before = countEnded(undefined, [document('x', 'processed', 100_000)]).counted;
  const first = countEnded(before, [document('b', 'processed', 120_000)]);
  const late = countEnded(first.counted, [document('b', 'processed', 120_000), document('a', 'processed', 119_000)]);
  expect(ids(late.ended)).toEqual(['a']);
});

test('looks in any rhythm, with restarts in between, count each end exactly once', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(30_000), { minLength: 1, maxLength: 60 }),
      fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }),
      (gaps, looks) => {
        let atMs = 1;
        let counted: Counted = { upToMs: 0, recent: [] };
        const all: BackendDocument[] = [];
        const found: string[] = [];
        gaps.forEach((gap, i) => {
          atMs += gap;
          all.push(document(`d${i}`, i % 3 === 0 ? 'failed' : 'processed', atMs));
          if (!looks[i] && i < gaps.length - 1) return;
          const look = countEnded(counted, all.toReversed());
          found.push(...look.ended.map((one) => one.id));
          // What a restart finds is what was written down.
          counted = JSON.parse(JSON.stringify(look.counted)) as Counted;
        });
        expect(found.sort()).toEqual(all.map((one) => one.id).sort());
      },
    ),
  );
});

test('pages are read back to what was counted, and no further', () => {
  const counted: Counted = { upToMs: 100_000, recent: [] };
  expect(reachesBack(counted, [document('a', 'processed', 90_000)])).toBe(false);
  expect(reachesBack(counted, [document('a', 'processed', 90_000), document('b', 'processed', 39_999)])).toBe(true);
  expect(reachesBack(undefined, [])).toBe(true);
});
