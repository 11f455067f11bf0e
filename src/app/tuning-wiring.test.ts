import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { generateWorkspace } from '../../examples/sample-backend/generate.ts';
import { readConfig } from '../config/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { createWarden, type StartedWarden, type Warden } from './warden.ts';

const adminToken = 'an-admin-token-for-this-test-alone';
const folder = mkdtempSync(join(tmpdir(), 'ragwarden-tuning-'));
let warden: Warden;
let started: StartedWarden;

beforeAll(async () => {
  const workingDir = join(folder, 'rag');
  await generateWorkspace({ dir: workingDir, inputDir: join(folder, 'inputs'), size: 'tiny', seed: 7, shape: '1.5' });
  writeFileSync(join(folder, '.env'), 'TOP_K=7\nEMBEDDING_DIM=4096 # another model\n');
  const env = {
    RAGWARDEN_ADMIN_TOKEN: adminToken,
    // Nobody answers there: what is known comes from the files.
    RAGWARDEN_TARGET_URL: 'http://127.0.0.1:9',
    RAGWARDEN_TARGET_ENV_FILE: join(folder, '.env'),
    RAGWARDEN_GATEWAY_ENABLED: 'false',
    WORKING_DIR: workingDir,
    RAGWARDEN_BACKUP_AT_START: 'false',
  };
  const flags = { 'data-dir': join(folder, 'data'), port: '0', 'metrics-port': '0' };
  warden = createWarden({ reading: readConfig({ env, flags, cwd: folder }), log: silentLogger, command: 'serve' });
  started = await warden.start();
});
afterAll(async () => {
  await warden.stop('the test is over');
  rmSync(folder, { recursive: true, force: true });
});

const ask = async (method: 'GET' | 'PUT' | 'POST', path: string, body?: unknown) => {
  const answer = await started.server.inject({
    method,
    url: `/api/v1${path}`,
    headers: {
      authorization: `Bearer ${adminToken}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json() };
};

test('the numbers of a refusal are those of the files, and the environment file is compared with them', async () => {
  const inspected = await expect
    .poll(async () => (await ask('GET', '/targets/default/inspection')).body)
    .toMatchObject({ audit: { verdict: expect.any(String) } })
    .then(async () => (await ask('GET', '/targets/default/inspection')).body);
  const { counts } = inspected.audit;
  const vectors = counts.text_chunks + counts.vdb_entities + counts.vdb_relationships;
  const refused = await ask('PUT', '/config/lightrag/default', { vector_dimension: 3_072 });
  expect(refused).toMatchObject({ status: 409, body: { code: 'conflict/confirmation-required' } });
  expect(refused.body.detail).toContain(`${vectors} vectors of default have to be embedded anew`);
  expect(refused.body.detail).toContain(`of ${counts.doc_status} documents`);
  expect(
    (await ask('PUT', '/config/lightrag/default?confirm=true', { vector_dimension: 3_072, top_k: 9 })).status,
  ).toBe(200);
  const { items } = (await ask('GET', '/tuning/drift')).body;
  const seen = items.map((one: { parameter: string; where: string; wanted: unknown; found: unknown }) => [
    ...[one.parameter, one.where, one.wanted, one.found],
  ]);
  const dimension = inspected.embedding[0].dimension;
  expect(seen).toEqual([
    ['vector_dimension', 'environment-file', 3_072, 4_096],
    ['vector_dimension', 'index', 3_072, dimension],
    ['top_k', 'environment-file', 9, 7],
    ['vector_dimension', 'environment-file', null, 4_096],
  ]);
});

test('what the backend runs with is told with where it was seen, and advice rests on it or says what is missing', async () => {
  const { items } = (await ask('GET', '/tuning/running')).body;
  const of = (name: string) => items.find((one: { parameter: string }) => one.parameter === name);
  expect(of('top_k')).toMatchObject({ graph_id: 'default', value: 7, found_in: 'environment-file' });
  expect(of('max_total_tokens')).toMatchObject({ value: 30_000, found_in: 'backend-default', wanted: null });
  // Its default depends on the version, which nobody told; the other depends on nothing.
  expect(of('max_parallel_insert')).toMatchObject({ value: null, found_in: null });
  expect(of('chunk_size')).toMatchObject({ value: 1_200, found_in: 'backend-default' });
  writeFileSync(join(folder, '.env'), 'TOP_K=7\nENABLE_LLM_CACHE_FOR_EXTRACT=false\n');
  const advice = await ask('GET', '/tuning/advice?window=3600');
  expect(advice.status).toBe(200);
  expect(advice.body.items).toMatchObject([
    { graph_id: 'default', rule: 'extract-cache-off', class: 'safe', changes: [{ from: false, to: true }] },
  ]);
  expect(advice.body.items[0].already_set).toBe(false);
  await ask('PUT', '/config/lightrag/default', { enable_llm_cache_for_extract: true });
  const [waiting] = (await ask('GET', '/tuning/advice')).body.items;
  expect(waiting).toMatchObject({ rule: 'extract-cache-off', already_set: true });
  const [{ unknown, fine }] = advice.body.backends;
  expect(unknown.map(({ rule }: { rule: string }) => rule)).toEqual(
    expect.arrayContaining(['llm-queue-full', 'slow-answers', 'cache-never-hit', 'files-beyond-storage']),
  );
  expect(fine).toEqual(expect.arrayContaining(['chunk-size-unusual']));
  expect((await ask('GET', '/tuning/advice?window=5')).status).toBe(422);
});
