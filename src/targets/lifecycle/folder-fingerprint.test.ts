import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findChange, fingerprintFolder } from './folder-fingerprint.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-fingerprint-'));
  mkdirSync(join(folder, 'library/inner'), { recursive: true });
  writeFileSync(join(folder, 'library/a'), 'one');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a folder in which nothing moves has one fingerprint', async () => {
  expect(findChange(await fingerprintFolder(folder), await fingerprintFolder(folder))).toBeUndefined();
});

test.each([
  ['a longer file', () => writeFileSync(join(folder, 'library/a'), 'longer'), 'library'],
  ['other bytes of the same length', () => writeFileSync(join(folder, 'library/a'), 'two'), 'library'],
  ['a touched file', () => utimesSync(join(folder, 'library/a'), 1, 1), 'library'],
  [
    'a replaced file',
    () => {
      writeFileSync(join(folder, 'library/b.tmp'), 'one');
      renameSync(join(folder, 'library/b.tmp'), join(folder, 'library/a'));
    },
    'library',
  ],
  ['a new file deep inside', () => writeFileSync(join(folder, 'library/inner/b'), ''), 'library/inner'],
  ['a folder that is gone', () => rmSync(join(folder, 'library/inner'), { recursive: true }), 'library/inner'],
] as const)('%s changes it, and the place is named', async (_name, change, where) => {
  const before = await fingerprintFolder(folder);
  change();
  expect(findChange(before, await fingerprintFolder(folder))).toBe(join(folder, where));
});

test('our own folder and a missing one do not count', async () => {
  mkdirSync(join(folder, '.ragwarden'));
  const before = await fingerprintFolder(folder);
  writeFileSync(join(folder, '.ragwarden/journal'), 'x');
  expect(findChange(before, await fingerprintFolder(folder))).toBeUndefined();
  const none = join(folder, 'none');
  expect(findChange(await fingerprintFolder(none), await fingerprintFolder(none))).toBeUndefined();
});
