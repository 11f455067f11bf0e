import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findTornEnd } from './looks-complete.ts';
import { isPointId, newPointId, worstGrade } from './point.ts';
import type { TreeEntry } from './sources/tree.ts';
import { entryLines, readEntries, removeStaleScratch, writeWhole } from './staging.ts';

const folder = (): string => mkdtempSync(join(tmpdir(), 'ragwarden-staging-'));
const file: TreeEntry = { path: 'a', kind: 'file', bytes: 1, sha256: '0'.repeat(64), mode: 0o644, mtimeMs: 1 };

test('a list of entries is read back as it was written, whatever the names', async () => {
  const entry: fc.Arbitrary<TreeEntry> = fc.oneof(
    fc.record({
      path: fc.string({ unit: 'grapheme' }),
      kind: fc.constant('dir' as const),
      mode: fc.nat(0o777),
      mtimeMs: fc.nat(),
    }),
    fc.record({
      path: fc.string({ unit: 'grapheme' }),
      kind: fc.constant('symlink' as const),
      linkTarget: fc.string({ unit: 'grapheme' }),
      mode: fc.nat(0o777),
      mtimeMs: fc.nat(),
    }),
    fc.constant(file),
  );
  const path = join(folder(), 'entries.jsonl');
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 40 }), async (entries) => {
      const { sha256 } = await writeWhole(path, entryLines(entries));
      expect(await readEntries(path, sha256)).toEqual(entries);
    }),
    { numRuns: 30 },
  );
});

test('a list that was changed, or that is no list, is refused', async () => {
  const path = join(folder(), 'entries.jsonl');
  const { sha256 } = await writeWhole(path, entryLines([file]));
  writeFileSync(path, readFileSync(path, 'utf8').replace('"bytes":1', '"bytes":2'));
  await expect(readEntries(path, sha256)).rejects.toThrow('restore/digest-mismatch');
  writeFileSync(path, '{"path":"x","kind":"device"}\n');
  await expect(readEntries(path, sha256)).rejects.toThrow('restore/unsafe-entry');
  writeFileSync(path, 'nonsense\n');
  await expect(readEntries(path, sha256)).rejects.toThrow('restore/unsafe-entry');
});

test('a file that ends too early is seen, at every length', async () => {
  const path = join(folder(), 'x');
  const whole = JSON.stringify({ a: [1, { b: 'text' }] }, null, 2);
  writeFileSync(path, whole);
  expect(await findTornEnd(path, 'x.json')).toBeUndefined();
  writeFileSync(path, '');
  expect(await findTornEnd(path, 'x.json')).toMatch('empty');
  writeFileSync(path, whole.slice(0, 10));
  expect(await findTornEnd(path, 'x.json')).toMatch('cut off');
  writeFileSync(path, '<graphml><graph></graph></graph');
  expect(await findTornEnd(path, 'x.graphml')).toMatch('cut off');
  expect(await findTornEnd(path, 'x.txt')).toBeUndefined();
});

test('ids of points are unique within a second and are told from everything else', () => {
  const nowMs = Date.UTC(2026, 10, 22, 9, 30);
  let byte = 0;
  const id = newPointId(nowMs, (bytes) => Buffer.alloc(bytes, byte));
  byte = 1;
  expect(id).toBe('backup_20261122_093000_0000');
  expect(newPointId(nowMs, (bytes) => Buffer.alloc(bytes, byte))).not.toBe(id);
  expect(isPointId(id)).toBe(true);
  for (const bad of [
    '',
    '..',
    '../../etc',
    'backup_20261122_093000',
    `${id} `,
    `${id}/x`,
    '-rf',
    `${id}\n`,
    'x'.repeat(10_240),
  ])
    expect(isPointId(bad), bad.slice(0, 30)).toBe(false);
});

test('a point is as good as its worst component', () => {
  expect(worstGrade([])).toBe('consistent');
  expect(worstGrade(['consistent', 'fuzzy', 'crash-consistent'])).toBe('fuzzy');
  expect(worstGrade(['crash-consistent', 'consistent'])).toBe('crash-consistent');
});

test('scratch of plans and verifications that a kill left goes at the next start; trees, and what a restore needs, stay', async () => {
  const staging = folder();
  const stay = ['default', 'entries-backup', 'restore-op_1', 'verify-op'];
  for (const name of [...stay, 'entries-backup_20261122_010203_abcd-x1', 'verify-op_2']) mkdirSync(join(staging, name));
  await removeStaleScratch(staging);
  expect(readdirSync(staging).sort()).toEqual(stay);
  await removeStaleScratch(join(staging, 'not-there'));
});
