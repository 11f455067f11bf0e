import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { foldingBytes } from './fold-component.ts';
import type { SnapshotEntry } from './repository/index.ts';
import type { TreeEntry } from './sources/tree.ts';
import { entryLines, readEntries, writeWhole } from './staging.ts';
import { bytesOf, compareUnfolded } from './unfold-components.ts';

const entry = {
  path: 'a/kv_store_x.json',
  state: 'unfolded' as const,
  files: [
    { name: 'frame.jsonl', bytes: 7 },
    { name: 's0', bytes: 9 },
  ],
};
const listed = (sizes: Readonly<Record<string, number>>): Map<string, SnapshotEntry> =>
  new Map(
    Object.entries({ ...sizes, 'a/kv_store_x.json': -1 }).map(([name, sizeBytes]) => {
      const path = `/unfolded/workspace/${name}`;
      return [path, { path, type: sizeBytes < 0 ? 'dir' : 'file', sizeBytes, mode: 0o600, modifiedAtMs: 0 }];
    }),
  );

test.each([
  ['as it was unfolded', { 'a/kv_store_x.json/frame.jsonl': 7, 'a/kv_store_x.json/s0': 9 }, undefined],
  ['without a shard', { 'a/kv_store_x.json/frame.jsonl': 7 }, 'a/kv_store_x.json/s0 is missing'],
  [
    'with a shard cut short',
    { 'a/kv_store_x.json/frame.jsonl': 7, 'a/kv_store_x.json/s0': 8 },
    'has 8 bytes instead of 9',
  ],
  [
    'with one more',
    { 'a/kv_store_x.json/frame.jsonl': 7, 'a/kv_store_x.json/s0': 9, 'a/kv_store_x.json/s1': 1 },
    's1 is extra',
  ],
])('a snapshot %s is told', (_, sizes, problem) => {
  const compare = (): void => compareUnfolded('workspace', [entry], listed(sizes));
  if (problem === undefined) expect(compare).not.toThrow();
  else
    expect(compare).toThrow(
      expect.objectContaining({ code: 'backup/verification-failed', detail: expect.stringContaining(problem) }),
    );
});

const file = (path: string, bytes: number, stored?: 'unfolded'): TreeEntry => ({
  path,
  kind: 'file',
  bytes,
  sha256: 'a'.repeat(64),
  mode: 0o600,
  mtimeMs: 1,
  ...(stored ? { stored } : {}),
});

test('a list of entries says how a file is stored, and a word that is not known is refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'entries-'));
  try {
    const path = join(folder, 'workspace.jsonl');
    const entries = [file('a', 1), file('b', 2, 'unfolded')];
    const { sha256 } = await writeWhole(path, entryLines(entries));
    expect(await readEntries(path, sha256)).toEqual(entries);
    await writeFile(path, [...entryLines(entries)].join('').replace('"unfolded"', '"elsewhere"'));
    await expect(readEntries(path, sha256)).rejects.toMatchObject({ code: 'restore/unsafe-entry' });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('room for folding: one file twice, and what the unfolded state has more than the files', () => {
  const entries = [file('a', 100, 'unfolded'), file('b', 40, 'unfolded'), file('c', 1000)];
  expect(foldingBytes({}, [file('c', 1000)])).toBe(0);
  expect(foldingBytes({ unfolded: { files: 2, bytes: 120 } }, entries)).toBe(100);
  expect(foldingBytes({ unfolded: { files: 2, bytes: 200 } }, entries)).toBe(160);
  expect(bytesOf([entry, { path: 'x', state: 'plain', reason: '', lasting: true }])).toBe(16);
});
