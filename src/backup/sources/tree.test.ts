import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  entryProblems,
  type FileEntry,
  leadsOutside,
  pathProblem,
  sortEntries,
  type TreeEntry,
  treeDigest,
} from './tree.ts';

const file = (path: string, more: Partial<FileEntry> = {}): FileEntry => ({
  path,
  kind: 'file',
  bytes: 1,
  sha256: 'a'.repeat(64),
  mode: 0o644,
  mtimeMs: 1,
  ...more,
});
const dir = (path: string): TreeEntry => ({ path, kind: 'dir', mode: 0o755, mtimeMs: 1 });
const link = (path: string, linkTarget: string): TreeEntry => ({
  path,
  kind: 'symlink',
  linkTarget,
  mode: 0o777,
  mtimeMs: 1,
});

describe('paths of a tree', () => {
  test.each([
    '..',
    '../x',
    'a/../b',
    '/etc/passwd',
    '',
    'a//b',
    'a/',
    './a',
    'a\0b',
    '.ragwarden',
    'ws/.ragwarden/x',
    'x'.repeat(256),
    `${'d/'.repeat(2000)}f`,
    '\ud800',
  ])('refuses %j', (path) => {
    expect(pathProblem(path)).toBeDefined();
    expect(entryProblems([file(path)])).not.toEqual([]);
  });

  test.each(['a', 'a b', '…', 'é', 'e\u0301', '日本', '\u{1f600}', 'a\nb', 'a\\b', '-rf', '*', 'x'.repeat(255)])(
    'accepts %j',
    (path) => {
      expect(entryProblems([file(path)])).toEqual([]);
    },
  );
});

describe('entries of a manifest', () => {
  test('must be listed once, below listed folders, with plain permission bits, sizes and digests', () => {
    const broken = [
      file('a'),
      file('a'),
      file('b/c'),
      link('l', 'b'),
      file('l/x'),
      file('s', { mode: 0o4755 }),
      file('n', { bytes: -1 }),
      file('h', { sha256: 'xyz' }),
    ];
    expect(entryProblems(broken).map((item) => item.path)).toEqual(['a', 's', 'n', 'h', 'b/c', 'l/x']);
    expect(entryProblems([dir('b'), file('b/c'), link('b/l', '../b/c')])).toEqual([]);
  });

  test('a link is followed as the kernel follows it, through other links too', () => {
    const links = new Map([
      ['d1/d2/up', '../..'],
      ['deep', 'd1/d2'],
      ['loop', 'loop'],
    ]);
    expect(leadsOutside('x', 'd1/d2/up/../z', links)).toBe(true);
    expect(leadsOutside('x', 'deep/../..', links)).toBe(false);
    expect(leadsOutside('x', 'deep/../../..', links)).toBe(true);
    expect(leadsOutside('x', '/etc', links)).toBe(true);
    expect(leadsOutside('d1/x', '../../y', links)).toBe(true);
    expect(leadsOutside('d1/x', '../y', links)).toBe(false);
    expect(leadsOutside('x', 'loop/../../..', links)).toBe(false);
  });
});

describe('the digest of a tree', () => {
  const entries = fc.uniqueArray(
    fc.record({
      path: fc.stringMatching(/^[a-z\u00e9😀"\n]{1,8}$/u),
      bytes: fc.nat(),
      mode: fc.integer({ min: 0, max: 0o777 }),
    }),
    { selector: (entry) => entry.path },
  );

  test('does not depend on the order of its entries nor on times', () => {
    fc.assert(
      fc.property(entries, fc.nat(), (list, mtimeMs) => {
        const one = list.map((entry) => file(entry.path, entry));
        const other = one.toReversed().map((entry) => ({ ...entry, mtimeMs }));
        expect(treeDigest(other)).toBe(treeDigest(one));
      }),
    );
  });

  test('changes with every name, size, digest, permission, kind and target', () => {
    const base = [file('a'), dir('b'), link('c', 'a')];
    const variants = [
      [file('A'), dir('b'), link('c', 'a')],
      [file('a', { bytes: 2 }), dir('b'), link('c', 'a')],
      [file('a', { sha256: 'b'.repeat(64) }), dir('b'), link('c', 'a')],
      [file('a', { mode: 0o600 }), dir('b'), link('c', 'a')],
      [file('a'), file('b'), link('c', 'a')],
      [file('a'), dir('b'), link('c', 'b')],
      [file('a'), dir('b')],
    ];
    expect(new Set([base, ...variants].map(treeDigest)).size).toBe(variants.length + 1);
  });

  test('sorts by the bytes of UTF-8', () => {
    expect(sortEntries([file('\u{1f600}'), file('\uff5e'), file('a')]).map((entry) => entry.path)).toEqual([
      'a',
      '\uff5e',
      '\u{1f600}',
    ]);
  });
});
