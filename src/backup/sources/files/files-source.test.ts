import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import {
  appendFile,
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../../platform/clock.ts';
import type { CaptureContext, CaptureResult } from '../source.ts';
import { lightragExclusions, otherWorkspaceExclusion } from './exclusions.ts';
import { createFilesSource, type FilesSourceOptions, lightragFirst } from './files-source.ts';

let base: string;
let live: string;
let into: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'capture-'));
  live = join(base, 'live');
  into = join(base, 'staging');
  await mkdir(live);
});
afterEach(() => rm(base, { recursive: true, force: true }));

const isRoot = process.getuid?.() === 0;
const quickClock: Clock = { ...systemClock, sleep: async () => {} };
const capture = (
  more: Partial<FilesSourceOptions> = {},
  context: Partial<CaptureContext> = {},
): Promise<CaptureResult> =>
  createFilesSource({
    name: 'working-dir',
    folder: live,
    mode: 'copy',
    writer: 'atomic',
    first: lightragFirst,
    exclusions: lightragExclusions,
    ...more,
  }).capture(into, { signal: new AbortController().signal, clock: quickClock, ...context });
const paths = (result: CaptureResult): string[] => result.entries.map((entry) => entry.path);
/** Older than the grain of time stamps, so that an unchanged file is recognised by them. */
const settle = (name: string): Promise<void> => utimes(join(live, name), 1_600_000_000, 1_600_000_000);

describe('what is captured', () => {
  test('files, folders and inner links with size, digest, permissions and time', async () => {
    await mkdir(join(live, 'sub'), { mode: 0o750 });
    await writeFile(join(live, 'sub', 'a.json'), '{}', { mode: 0o640 });
    await writeFile(join(live, 'empty'), '');
    await symlink('sub/a.json', join(live, 'inner'));
    await settle('sub/a.json');
    const result = await capture();
    expect(result).toMatchObject({ files: 2, bytes: 2, partial: false, skipped: [], proof: { grade: 'consistent' } });
    expect(result.entries).toMatchObject([
      { path: 'empty', kind: 'file', bytes: 0 },
      { path: 'inner', kind: 'symlink', linkTarget: 'sub/a.json' },
      { path: 'sub', kind: 'dir', mode: 0o750 },
      {
        path: 'sub/a.json',
        kind: 'file',
        bytes: 2,
        mode: 0o640,
        mtimeMs: 1_600_000_000_000,
        sha256: createHash('sha256').update('{}').digest('hex'),
      },
    ]);
    expect(await readFile(join(into, 'sub', 'a.json'), 'utf8')).toBe('{}');
    expect(await readlink(join(into, 'inner'))).toBe('sub/a.json');
  });

  test('temporary siblings, the scan spool, other workspaces and our own folder stay out, look-alikes stay in', async () => {
    for (const name of ['scan_spool/ws', '.ragwarden/undo-x', 'other', 'ws/.ragwarden'])
      await mkdir(join(live, name), { recursive: true });
    await writeFile(join(live, 'other', 'kv_store_full_docs.json'), '{}');
    await writeFile(join(live, 'ws', '.ragwarden', 'x'), '');
    await writeFile(join(live, 'kv_store_full_docs.json.tmp.12.34.99871'), 'half');
    await writeFile(join(live, 'report.tmp.2024.pdf'), 'mine');
    await writeFile(join(live, 'notes.tmp.txt'), 'mine');
    const result = await capture({ exclusions: [...lightragExclusions, otherWorkspaceExclusion('other')] });
    expect(paths(result)).toEqual(['notes.tmp.txt', 'report.tmp.2024.pdf', 'ws']);
    expect(result.restore).toMatchObject({ by: 'folder-swap', folder: live, keep: [{ name: 'other' }] });
  });

  test('the document status is taken first, then the texts, in every workspace, then the rest', async () => {
    const order: string[] = [];
    for (const name of ['a.json', 'kv_store_full_docs.json', 'kv_store_doc_status.json', 'vdb_chunks.json']) {
      await writeFile(join(live, name), '{}');
      await mkdir(join(live, 'ws'), { recursive: true });
      await writeFile(join(live, 'ws', name), '{}');
    }
    await capture({}, { onProgress: (progress) => order.push(progress.path) });
    expect(order.slice(0, 4)).toEqual([
      'kv_store_doc_status.json',
      'ws/kv_store_doc_status.json',
      'kv_store_full_docs.json',
      'ws/kv_store_full_docs.json',
    ]);
    expect(order).toHaveLength(8);
  });

  test('progress ends at the totals', async () => {
    await writeFile(join(live, 'a'), 'x'.repeat(10));
    await writeFile(join(live, 'b'), 'x'.repeat(20));
    const seen: unknown[] = [];
    await capture({}, { onProgress: (progress) => seen.push(progress) });
    expect(seen.at(-1)).toEqual({ files: 2, totalFiles: 2, bytes: 30, totalBytes: 30, path: 'b' });
  });

  test('composed and decomposed names are two files, and any other Unicode is kept', async () => {
    const names = ['é', 'e\u0301', '\u{1f600}', 'a\nb', '-rf *', 'x'.repeat(255)];
    for (const name of names) await writeFile(join(live, name), name);
    const result = await capture();
    expect(new Set(paths(result))).toEqual(new Set(names));
    for (const name of names) expect(await readFile(join(into, name), 'utf8')).toBe(name);
  });

  test('a name that is not UTF-8 is listed and makes the component partial', async () => {
    await writeFile(Buffer.concat([Buffer.from(`${live}/bad-`), Buffer.from([0xff, 0xfe])]), 'x');
    await writeFile(join(live, 'good'), 'x');
    const result = await capture();
    expect(paths(result)).toEqual(['good']);
    expect(result.partial).toBe(true);
    expect(result.skipped).toMatchObject([{ loss: true, reason: expect.stringContaining('UTF-8') }]);
  });

  test('links that lead out are not followed; one that hides data makes the component partial', async () => {
    await writeFile(join(base, 'elsewhere.json'), 'secret');
    await symlink('../elsewhere.json', join(live, 'vdb_chunks.json'));
    await symlink('/dev/null', join(live, 'log'));
    await symlink('../nothing', join(live, 'dangling'));
    const result = await capture();
    expect(result.entries).toEqual([]);
    expect(existsSync(join(into, 'vdb_chunks.json'))).toBe(false);
    expect(result.skipped.map((item) => [item.path, item.loss]).sort()).toEqual([
      ['dangling', false],
      ['log', false],
      ['vdb_chunks.json', true],
    ]);
    expect(result.partial).toBe(true);
  });

  test('sockets and pipes are listed and lose nothing', async () => {
    execFileSync('mkfifo', [join(live, 'pipe')]);
    const server = createServer();
    // By a short name: that of a socket may be a hundred characters long, and that of a temporary folder longer.
    const folder = openSync(live, 'r');
    server.listen(process.platform === 'linux' ? `/proc/self/fd/${folder}/socket` : join(live, 'socket'));
    await once(server, 'listening');
    const result = await capture();
    await new Promise((resolve) => server.close(resolve));
    closeSync(folder);
    expect(result.entries).toEqual([]);
    expect(result.partial).toBe(false);
    expect(result.skipped.map((item) => item.path).sort()).toEqual(['pipe', 'socket']);
  });

  test('an empty folder is captured as empty, a missing one is an error', async () => {
    expect(await capture()).toMatchObject({ entries: [], partial: false });
    await rm(live, { recursive: true });
    await expect(capture()).rejects.toMatchObject({ code: 'backup/capture-failed' });
  });

  test('staging inside the folder, and the folder inside staging, are refused', async () => {
    into = join(live, 'backups');
    await expect(capture()).rejects.toMatchObject({ code: 'backup/capture-failed' });
    into = base;
    await expect(capture()).rejects.toMatchObject({ code: 'backup/capture-failed' });
  });

  test('a cancelled capture stops with the reason of the signal and leaves no half file in staging', async () => {
    await writeFile(join(live, 'a'), 'x');
    await writeFile(join(live, 'b'), 'x');
    const controller = new AbortController();
    const reason = new Error('enough');
    await expect(capture({}, { signal: controller.signal, onProgress: () => controller.abort(reason) })).rejects.toBe(
      reason,
    );
    expect(existsSync(`${into}.parts`)).toBe(false);
  });

  test.skipIf(!isRoot)(
    'a file that may not be read is listed and makes the component partial [needs root]',
    async () => {
      await chmod(base, 0o755);
      await mkdir(into);
      for (const path of [live, into, base]) await chown(path, 65534, 65534);
      await writeFile(join(live, 'open'), 'x');
      await writeFile(join(live, 'shut'), 'x', { mode: 0o600 });
      await mkdir(join(live, 'closed'), { mode: 0o700 });
      process.seteuid?.(65534);
      const result = await capture().finally(() => process.seteuid?.(0));
      expect(paths(result)).toEqual(['closed', 'open']);
      expect(result.skipped.map((item) => item.path).sort()).toEqual(['closed', 'shut']);
      expect(result.partial).toBe(true);
    },
  );

  test.skipIf(!isRoot)('a copy keeps the owner of the original [needs root]', async () => {
    await writeFile(join(live, 'a'), 'x');
    await chown(join(live, 'a'), 1234, 2345);
    await capture();
    expect(await lstat(join(into, 'a'))).toMatchObject({ uid: 1234, gid: 2345 });
  });

  test.skipIf(!isRoot)('a full staging disk says so [needs root]', async () => {
    await mkdir(into);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', into]);
    try {
      const inside = join(into, 'staging');
      await writeFile(join(live, 'big'), Buffer.alloc(512 * 1024, 1));
      const source = createFilesSource({ name: 'x', folder: live, mode: 'link', writer: 'atomic' });
      await expect(
        source.capture(inside, { signal: new AbortController().signal, clock: quickClock }),
      ).rejects.toMatchObject({ code: 'storage/full' });
    } finally {
      execFileSync('umount', [into]);
    }
  });
});

describe('staging between points', () => {
  test('unchanged files stay untouched, changed ones are renewed, vanished ones go', async () => {
    for (const name of ['same', 'changes', 'goes']) {
      await writeFile(join(live, name), 'one');
      await settle(name);
    }
    await capture();
    const before = await lstat(join(into, 'same'), { bigint: true });
    await writeFile(join(live, 'changes'), 'two');
    await rm(join(live, 'goes'));
    const result = await capture();
    const after = await lstat(join(into, 'same'), { bigint: true });
    expect([after.ino, after.mtimeNs, after.ctimeNs]).toEqual([before.ino, before.mtimeNs, before.ctimeNs]);
    expect(result.renewedFiles).toBe(1);
    expect(await readFile(join(into, 'changes'), 'utf8')).toBe('two');
    expect(existsSync(join(into, 'goes'))).toBe(false);
  });

  test('a file rewritten with the same bytes keeps its staged copy', async () => {
    await writeFile(join(live, 'a'), 'same');
    await capture();
    const before = await lstat(join(into, 'a'), { bigint: true });
    await writeFile(join(live, 'a.new'), 'same');
    await rename(join(live, 'a.new'), join(live, 'a'));
    const result = await capture();
    const after = await lstat(join(into, 'a'), { bigint: true });
    expect([after.ino, after.mtimeNs]).toEqual([before.ino, before.mtimeNs]);
    expect(result.renewedFiles).toBe(0);
  });

  test('same size and same time do not hide a change', async () => {
    await writeFile(join(live, 'a'), 'one');
    await settle('a');
    await capture();
    await writeFile(join(live, 'a'), 'two');
    await settle('a');
    await capture();
    expect(await readFile(join(into, 'a'), 'utf8')).toBe('two');
  });

  test('a staged file that somebody changed is renewed', async () => {
    await writeFile(join(live, 'a'), 'one');
    await settle('a');
    await capture();
    await writeFile(join(into, 'a'), 'bad');
    await writeFile(join(into, 'extra'), 'bad');
    const result = await capture();
    expect(await readFile(join(into, 'a'), 'utf8')).toBe('one');
    expect(existsSync(join(into, 'extra'))).toBe(false);
    expect(result.renewedFiles).toBe(1);
  });

  test('a name may change its kind between points', async () => {
    await writeFile(join(live, 'x'), 'file');
    await mkdir(join(live, 'y'));
    await writeFile(join(live, 'y', 'inner'), 'z');
    await capture();
    await rm(join(live, 'x'));
    await rm(join(live, 'y'), { recursive: true });
    await mkdir(join(live, 'x'));
    await writeFile(join(live, 'x', 'inner'), 'new');
    await symlink('x', join(live, 'y'));
    const result = await capture();
    expect(paths(result)).toEqual(['x', 'x/inner', 'y']);
    expect(await readFile(join(into, 'x', 'inner'), 'utf8')).toBe('new');
    expect(await readlink(join(into, 'y'))).toBe('x');
  });

  test('any sequence of trees leaves staging equal to the last one', async () => {
    const name = fc.constantFrom('a', 'b', 'é', 'e\u0301');
    const tree = fc.dictionary(
      fc.tuple(name, name).map((parts) => parts.join('/')),
      fc.string({ maxLength: 20 }),
      { maxKeys: 6 },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(tree, { minLength: 1, maxLength: 4 }),
        fc.constantFrom('link', 'copy'),
        async (trees, mode) => {
          await rm(into, { recursive: true, force: true });
          for (const files of trees) {
            await rm(live, { recursive: true, force: true });
            await mkdir(live);
            for (const [path, text] of Object.entries(files)) {
              await mkdir(join(live, path, '..'), { recursive: true });
              await writeFile(join(live, path), text);
            }
            const result = await capture({ mode: mode === 'link' ? 'link' : 'copy' });
            const captured = result.entries.filter((entry) => entry.kind === 'file').map((entry) => entry.path);
            expect(new Set(captured)).toEqual(new Set(Object.keys(files)));
            for (const [path, text] of Object.entries(files))
              expect(await readFile(join(into, path), 'utf8')).toBe(text);
          }
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe('hard links', () => {
  test('share the inode, and an atomic replacement leaves the captured state alone', async () => {
    await writeFile(join(live, 'a'), 'one');
    const result = await capture({ mode: 'link' });
    expect(result.proof.grade).toBe('consistent');
    expect((await lstat(join(into, 'a'))).ino).toBe((await lstat(join(live, 'a'))).ino);
    await writeFile(join(live, 'a.new'), 'two');
    await rename(join(live, 'a.new'), join(live, 'a'));
    expect(await readFile(join(into, 'a'), 'utf8')).toBe('one');
    await capture({ mode: 'link' });
    expect(await readFile(join(into, 'a'), 'utf8')).toBe('two');
  });

  test('a file that rotted under its link is taken anew once its bytes were brought back', async () => {
    await writeFile(join(live, 'a'), 'one');
    await settle('a');
    await capture({ mode: 'link' });
    await writeFile(join(live, 'a'), 'ome');
    await settle('a');
    await writeFile(join(live, 'a.new'), 'one');
    await settle('a.new');
    await rename(join(live, 'a.new'), join(live, 'a'));
    await capture({ mode: 'link' });
    expect(await readFile(join(into, 'a'), 'utf8')).toBe('one');
  });

  test.each(['link', 'copy'] as const)(
    'other bytes under the same size and time get a time of their own in staging (%s)',
    async (mode) => {
      const writer = mode === 'link' ? 'atomic' : 'in-place';
      await writeFile(join(live, 'a'), 'one');
      await settle('a');
      await capture({ mode, writer });
      const first = (await lstat(join(into, 'a'))).mtimeMs;
      await writeFile(join(live, 'a'), 'ome');
      await settle('a');
      const rotten = await capture({ mode, writer });
      expect(await readFile(join(into, 'a'), 'utf8')).toBe('ome');
      expect((await lstat(join(into, 'a'))).mtimeMs).not.toBe(first);
      expect(rotten.entries).toMatchObject([{ path: 'a', mtimeMs: first }]);
      expect(await capture({ mode, writer })).toMatchObject({ renewedFiles: 0 });
    },
  );

  test('an unchanged linked file is not read again', async () => {
    await writeFile(join(live, 'a'), 'one');
    await settle('a');
    await capture({ mode: 'link' });
    const result = await capture({ mode: 'link' });
    expect(result).toMatchObject({ renewedFiles: 0, proof: { grade: 'consistent' } });
  });

  test('a file that was put back with the same bytes, as a restore does, counts as still, and is not taken again', async () => {
    await writeFile(join(live, 'a'), 'one');
    await settle('a');
    await capture({ mode: 'link' });
    await writeFile(join(live, 'a.new'), 'one');
    await settle('a.new');
    await rename(join(live, 'a.new'), join(live, 'a'));
    // The staged file stays, and the link that was made to read the live one goes: that moved its change time.
    expect(await capture({ mode: 'link' })).toMatchObject({ renewedFiles: 0, proof: { grade: 'consistent' } });
    const { ctimeNs } = await lstat(join(live, 'a'), { bigint: true });
    expect(await capture({ mode: 'link' })).toMatchObject({ renewedFiles: 0, proof: { grade: 'consistent' } });
    expect((await lstat(join(live, 'a'), { bigint: true })).ctimeNs).toBe(ctimeNs);
  });

  test('are not made for a writer that writes into its files', async () => {
    await writeFile(join(live, 'a'), 'one');
    const result = await capture({ mode: 'link', writer: 'in-place' });
    expect((await lstat(join(into, 'a'))).ino).not.toBe((await lstat(join(live, 'a'))).ino);
    expect(result.notes).toEqual([expect.stringContaining('writes into its files')]);
  });

  test('left from earlier are replaced by copies once linking is no longer allowed', async () => {
    await writeFile(join(live, 'a'), 'one');
    await settle('a');
    await capture({ mode: 'link' });
    await capture({ mode: 'copy', writer: 'in-place' });
    expect((await lstat(join(into, 'a'))).ino).not.toBe((await lstat(join(live, 'a'))).ino);
  });

  test('a writer that was said to be atomic and is not is found out, copied from then on, and graded fuzzy', async () => {
    await writeFile(join(live, 'a'), 'one');
    await capture({ mode: 'link' });
    await appendFile(join(live, 'a'), ' and more');
    const result = await capture({ mode: 'link' });
    expect(result.proof).toMatchObject({ grade: 'fuzzy' });
    expect(await readFile(join(into, 'a'), 'utf8')).toBe('one and more');
    expect((await lstat(join(into, 'a'))).ino).not.toBe((await lstat(join(live, 'a'))).ino);
  });

  test.skipIf(!existsSync('/dev/shm'))('fall back to a copy across file systems and say so', async () => {
    const elsewhere = await mkdtemp('/dev/shm/capture-');
    try {
      into = join(elsewhere, 'staging');
      await writeFile(join(live, 'a'), 'one');
      const result = await capture({ mode: 'link' });
      expect(await readFile(join(into, 'a'), 'utf8')).toBe('one');
      if ((await lstat(into)).dev !== (await lstat(live)).dev)
        expect(result.notes).toEqual([expect.stringContaining('another file system')]);
    } finally {
      await rm(elsewhere, { recursive: true, force: true });
    }
  });

  test('a live file that has a second name elsewhere is still captured', async () => {
    await writeFile(join(live, 'a'), 'one');
    await link(join(live, 'a'), join(base, 'other-name'));
    expect(paths(await capture({ mode: 'link' }))).toEqual(['a']);
  });
});

describe('files that move during the capture', () => {
  test('replaced by rename: crash-consistent, and the names are told', async () => {
    for (const name of ['a', 'b']) await writeFile(join(live, name), 'one');
    const result = await capture(
      {},
      {
        onProgress: ({ path }) => {
          if (path !== 'a') return;
          writeFileSync(join(live, 'new'), 'two');
          renameSync(join(live, 'new'), join(live, 'b'));
        },
      },
    );
    expect(result.proof.grade).toBe('crash-consistent');
    expect(result.proof.reasons[0]).toContain('b');
  });

  test('rewritten in place: fuzzy', async () => {
    for (const name of ['a', 'b']) await writeFile(join(live, name), 'one');
    const result = await capture(
      { writer: 'in-place' },
      { onProgress: ({ path }) => (path === 'b' ? writeFileSync(join(live, 'a'), 'twotwo') : undefined) },
    );
    expect(result.proof.grade).toBe('fuzzy');
  });

  test('a file caught half written is copied again until its form is whole', async () => {
    await writeFile(join(live, 'a.json'), '{"half":');
    let pauses = 0;
    const clock: Clock = {
      ...systemClock,
      sleep: async () => {
        pauses += 1;
        if (pauses === 2) writeFileSync(join(live, 'a.json'), '{"half":1}');
      },
    };
    const validate = async (file: string): Promise<string | undefined> => {
      try {
        JSON.parse(readFileSync(file, 'utf8'));
        return undefined;
      } catch {
        return 'it is cut off';
      }
    };
    const result = await capture({ writer: 'in-place', validate }, { clock });
    expect(pauses).toBe(2);
    expect(result.damaged).toEqual([]);
    expect(await readFile(join(into, 'a.json'), 'utf8')).toBe('{"half":1}');
  });

  test('a file that is damaged where it lies is captured as it is and named, every time', async () => {
    await writeFile(join(live, 'a.json'), '{"half":');
    await settle('a.json');
    for (let time = 0; time < 2; time += 1) {
      const result = await capture({ writer: 'in-place', validate: async () => 'it is cut off', attempts: 2 });
      expect(result.damaged).toEqual([{ path: 'a.json', reason: 'it is cut off' }]);
      expect(result).toMatchObject({ partial: false, files: 1 });
    }
  });

  test('a file that never holds still is torn, and the grade is fuzzy', async () => {
    await writeFile(join(live, 'a'), 'x');
    let n = 0;
    const validate = async (): Promise<undefined> => {
      n += 1;
      writeFileSync(join(live, 'a'), 'x'.repeat(n + 1));
    };
    // The change falls after the reading, so it shows in the proof and not as a torn copy.
    const result = await capture({ writer: 'in-place', validate, attempts: 3 });
    expect(result.proof.grade).toBe('fuzzy');
  });

  test('an upload that is moved to another folder meanwhile is found there', async () => {
    await mkdir(join(live, '__parsed__'));
    await writeFile(join(live, 'a-first'), 'x');
    await writeFile(join(live, 'upload.pdf'), 'document');
    const result = await capture(
      {},
      {
        onProgress: ({ path }) =>
          path === 'a-first' ? renameSync(join(live, 'upload.pdf'), join(live, '__parsed__', 'upload.pdf')) : undefined,
      },
    );
    expect(paths(result)).toContain('__parsed__/upload.pdf');
    expect(paths(result)).not.toContain('upload.pdf');
    expect(result.proof.grade).toBe('crash-consistent');
  });

  test('a document status that appears late makes the capture fuzzy', async () => {
    await writeFile(join(live, 'a'), 'x');
    const result = await capture(
      {},
      {
        onProgress: ({ path }) =>
          path === 'a' ? writeFileSync(join(live, 'kv_store_doc_status.json'), '{}') : undefined,
      },
    );
    expect(paths(result)).toContain('kv_store_doc_status.json');
    expect(result.proof.grade).toBe('fuzzy');
  });

  test('a busy pipeline over still files is not called consistent', async () => {
    await writeFile(join(live, 'a'), 'x');
    expect((await capture({}, { idle: async () => false })).proof.grade).toBe('crash-consistent');
    expect((await capture({}, { idle: async () => true })).proof.grade).toBe('consistent');
  });

  test.each(['in-place', 'atomic'] as const)('a folder that is rewritten all the time, %s', async (writer) => {
    const text = (round: number): string => JSON.stringify({ round, rows: Array.from({ length: 2000 }, () => round) });
    const names = ['kv_store_doc_status.json', 'kv_store_full_docs.json', 'vdb_chunks.json'];
    for (const name of names) await writeFile(join(live, name), text(0));
    let isRunning = true;
    const rewriting = (async () => {
      for (let round = 1; isRunning; round += 1) {
        for (const name of names) {
          const path = writer === 'atomic' ? join(live, `${name}.tmp.7.8.${round}`) : join(live, name);
          const handle = await open(path, 'w');
          for (const piece of text(round).match(/.{1,1000}/g) ?? []) await handle.write(piece);
          await handle.close();
          if (writer === 'atomic') await rename(path, join(live, name));
        }
      }
    })();
    const validate = async (file: string): Promise<string | undefined> => {
      try {
        const { round, rows } = JSON.parse(await readFile(file, 'utf8')) as { round: number; rows: number[] };
        return rows.every((row) => row === round) ? undefined : 'it mixes two states';
      } catch {
        return 'it is cut off';
      }
    };
    for (let point = 0; point < 5; point += 1) {
      const mode = writer === 'atomic' && point % 2 === 0 ? 'link' : 'copy';
      const result = await capture({ writer, mode, validate });
      for (const name of names) {
        const problem = await validate(join(into, name));
        // What is not whole is named, and never graded better than fuzzy.
        if (writer === 'atomic') expect(problem).toBeUndefined();
        else if (problem !== undefined) expect(result.damaged.map((item) => item.path)).toContain(name);
      }
      if (writer === 'in-place') expect(['fuzzy', 'consistent']).toContain(result.proof.grade);
      else expect(result.proof.grade).not.toBe('fuzzy');
    }
    isRunning = false;
    await rewriting;
  });
});
