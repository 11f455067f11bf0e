import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, expect, test } from 'vitest';
import { systemClock } from '../../platform/clock.ts';
import { AppError } from '../../platform/errors.ts';
import { silentLogger } from '../../platform/logging.ts';
import { createInspector, type Inspector } from './inspector.ts';
import { matrixLengthOf } from './vector-file.ts';

const root = await mkdtemp(path.join(tmpdir(), 'inspector-'));
const made: Inspector[] = [];
afterAll(async () => {
  for (const inspector of made) await inspector.stop();
  await rm(root, { recursive: true, force: true });
});

const make = (options: { workerUrl?: URL; heapMiB?: number } = {}): Inspector => {
  const inspector = createInspector({ log: silentLogger, clock: systemClock, ...options });
  made.push(inspector);
  return inspector;
};

const recorded = path.join(import.meta.dirname, '../../../test/fixtures/lightrag-1.5.7/workspace/rag_storage');

/** A thread of another kind in place of the inspection. */
async function workerOf(name: string, source: string): Promise<URL> {
  const file = path.join(root, `${name}.mjs`);
  await writeFile(file, source);
  return pathToFileURL(file);
}

test('what the thread loads each time is its own code and the XML reader, no other library', async () => {
  const { metafile } = await build({
    absWorkingDir: path.join(import.meta.dirname, '../../..'),
    entryPoints: ['src/targets/inspector/inspector.worker.ts'],
    bundle: true,
    format: 'esm',
    platform: 'node',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
  const packages = Object.keys(metafile.inputs).flatMap((file) => /^node_modules\/([^/]+)/.exec(file)?.[1] ?? []);
  expect(new Set(packages)).toEqual(new Set(['saxes', 'xmlchars']));
});

test('a workspace is inspected in its own thread', async () => {
  const report = await make().inspect({ folder: recorded, workspace: 'library', idle: true });
  expect(report.workspace).toBe('library');
  expect(report.files.every(({ state }) => state === 'ok')).toBe(true);
  expect(report.bytesRead).toBe(report.files.reduce((sum, { bytes }) => sum + bytes, 0));
});

test('several asks are answered one after the other', async () => {
  const inspector = make();
  const asks = ['library', 'other', 'library'].map((workspace) => inspector.inspect({ folder: recorded, workspace }));
  expect((await Promise.all(asks)).map(({ isFresh }) => isFresh)).toEqual([false, true, false]);
});

test('a name that could lead out of the folder is refused', async () => {
  for (const workspace of ['..', '.', 'a/b', '../x', 'a\0b', 'x'.repeat(10_000)])
    await expect(make().inspect({ folder: recorded, workspace })).rejects.toMatchObject({
      code: 'target/foreign-path',
    });
});

test('a folder that is none is an error of the inspection, not of the process', async () => {
  const file = path.join(root, 'plain');
  await writeFile(file, '');
  await expect(make().inspect({ folder: file, workspace: '' })).rejects.toMatchObject({
    code: 'target/inspection-failed',
    detail: 'The folder of the workspace is not a folder.',
  });
});

test('a thread that throws, ends or runs out of memory is an error, and the next ask is answered', async () => {
  const ends = [
    ['throws', 'throw new Error("out")'],
    ['exits', 'process.exit(3)'],
    ['swells', 'const kept = []; for (;;) kept.push(Array.from({ length: 100000 }, () => ({ a: 1 })));'],
  ] as const;
  for (const [name, source] of ends) {
    const inspector = make({ workerUrl: await workerOf(name, source), heapMiB: 8 });
    for (let turn = 0; turn < 2; turn += 1)
      await expect(inspector.inspect({ folder: recorded, workspace: '' })).rejects.toMatchObject({
        code: 'target/inspection-failed',
      });
  }
});

test('an abort ends the thread and the ask with its reason', async () => {
  const inspector = make({ workerUrl: await workerOf('hangs', 'for (;;);') });
  const abort = new AbortController();
  const ask = inspector.inspect({ folder: recorded, workspace: '', signal: abort.signal });
  const waiting = inspector.inspect({ folder: recorded, workspace: '', signal: abort.signal });
  const reason = new AppError('operation/cancelled', 'enough');
  const ended = Promise.all([expect(ask).rejects.toBe(reason), expect(waiting).rejects.toBe(reason)]);
  abort.abort(reason);
  await ended;
});

test('stop ends what runs, and nothing is begun afterwards', async () => {
  const inspector = make({ workerUrl: await workerOf('hangs', 'for (;;);') });
  const ask = inspector.inspect({ folder: recorded, workspace: '' });
  const ended = expect(ask).rejects.toMatchObject({ code: 'internal/stopping' });
  await inspector.stop();
  await ended;
  await inspector.stop();
  await expect(inspector.inspect({ folder: recorded, workspace: '' })).rejects.toMatchObject({
    code: 'internal/stopping',
  });
});

test('a file far larger than the heap is read whole', async () => {
  const folder = path.join(root, 'large');
  await mkdir(folder);
  const file = createWriteStream(path.join(folder, 'vdb_chunks.json'));
  const write = async (text: string): Promise<void> => {
    if (!file.write(text)) await once(file, 'drain');
  };
  const rows = 4_000;
  const dimension = 4_096;
  const vector = 'A'.repeat(10_000);
  await write(`{"embedding_dim": ${dimension}, "data": [`);
  for (let row = 0; row < rows; row += 1)
    await write(`${row > 0 ? ', ' : ''}{"__id__": "chunk-${row}", "vector": "${vector}"}`);
  await write('], "matrix": "');
  for (let left = matrixLengthOf(rows, dimension); left > 0; left -= 1_048_576)
    await write('A'.repeat(Math.min(left, 1_048_576)));
  file.end('"}');
  await once(file, 'close');
  const report = await make({ heapMiB: 20 }).inspect({
    folder,
    workspace: '',
    elsewhere: ['docStatus', 'kv', 'graph'],
  });
  expect(report.bytesRead).toBeGreaterThan(100_000_000);
  expect(report.dimension.files).toMatchObject([{ rows, dimension, duplicateRows: 0 }]);
  expect(report.dimension.files[0]?.matrixLength).toBe(matrixLengthOf(rows, dimension));
  await rm(folder, { recursive: true });
});
