import { execFileSync } from 'node:child_process';
import {
  appendFile,
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../platform/clock.ts';
import { createFilesSource } from '../sources/files/files-source.ts';
import type { CaptureResult } from '../sources/source.ts';
import { type TreeEntry, treeDigest } from '../sources/tree.ts';
import { checkStaged, requireSafeEntries, verifyRestored } from './check.ts';
import { dressStaged, openStage, ownerOf } from './stage.ts';
import { finishSwap, swapIn } from './swap.ts';

let base: string;
let live: string;
let captured: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'check-'));
  live = join(base, 'live');
  captured = join(base, 'captured');
  await mkdir(live);
});
afterEach(() => rm(base, { recursive: true, force: true }));

const capture = (folder = live, into = captured): Promise<CaptureResult> =>
  createFilesSource({ name: 'x', folder, mode: 'copy', writer: 'atomic' }).capture(into, {
    signal: new AbortController().signal,
    clock: systemClock,
  });

describe('what is staged', () => {
  let entries: readonly TreeEntry[];
  beforeEach(async () => {
    await mkdir(join(live, 'sub'));
    await writeFile(join(live, 'a'), 'content');
    await writeFile(join(live, 'sub', 'b'), 'more');
    await symlink('sub/b', join(live, 'inner'));
    entries = (await capture()).entries;
  });

  test('passes when it is what was captured', async () => {
    const seen: number[] = [];
    await checkStaged(captured, entries, { onProgress: (bytes) => seen.push(bytes) });
    expect(seen.at(-1)).toBe(11);
  });

  test.each<[string, string, () => Promise<unknown>]>([
    ['an extra file', 'restore/unsafe-entry', () => writeFile(join(captured, 'sub', 'extra'), '')],
    [
      'an extra name that is not UTF-8',
      'restore/unsafe-entry',
      () => writeFile(Buffer.concat([Buffer.from(`${captured}/`), Buffer.from([0xff])]), ''),
    ],
    ['a set-user-id bit', 'restore/unsafe-entry', () => chmod(join(captured, 'a'), 0o4755)],
    ['a set-group-id bit', 'restore/unsafe-entry', () => chmod(join(captured, 'a'), 0o2755)],
    ['a set-id bit on a folder', 'restore/unsafe-entry', () => chmod(join(captured, 'sub'), 0o2755)],
    [
      'a pipe in the place of a file',
      'restore/unsafe-entry',
      () => unlink(join(captured, 'a')).then(() => execFileSync('mkfifo', [join(captured, 'a')])),
    ],
    [
      'a link in the place of a file',
      'restore/unsafe-entry',
      () => unlink(join(captured, 'a')).then(() => symlink('/etc/passwd', join(captured, 'a'))),
    ],
    [
      'a link in the place of a folder',
      'restore/unsafe-entry',
      () => rename(join(captured, 'sub'), join(base, 'sub')).then(() => symlink('../sub', join(captured, 'sub'))),
    ],
    [
      'a link to elsewhere than recorded',
      'restore/unsafe-entry',
      () => unlink(join(captured, 'inner')).then(() => symlink('a', join(captured, 'inner'))),
    ],
    ['a missing file', 'restore/digest-mismatch', () => unlink(join(captured, 'sub', 'b'))],
    ['a longer file', 'restore/digest-mismatch', () => appendFile(join(captured, 'a'), '!')],
    ['other bytes of the same length', 'restore/digest-mismatch', () => writeFile(join(captured, 'a'), 'CONTENT')],
  ])('%s is found', async (_name, code, damage) => {
    await damage();
    await expect(checkStaged(captured, entries)).rejects.toMatchObject({ code });
  });

  test('a manifest with an entry that would leave the folder is refused before anything is read', async () => {
    for (const path of ['../x', '/etc/cron.d/x', 'a\0', 'a/../../x', 'x'.repeat(300), '.ragwarden/journal-op.json'])
      expect(() => requireSafeEntries([{ path, kind: 'dir', mode: 0o755, mtimeMs: 0 }])).toThrow(
        /restore\/unsafe-entry/,
      );
    const out: TreeEntry = { path: 'l', kind: 'symlink', linkTarget: '../x', mode: 0o777, mtimeMs: 0 };
    await expect(checkStaged(captured, [...entries, out])).rejects.toMatchObject({ code: 'restore/unsafe-entry' });
  });

  test('tells every place, up to fifty, also when names are hostile', async () => {
    for (let n = 0; n < 60; n += 1) await writeFile(join(captured, `extra\n${n}`), '');
    await expect(checkStaged(captured, entries)).rejects.toMatchObject({
      violations: expect.objectContaining({ length: 50 }),
    });
  });

  test('gets permissions, times and, as root, the owner of the folder it goes to', async () => {
    await chmod(join(captured, 'a'), 0o777);
    await dressStaged(captured, entries, await ownerOf(live));
    const [was, is] = [await lstat(join(live, 'a')), await lstat(join(captured, 'a'))];
    expect([is.mode, Math.floor(is.mtimeMs), is.uid]).toEqual([was.mode, Math.floor(was.mtimeMs), was.uid]);
  });

  test('folders that inherit the group of their root are no danger', async () => {
    for (const path of [captured, join(captured, 'sub')]) await chmod(path, 0o2755);
    await checkStaged(captured, entries);
    await chmod(join(captured, 'a'), 0o2755);
    await expect(checkStaged(captured, entries)).rejects.toMatchObject({ code: 'restore/unsafe-entry' });
  });

  test('a file with two names in the tree is restored under both', async () => {
    await link(join(captured, 'a'), join(captured, 'a2'));
    const [a] = entries.filter((entry) => entry.path === 'a');
    if (a !== undefined) await checkStaged(captured, [...entries, { ...a, path: 'a2' }]);
  });
});

describe('capture and restore', () => {
  const name = fc.constantFrom('a', 'b', 'é', 'e\u0301', '\u{1f600}', ' -rf *', 'kv_store_doc_status.json');
  const file = fc.record({
    kind: fc.constant('file' as const),
    bytes: fc.uint8Array({ maxLength: 64 }),
    mode: fc.constantFrom(0o600, 0o644, 0o755),
  });
  const symbolic = fc.record({ kind: fc.constant('link' as const), target: name });
  const tree = fc.dictionary(
    fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
    fc.oneof({ weight: 4, arbitrary: file }, { weight: 1, arbitrary: symbolic }),
    { maxKeys: 8 },
  );
  type Tree = typeof tree extends fc.Arbitrary<infer T> ? T : never;

  async function grow(root: string, wanted: Tree): Promise<void> {
    await mkdir(root, { recursive: true });
    for (const [path, node] of Object.entries(wanted)) {
      try {
        await mkdir(join(root, path, '..'), { recursive: true });
        if (node.kind === 'file') await writeFile(join(root, path), node.bytes, { mode: node.mode, flag: 'wx' });
        else await symlink(node.target, join(root, path));
      } catch (err) {
        // Two names of the random tree may want the same place; the first has it.
        if (!/E(EXIST|NOTDIR|ISDIR|LOOP|NOENT)/.test(String(err))) throw err;
      }
    }
  }

  test('of any tree over any other gives the captured tree back, entry for entry', async () => {
    let n = 0;
    await fc.assert(
      fc.asyncProperty(tree, tree, async (first, second) => {
        n += 1;
        const operationId = `op_${n}`;
        const root = join(base, `root-${n}`);
        await grow(root, first);
        const point = await capture(root, join(base, `into-${n}`));
        await rm(root, { recursive: true });
        await grow(root, second);

        const { staged } = await openStage(root, operationId);
        await rm(staged, { recursive: true });
        await rename(join(base, `into-${n}`), staged);
        await dressStaged(staged, point.entries, await ownerOf(root));
        await checkStaged(staged, point.entries);
        await swapIn({ operationId, nowMs: 1, roots: [{ root, keep: [] }] });
        await verifyRestored(root, point.entries);
        await finishSwap([root], operationId);

        const again = await capture(root, join(base, `again-${n}`));
        expect(again.treeSha256).toBe(point.treeSha256);
        expect(again.treeSha256).toBe(treeDigest(point.entries));
      }),
      { numRuns: 25 },
    );
  });

  test('verification looks at the live folder without what was kept', async () => {
    await writeFile(join(live, 'a'), '1');
    const { entries } = await capture();
    await mkdir(join(live, 'other'));
    await mkdir(join(live, '.ragwarden'));
    await verifyRestored(live, entries, { keep: ['other'] });
    await expect(verifyRestored(live, entries)).rejects.toMatchObject({ code: 'restore/unsafe-entry' });
    expect(await readFile(join(live, 'a'), 'utf8')).toBe('1');
  });
});
