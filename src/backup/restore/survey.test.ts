import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { surveyFolder } from './survey.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'survey-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

test('adds up each top-level name, without our own folder and without following links', async () => {
  await mkdir(join(root, 'sub', 'deep'), { recursive: true });
  await mkdir(join(root, '.ragwarden'));
  await writeFile(join(root, 'a'), 'xxx');
  await writeFile(join(root, 'sub', 'deep', 'b'), 'yy');
  await writeFile(join(root, '.ragwarden', 'c'), 'zzzz');
  await symlink('/etc', join(root, 'out'));
  const { entries, freeBytes, exists, mountPoints, obstacles } = await surveyFolder(root, Date.now());
  expect(entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
    { name: 'a', files: 1, bytes: 3 },
    { name: 'out', files: 0, bytes: 0 },
    { name: 'sub', files: 1, bytes: 2 },
  ]);
  expect({ exists, mountPoints, obstacles }).toEqual({ exists: true, mountPoints: [], obstacles: [] });
  expect(freeBytes).toBeGreaterThan(0);
});

test('names the files written after the point, but not those of names that are kept', async () => {
  await mkdir(join(root, 'other'));
  for (const [path, seconds] of [
    ['old', 1000],
    ['new', 3000],
    ['other/new', 3000],
  ] as const) {
    await writeFile(join(root, path), 'x');
    await utimes(join(root, path), seconds, seconds);
  }
  const { newer } = await surveyFolder(root, 2_000_000, { keep: [{ name: 'other', reason: 'theirs' }] });
  expect(newer).toEqual({ files: 1, bytes: 1, examples: [{ path: 'new', bytes: 1, mtimeMs: 3_000_000 }] });
});

test('a folder that is gone is empty, with the free space of the folder above', async () => {
  const found = await surveyFolder(join(root, 'gone', 'deeper'), 0);
  expect(found).toMatchObject({ exists: false, entries: [] });
  expect(found.freeBytes).toBeGreaterThan(0);
});

test('a top-level name that is not UTF-8 stands in the way', async () => {
  await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff])]), '');
  expect((await surveyFolder(root, 0)).obstacles).toEqual([expect.stringContaining('UTF-8')]);
});
