import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { generateWorkspace } from '../../../examples/sample-backend/generate.ts';
import { findOlderNode } from '../../../test/setup/older-node.ts';
import { foldFile, foldTree } from './fold.mjs';
import { createUnfolder } from './unfolder.ts';

const base = mkdtempSync(join(tmpdir(), 'unfolder-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const nowMs = 20_000 * 86_400_000;
/** What is at hand where ragwarden is not. */
const olderNode = findOlderNode();

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const filesOf = (folder: string): { path: string; bytes: number; sha256: string; mtimeMs: number }[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => statSync(join(folder, path)).isFile())
    .map((path) => {
      const bytes = readFileSync(join(folder, path));
      return { path, bytes: bytes.length, sha256: sha256(bytes), mtimeMs: 1_700_000_000_000 };
    });

describe.each(['1.5', '1.4'] as const)('a workspace of the shape of %s', (shape) => {
  const name = `shape-${shape}`;
  const from = join(base, name, 'live');
  const root = join(base, name, 'restored');
  const to = join(root, 'unfolded', 'workspace');
  const unfolder = createUnfolder();

  /** What restic would bring back: unfolded files in place of the captured ones, the lists and the manifest. */
  function writeRestored(files: ReturnType<typeof filesOf>): void {
    const lines = files.map((file) => JSON.stringify({ ...file, kind: 'file', mode: 0o600, stored: 'unfolded' }));
    const list = `${lines.join('\n')}\n`;
    mkdirSync(join(root, 'entries'), { recursive: true });
    mkdirSync(join(root, 'components', 'workspace'), { recursive: true });
    writeFileSync(join(root, 'entries', 'workspace.jsonl'), list);
    const component = {
      name: 'workspace',
      entries_file: 'entries/workspace.jsonl',
      entries_sha256: sha256(Buffer.from(list)),
    };
    writeFileSync(join(root, 'manifest.json'), JSON.stringify({ components: [component, { name: 'redis' }] }));
    copyFileSync(join(import.meta.dirname, 'fold.mjs'), join(root, 'fold.mjs'));
  }

  test('is unfolded in a thread, and comes back with fold.mjs alone', async () => {
    await generateWorkspace({
      dir: from,
      inputDir: join(base, name, 'inputs'),
      size: 'tiny',
      seed: 1,
      shape,
      workspace: 'lib',
    });
    const files = filesOf(from);
    const seen: number[] = [];
    const first = await unfolder.unfold(
      { from, to, files, spareBytes: 1e9, nowMs },
      { onProgress: ({ bytesDone, bytesTotal }) => seen.push(bytesDone / bytesTotal) },
    );
    expect(first).toHaveLength(files.length);
    expect(seen.at(-1)).toBe(1);
    const unfolded = first.filter(({ state }) => state === 'unfolded');
    expect(unfolded.length).toBeGreaterThan(5);
    const again = await unfolder.unfold({ from, to, files, spareBytes: 1e9, nowMs }, {});
    expect(new Set(again.map(({ state }) => state))).toEqual(new Set(['unchanged', 'plain']));

    const wanted = files.filter(({ path }) => unfolded.some((one) => one.path === path));
    writeRestored(wanted);
    const folded = spawnSync(olderNode ?? process.execPath, [join(root, 'fold.mjs')], { encoding: 'utf8' });
    expect(folded.stderr).toBe('');
    expect(folded.stdout).toBe(`${wanted.length} files folded, 0 others agree, 0 failed\n`);
    for (const { path } of wanted)
      expect(readFileSync(join(root, 'components/workspace', path)).equals(readFileSync(join(from, path)))).toBe(true);
    // Once more: all are there and agree, and one that does not is told.
    expect(foldTree(root)).toEqual({ folded: 0, checked: wanted.length, failed: 0 });
    writeFileSync(join(root, 'components/workspace', wanted[0]?.path ?? ''), 'other');
    const told: string[] = [];
    expect(foldTree(root, (line) => told.push(line))).toMatchObject({ failed: 1 });
    expect(told).toEqual([`workspace: ${wanted[0]?.path}: it is not what was captured`]);
  });

  test('files that are gone take their unfolded state with them', async () => {
    const files = filesOf(from);
    const [kept, ...gone] = files.filter(({ path }) => existsSync(join(to, path)));
    await unfolder.unfold({ from, to, files: files.filter((file) => file === kept), spareBytes: 1e9, nowMs }, {});
    expect(existsSync(join(to, kept?.path ?? ''))).toBe(true);
    for (const { path } of gone) expect(existsSync(join(to, path))).toBe(false);
  });

  test('a restore folds into place, and tells the file that cannot be', async () => {
    const files = filesOf(from);
    await unfolder.unfold({ from, to, files, spareBytes: 1e9, nowMs }, {});
    const into = join(base, name, 'into');
    mkdirSync(join(into, 'lib'), { recursive: true });
    const wanted = files.filter(({ path }) => existsSync(join(to, path)));
    const [broken, ...sound] = wanted;
    await unfolder.fold({ from: to, to: into, files: sound }, {});
    for (const { path } of sound) {
      expect(readFileSync(join(into, path)).equals(readFileSync(join(from, path)))).toBe(true);
      expect(statSync(join(into, path)).mtimeMs).toBe(1_700_000_000_000);
      expect(existsSync(join(to, path))).toBe(false);
    }
    const frame = join(to, broken?.path ?? '', 'frame.jsonl');
    writeFileSync(frame, readFileSync(frame, 'utf8').replace(/\n\[0,0,\d+/, '\n[0,0,1'));
    await expect(unfolder.fold({ from: to, to: into, files: broken ? [broken] : [] }, {})).rejects.toMatchObject({
      code: 'restore/digest-mismatch',
      detail: expect.stringContaining(String(broken?.path)),
    });
    expect(readdirSync(join(into, 'lib')).toSorted()).toEqual(sound.map(({ path }) => path.slice(4)).toSorted());
  });
});

test('a link in the place of a folder leads nobody elsewhere', async () => {
  const from = join(base, 'link', 'from');
  const to = join(base, 'link', 'unfolded');
  const into = join(base, 'link', 'into');
  for (const folder of [join(from, 'lib'), into, join(base, 'link', 'outside')]) mkdirSync(folder, { recursive: true });
  const rows = Array.from({ length: 50 }, (_, at) => `  "${at}": {\n    "a": 1\n  }`);
  writeFileSync(join(from, 'lib', 'kv_store_x.json'), `{\n${rows.join(',\n')}\n}`);
  const unfolder = createUnfolder();
  const files = filesOf(from);
  await unfolder.unfold({ from, to, files, spareBytes: 1e9, nowMs }, {});
  symlinkSync('../outside', join(into, 'lib'));
  await expect(unfolder.fold({ from: to, to: into, files }, {})).rejects.toMatchObject({
    code: 'restore/digest-mismatch',
  });
  expect(readdirSync(join(base, 'link', 'outside'))).toEqual([]);
});

test('a file much larger than the heap of the thread is unfolded and folded', async () => {
  const from = join(base, 'large', 'from');
  const to = join(base, 'large', 'unfolded');
  const path = 'kv_store_llm_response_cache.json';
  mkdirSync(from, { recursive: true });
  const file = openSync(join(from, path), 'w');
  const hash = createHash('sha256');
  let bytes = 0;
  const write = (text: string): void => {
    hash.update(text);
    bytes += writeSync(file, text);
  };
  const filler = 'ragwarden '.repeat(400);
  write('{\n');
  for (let block = 0; block < 160; block += 1)
    write(Array.from({ length: 100 }, (_, at) => `  "${block}-${at}": {\n    "content": "${filler}"\n  },\n`).join(''));
  write('  "end": {}\n}');
  closeSync(file);
  const entry = { path, bytes, sha256: hash.digest('hex'), mtimeMs: 0 };
  expect(bytes).toBeGreaterThan(60_000_000);
  const small = createUnfolder({ heapMiB: 12 });
  expect(await small.unfold({ from, to, files: [entry], spareBytes: 1e9, nowMs }, {})).toMatchObject([
    { state: 'unfolded' },
  ]);
  await small.fold({ from: to, to: dirname(to), files: [entry] }, {});
});

test('broken off in the middle it is put right by the next', async () => {
  const from = join(base, 'large', 'from');
  const to = join(base, 'large', 'unfolded');
  const [entry] = filesOf(from);
  const files = entry ? [entry] : [];
  const controller = new AbortController();
  const unfolder = createUnfolder();
  const broken = unfolder.unfold({ from, to, files, spareBytes: 1e9, nowMs }, { signal: controller.signal });
  while (!existsSync(join(to, entry?.path ?? '')) || readdirSync(join(to, entry?.path ?? '')).length < 3)
    await new Promise((resolve) => setImmediate(resolve));
  controller.abort(new Error('enough'));
  await Promise.allSettled([broken]);
  // However far it came: it is seen to be whole, or made whole.
  const [outcome] = await unfolder.unfold({ from, to, files, spareBytes: 1e9, nowMs }, {});
  expect(['unfolded', 'unchanged']).toContain(outcome?.state);
  expect(foldFile(join(to, entry?.path ?? '')).sha256).toBe(entry?.sha256);
});

test('a signal that came before it began is its reason', async () => {
  const reason = new Error('enough');
  const request = { from: base, to: join(base, 'nowhere'), files: [], spareBytes: 0, nowMs };
  await expect(createUnfolder().unfold(request, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test('where there is no room to unfold, files are stored as they are, and tried again when there is', async () => {
  const from = join(base, 'shape-1.5', 'live');
  const request = { from, to: join(base, 'full'), files: filesOf(from), nowMs };
  const unfolder = createUnfolder();
  for (const entry of await unfolder.unfold({ ...request, spareBytes: 100 }, {}))
    expect(entry).toMatchObject({ state: 'plain', lasting: false });
  const states = (await unfolder.unfold({ ...request, spareBytes: 1e9 }, {})).map(({ state }) => state);
  expect(states).toContain('unfolded');
});
