import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { generateWorkspace, type WorkspaceFault } from './generate.ts';

let base: string;
let children: ChildProcess[];
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sample-main-'));
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(base, { recursive: true, force: true });
});

type Run = { readonly child: ChildProcess; readonly errors: string[]; readonly exited: Promise<unknown[]> };
type Ready = { readonly event: string; readonly url: string; readonly pid: number; readonly core_version: string };

function run(...more: string[]): Run {
  const main = join(import.meta.dirname, 'main.ts');
  const folders = ['--working-dir', join(base, 'w'), '--input-dir', join(base, 'i')];
  const child = spawn(process.execPath, [main, ...folders, ...more], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  const errors: string[] = [];
  child.stderr?.on('data', (part: Buffer) => errors.push(part.toString()));
  return { child, errors, exited: once(child, 'close') };
}

async function ready({ child }: Run): Promise<Ready> {
  if (child.stdout === null) throw new Error('standard output is piped');
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return JSON.parse(line);
}

async function generate(...faults: WorkspaceFault[]): Promise<void> {
  await generateWorkspace({
    dir: join(base, 'w'),
    inputDir: join(base, 'i'),
    size: 'tiny',
    seed: 1,
    shape: '1.5',
    faults,
  });
}

async function readCounts(url: string): Promise<Record<string, number>> {
  const answer = (await (await fetch(`${url}/documents/status_counts`)).json()) as {
    status_counts: Record<string, number>;
  };
  return answer.status_counts;
}

test('says in one line that it is ready, and stops with 0', async () => {
  const server = run();
  const told = await ready(server);
  expect(told).toEqual({
    event: 'ready',
    url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    pid: server.child.pid,
    core_version: '1.5.7',
  });
  server.child.kill('SIGTERM');
  expect(await server.exited).toEqual([0, null]);
});

test.each([
  ['truncated-json', /^Failed to initialize LightRAG: Unterminated string starting at/m],
  ['dimension-mismatch', /^Failed to initialize LightRAG: Embedding dim mismatch, expected: 8, but loaded: 16/m],
] as const)('refuses to start on a workspace with %s', async (fault, message) => {
  await generate(fault);
  const server = run();
  expect(await server.exited).toEqual([1, null]);
  expect(server.errors.join('')).toMatch(message);
});

test('refuses an embedding dimension that is not the one of the files', async () => {
  await generate();
  const server = run('--embedding-dim', '16');
  expect(await server.exited).toEqual([1, null]);
  expect(server.errors.join('')).toContain('Embedding dim mismatch, expected: 16, but loaded: 8');
});

test('starts on an empty store file with one warning', async () => {
  await generate('zero-byte');
  const server = run();
  expect(await readCounts((await ready(server)).url)).toMatchObject({ processed: 3 });
  expect(server.errors.join('').match(/Empty JSON file treated as missing/g)).toHaveLength(1);
});

test('tells what it wants when called wrongly', async () => {
  const server = run('--writer', 'sideways');
  expect(await server.exited).toEqual([2, null]);
  expect(server.errors.join('')).toContain('--writer is atomic or in-place, not sideways');
});

test('leaves documents stuck when it is killed, and takes them up again only when asked', async () => {
  const first = run('--faults');
  const { url } = await ready(first);
  await fetch(`${url}/__faults`, { method: 'POST', body: JSON.stringify({ hold_at: 'processing' }) });
  const texts = ['The first note names Quay Depot.', 'The second note names Mill Square.'];
  const body = JSON.stringify({ texts, file_sources: ['one.txt', 'two.txt'] });
  await fetch(`${url}/documents/texts`, { method: 'POST', body });
  const path = join(base, 'w/kv_store_doc_status.json');
  await expect.poll(() => readFileSync(path, 'utf8')).toContain('"status": "processing"');
  first.child.kill('SIGKILL');
  await first.exited;

  const second = await ready(run());
  const stuck = await readCounts(second.url);
  expect(stuck).toMatchObject({ processing: 1, pending: 1, processed: 0 });
  await fetch(`${second.url}/documents/reprocess_failed`, { method: 'POST' });
  await expect.poll(() => readCounts(second.url)).toMatchObject({ processed: 2, all: 2 });
});

test('a kill during a write in place leaves a file that no server starts on', async () => {
  await generateWorkspace({ dir: join(base, 'w'), inputDir: join(base, 'i'), size: 'small', seed: 1, shape: '1.4' });
  const first = run('--faults', '--lightrag-version', '1.4.16');
  const { url } = await ready(first);
  const faults = { rewrite: 'in-place', write_pause_ms: 200 };
  await fetch(`${url}/__faults`, { method: 'POST', body: JSON.stringify(faults) });
  const path = join(base, 'w/kv_store_llm_response_cache.json');
  const isWhole = (): boolean => {
    try {
      JSON.parse(readFileSync(path, 'utf8'));
      return true;
    } catch {
      return false;
    }
  };
  await expect.poll(isWhole).toBe(false);
  first.child.kill('SIGKILL');
  await first.exited;
  const second = run('--lightrag-version', '1.4.16');
  expect(await second.exited).toEqual([1, null]);
  expect(second.errors.join('')).toMatch(/^Failed to initialize LightRAG: /m);
});
