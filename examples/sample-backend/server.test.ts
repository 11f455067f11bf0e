import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { generateWorkspace } from './generate.ts';
import { readOptions } from './options.ts';
import { type SampleBackend, startSampleBackend } from './server.ts';

let base: string;
let sample: SampleBackend | undefined;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sample-server-'));
});
afterEach(async () => {
  await sample?.close();
  sample = undefined;
  rmSync(base, { recursive: true, force: true });
});

async function start(...more: string[]): Promise<SampleBackend> {
  const folders = ['--working-dir', join(base, 'w'), '--input-dir', join(base, 'i')];
  sample = await startSampleBackend(readOptions([...folders, '--faults', ...more]), () => undefined);
  return sample;
}

async function ask(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const method = body === undefined ? 'GET' : 'POST';
  return fetch(`${sample?.url}${path}`, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

async function json(path: string, body?: unknown): Promise<Record<string, unknown>> {
  return (await ask(path, body)).json() as Promise<Record<string, unknown>>;
}

async function insert(name: string, text: string): Promise<void> {
  expect((await ask('/documents/text', { text, file_source: name })).status).toBe(200);
  await sample?.backend.pipeline.idle();
}

test('a document that was handed in is found, cited and counted', async () => {
  await start();
  await insert('morning.txt', 'The early car leaves Quay Depot before six. It turns at Mill Square.');
  expect(await json('/documents/status_counts')).toMatchObject({ status_counts: { processed: 1, all: 1 } });
  const { response, references } = await json('/query', { query: 'When does the early car leave?' });
  expect(response).toContain('The early car leaves Quay Depot before six.');
  expect(references).toEqual([{ reference_id: '1', file_path: 'morning.txt', content: null }]);
  expect(await json('/query/data', { query: 'giraffe' })).toMatchObject({ status: 'failure' });
});

test('an uploaded file is read, kept and put into the archive', async () => {
  await start('--workspace', 'tram');
  const form = new FormData();
  form.append('file', new Blob(['A Points Heater at North Gate failed.']), 'näme "1".txt');
  expect((await fetch(`${sample?.url}/documents/upload`, { method: 'POST', body: form })).status).toBe(200);
  await sample?.backend.pipeline.idle();
  const path = join(base, 'i/tram/__parsed__/näme "1".txt');
  expect(readFileSync(path, 'utf8')).toBe('A Points Heater at North Gate failed.');
  expect(await json('/documents/status_counts')).toMatchObject({ status_counts: { processed: 1 } });
});

test('a file name that points elsewhere stays in the input folder', async () => {
  await start();
  const form = new FormData();
  form.append('file', new Blob(['Text.']), '../../outside.txt');
  await fetch(`${sample?.url}/documents/upload`, { method: 'POST', body: form });
  await sample?.backend.pipeline.idle();
  expect(readFileSync(join(base, 'i/__parsed__/outside.txt'), 'utf8')).toBe('Text.');
});

test('files that change under a running server are not seen, and are overwritten with the old rows', async () => {
  await start();
  await insert('one.txt', 'The first note names Quay Depot.');
  const path = join(base, 'w/kv_store_doc_status.json');
  writeFileSync(path, '{}');
  expect(await json('/documents/status_counts')).toMatchObject({ status_counts: { all: 1 } });
  await insert('two.txt', 'The second note names Mill Square.');
  expect(Object.keys(JSON.parse(readFileSync(path, 'utf8')))).toHaveLength(2);
});

test('doc_status passes through every status and is written before the document is finished', async () => {
  const { backend } = await start();
  for (const status of ['parsing', 'analyzing', 'processing']) {
    await json('/__faults', { hold_at: status });
    if (status === 'parsing')
      await ask('/documents/text', { text: 'The note names Quay Depot.', file_source: 'a.txt' });
    const readStatus = (): unknown =>
      /"status": "(\w+)"/.exec(readFileSync(join(base, 'w/kv_store_doc_status.json'), 'utf8'))?.[1];
    await expect.poll(readStatus).toBe(status);
  }
  expect(await json('/documents/pipeline_status')).toMatchObject({
    busy: true,
    update_status: { text_chunks: [true] },
  });
  await json('/__faults', { hold_at: '' });
  await backend.pipeline.idle();
  expect(await json('/documents/pipeline_status')).toMatchObject({
    busy: false,
    update_status: { text_chunks: [false] },
  });
});

test('a deleted document takes with it what nobody else speaks of', async () => {
  const { backend } = await start();
  await insert('one.txt', 'The old car waits at Quay Depot beside Mill Square.');
  await insert('two.txt', 'The new car passes Mill Square and North Gate.');
  const [id] = backend.workspace.docStatus.rows.keys();
  const response = await fetch(`${sample?.url}/documents/delete_document`, {
    method: 'DELETE',
    body: JSON.stringify({ doc_ids: [id] }),
  });
  expect(await response.json()).toMatchObject({ status: 'deletion_started' });
  await backend.pipeline.idle();
  const { graph, entities, relationships, textChunks } = backend.workspace;
  expect([...graph.nodes.keys()].sort()).toEqual(['Mill Square', 'North Gate']);
  expect([entities.count(), relationships.count(), textChunks.rows.size]).toEqual([2, 1, 1]);
});

test('the same content under another name is told as a duplicate and never tried again', async () => {
  const { backend } = await start();
  await insert('one.txt', 'The note names Quay Depot.');
  await insert('copy.txt', 'The note names Quay Depot.');
  await ask('/documents/reprocess_failed', {});
  await backend.pipeline.idle();
  expect(await json('/documents/status_counts')).toMatchObject({ status_counts: { processed: 1, failed: 1, all: 2 } });
  const [, [id, row] = []] = backend.workspace.docStatus.rows;
  expect(id).toMatch(/^dup-[0-9a-f]{32}$/);
  expect(row?.metadata).toMatchObject({ is_duplicate: true, duplicate_kind: 'content_hash' });
});

test('a stream ends when its reader goes away, and the server goes on', async () => {
  await start();
  await insert('long.txt', 'The crew measures the rails near Quay Depot. '.repeat(20));
  await json('/__faults', { stream_pause_ms: 20 });
  const leaving = new AbortController();
  const body = JSON.stringify({ query: 'Where does the crew measure?' });
  const response = await fetch(`${sample?.url}/query/stream`, { method: 'POST', body, signal: leaving.signal });
  const reader = response.body?.getReader();
  await reader?.read();
  leaving.abort();
  await expect(reader?.read()).rejects.toThrow();
  expect((await ask('/health')).status).toBe(200);
});

describe('the shape of 1.4', () => {
  const old = ['--lightrag-version', '1.4.16', '--api-key', 'k'];

  test('tells its configuration to anybody and knows no parsing', async () => {
    await start(...old);
    const health = await json('/health');
    expect(health).toMatchObject({ core_version: '1.4.16', configuration: { kv_storage: 'JsonKVStorage' } });
    expect(health).not.toHaveProperty('pipeline_active');
    const counts = (await (await ask('/documents/status_counts', undefined, { 'X-API-Key': 'k' })).json()) as object;
    expect(counts).toEqual({
      status_counts: { pending: 0, processing: 0, preprocessed: 0, processed: 0, failed: 0, all: 0 },
    });
  });

  test('names documents and chunks by their content', async () => {
    const { backend } = await start('--lightrag-version', '1.4.16');
    await insert('a.txt', 'The note names Quay Depot.');
    const [[id, row] = []] = backend.workspace.docStatus.rows;
    expect(id).toBe(`doc-${createHash('md5').update('The note names Quay Depot.').digest('hex')}`);
    expect(row?.chunks_list?.[0]).toMatch(/^chunk-[0-9a-f]{32}$/);
    expect(row?.metadata).toHaveProperty('processing_end_time');
  });
});

describe('switched faults', () => {
  test.each([
    [{ status: 500 }, 500, /^\{"detail":/],
    [{ answer: 'html' }, 200, /^<html>/],
    [{ answer: 'nonsense' }, 200, /^moo$/],
    [{ answer: 'invalid_json' }, 200, /^\{"status": "healt$/],
  ])('%o', async (faults, status, text) => {
    await start();
    await json('/__faults', faults);
    const response = await ask('/health');
    expect(response.status).toBe(status);
    expect(await response.text()).toMatch(text);
    await fetch(`${sample?.url}/__faults`, { method: 'DELETE' });
    expect(await json('/health')).toMatchObject({ status: 'healthy' });
  });

  test('concern only the paths they are set for', async () => {
    await start();
    await json('/__faults', { answer: 'close', only: '/documents' });
    await expect(ask('/documents/status_counts')).rejects.toThrow();
    expect((await ask('/health')).status).toBe(200);
  });

  test('hanging answers end with the server', async () => {
    const { close } = await start();
    await json('/__faults', { answer: 'hang', only: '/health' });
    const hanging = ask('/health');
    hanging.catch(() => undefined);
    expect((await ask('/api/version')).status).toBe(200);
    await close();
    await expect(hanging).rejects.toThrow();
  });

  test('refuse documents or say that the backlog is full', async () => {
    await start();
    const note = { text: 'Text.', file_source: 'a.txt' };
    await json('/__faults', { refuse_documents: true });
    expect((await ask('/documents/text', note)).status).toBe(503);
    await json('/__faults', { refuse_documents: false, admission_full: true });
    expect((await ask('/documents/text', note)).headers.get('retry-after')).toBe('30');
  });

  test('hold the pipeline busy until they are taken back', async () => {
    const { backend } = await start();
    await json('/__faults', { hold_busy: true });
    await ask('/documents/text', { text: 'Text at Quay Depot.', file_source: 'a.txt' });
    expect(await json('/health')).toMatchObject({ pipeline_busy: true, pipeline_active: true });
    expect(await json('/documents/status_counts')).toMatchObject({ status_counts: { pending: 1 } });
    await json('/__faults', { hold_busy: false });
    await backend.pipeline.idle();
    expect(await json('/documents/status_counts')).toMatchObject({ status_counts: { processed: 1 } });
  });

  test.each(['atomic', 'in-place'])('rewrite the files again and again, %s', async (mode) => {
    await generateWorkspace({ dir: join(base, 'w'), inputDir: join(base, 'i'), size: 'tiny', seed: 1, shape: '1.5' });
    await start();
    const path = join(base, 'w/vdb_chunks.json');
    const before = readFileSync(path);
    await json('/__faults', { rewrite: mode, rewrite_interval_ms: 1 });
    let writes = 0;
    const { writer } = sample?.backend.workspace ?? {};
    const write = writer?.write.bind(writer);
    if (writer !== undefined && write !== undefined)
      Object.assign(writer, {
        write: (...given: Parameters<typeof write>) => {
          writes += 1;
          return write(...given);
        },
      });
    await expect.poll(() => writes).toBeGreaterThan(24);
    await json('/__faults', { rewrite: '' });
    await sample?.close();
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test('that do not exist are refused', async () => {
    await start();
    const response = await ask('/__faults', { explode: true });
    expect([response.status, await response.json()]).toEqual([422, { detail: 'there is no switch explode' }]);
  });
});
