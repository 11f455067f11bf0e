import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isStale, sourceFiles, sourceStamp, stampFile, takeStamp, writeStamp } from './stamp.mjs';

let root;
const write = (name, content) => {
  mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
  writeFileSync(path.join(root, name), content);
};

beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'ragwarden-stamp-'));
  write('src/main.ts', 'one');
  write('package-lock.json', '{}');
  mkdirSync(path.join(root, 'dist'));
  writeStamp(path.join(root, 'dist'), takeStamp(root));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('is current right after a build', () => {
  expect(isStale(root)).toBe(false);
});

test.each([
  ['an edited source', () => write('src/main.ts', 'two')],
  ['a new source', () => write('web/page.tsx', 'page')],
  ['a removed source', () => rmSync(path.join(root, 'src/main.ts'))],
  ['a changed lock', () => write('package-lock.json', '{"x":1}')],
  ['a missing stamp', () => rmSync(stampFile(root))],
  ['a damaged stamp', () => write('dist/stamp.json', '{')],
])('is stale after %s', (_, change) => {
  change();
  expect(isStale(root)).toBe(true);
});

test('is current when only times changed, and notes the new times', () => {
  const before = readFileSync(stampFile(root), 'utf8');
  utimesSync(path.join(root, 'src/main.ts'), 1, 1);
  expect(isStale(root)).toBe(false);
  expect(readFileSync(stampFile(root), 'utf8')).not.toBe(before);
});

test('leaves tests, hidden folders and node_modules out', () => {
  const before = sourceStamp(root);
  write('src/main.test.ts', 'test');
  write('web/node_modules/x/index.js', 'x');
  write('src/.cache/y', 'y');
  expect(sourceFiles(root)).toEqual(['package-lock.json', 'src/main.ts']);
  expect(sourceStamp(root)).toBe(before);
});

test('tells a moved boundary between two files', () => {
  write('src/a.ts', 'xy');
  write('src/b.ts', 'z');
  const before = sourceStamp(root);
  write('src/a.ts', 'x');
  write('src/b.ts', 'yz');
  expect(sourceStamp(root)).not.toBe(before);
});
