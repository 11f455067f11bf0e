import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TreeEntry } from '../sources/tree.ts';
import { decideUnits, type FolderSurvey, incomingOf, planSwap } from './plan.ts';

const survey = (more: Partial<FolderSurvey> = {}): FolderSurvey => ({
  root: '/data/rag_storage',
  exists: true,
  entries: [
    { name: 'kv.json', files: 1, bytes: 100 },
    { name: 'extra.json', files: 1, bytes: 7 },
    { name: 'other', files: 3, bytes: 50 },
  ],
  newer: { files: 1, bytes: 100, examples: [{ path: 'kv.json', bytes: 100, mtimeMs: 9 }] },
  mountPoints: [],
  obstacles: [],
  freeBytes: 1e9,
  ...more,
});
const entries: TreeEntry[] = [
  { path: 'kv.json', kind: 'file', bytes: 5000, sha256: 'a'.repeat(64), mode: 0o644, mtimeMs: 1 },
  { path: 'sub', kind: 'dir', mode: 0o755, mtimeMs: 1 },
  { path: 'sub/a', kind: 'file', bytes: 1, sha256: 'a'.repeat(64), mode: 0o644, mtimeMs: 1 },
];
const keep = [{ name: 'other', reason: 'the folder of another workspace' }];

describe('the plan of a restore', () => {
  test('says for every name what happens to it and why', () => {
    const plan = planSwap(survey(), incomingOf(entries), keep);
    expect(plan.items.map(({ name, action, oldBytes, newBytes }) => [name, action, oldBytes, newBytes])).toEqual([
      ['extra.json', 'remove', 7, 0],
      ['kv.json', 'replace', 100, 5000],
      ['other', 'keep', 50, 50],
      ['sub', 'add', 0, 1],
    ]);
    for (const item of plan.items) expect(item.reason).not.toBe('');
    expect(plan).toMatchObject({ bytesIn: 5001, bytesOut: 107, blockers: [], lost: { files: 1 } });
    // Whole blocks: two for 5000 bytes, one for the folder, one for one byte.
    expect(plan.freeNeededBytes).toBe(Math.ceil(4 * 4096 * 1.02) + 1024 * 1024);
  });

  test.each<[string, Partial<FolderSurvey>, string]>([
    ['too little space', { freeBytes: 10 }, 'are needed'],
    ['a mount point inside', { mountPoints: ['kv.json'] }, 'mount point'],
    ['a folder that may not be written', { obstacles: ['it may not be written'] }, 'written'],
  ])('is blocked by %s', (_name, more, told) => {
    expect(planSwap(survey(more), incomingOf(entries), keep).blockers).toEqual([expect.stringContaining(told)]);
  });

  test('a mount point below a kept name is out of the way; a kept name in the point is not', () => {
    expect(planSwap(survey({ mountPoints: ['other/deep'] }), incomingOf(entries), keep).blockers).toEqual([]);
    expect(planSwap(survey(), incomingOf(entries), [{ name: 'sub', reason: 'theirs' }]).blockers).toHaveLength(1);
  });

  test('every name moves unless it is kept, exactly in and out as it is there', () => {
    const names = fc.uniqueArray(fc.constantFrom<string>('a', 'b', 'c', 'd', '.ragwarden'));
    fc.assert(
      fc.property(names, names, names, (live, incoming, kept) => {
        const units = decideUnits(live, incoming, kept);
        const after = new Set(live);
        for (const unit of units) {
          expect([unit.old, unit.new]).toEqual([live.includes(unit.name), incoming.includes(unit.name)]);
          if (unit.old) after.delete(unit.name);
          if (unit.new) after.add(unit.name);
        }
        const untouched = (name: string): boolean => name === '.ragwarden' || kept.includes(name);
        expect(after).toEqual(new Set([...live.filter(untouched), ...incoming.filter((name) => !untouched(name))]));
      }),
    );
  });
});
