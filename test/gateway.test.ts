import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readOptions } from '../examples/sample-backend/options.ts';
import { type SampleBackend, startSampleBackend } from '../examples/sample-backend/server.ts';
import { createWarden, type StartedWarden, type Warden } from '../src/app/index.ts';
import { runInPipe } from '../src/cli/test-terminal.ts';
import { readConfig } from '../src/config/index.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { createClient, type RagwardenClient } from '../src/sdk/index.ts';
import { hasPart } from './setup/parts.ts';
import { prepareRepository, removeFolder, temporaryFolder, until } from './warden-harness.ts';

const token = 'an-admin-token-for-this-test-alone';
const legalKey = 'the-key-of-the-legal-backend';

/** The whole product before two backends, with everything of them asked for through the gateway alone. */
describe('before two backends', () => {
  const folder = temporaryFolder('gateway');
  const dataDir = join(folder, 'data');
  let main: SampleBackend;
  let legal: SampleBackend;
  let warden: Warden;
  let started: StartedWarden;
  let client: RagwardenClient;
  let gateway = '';
  /** What happens between capture and release of a point. */
  let atCapture: (() => Promise<void>) | undefined;

  const backend = (name: string, ...more: string[]): Promise<SampleBackend> => {
    const folders = ['--working-dir', join(folder, name, 'w'), '--input-dir', join(folder, name, 'i')];
    return startSampleBackend(readOptions([...folders, ...more]), () => undefined);
  };
  const ask = async (
    path: string,
    options: { body?: unknown; method?: string; headers?: Record<string, string> } = {},
  ) => {
    const answer = await fetch(`${gateway}${path}`, {
      method: options.method ?? (options.body === undefined ? 'GET' : 'POST'),
      headers: { ...(options.body === undefined ? {} : { 'content-type': 'application/json' }), ...options.headers },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
    const text = await answer.text();
    return { status: answer.status, text, headers: answer.headers };
  };
  const cli = (...argv: string[]) =>
    runInPipe(argv, { env: { RAGWARDEN_URL: started.api, RAGWARDEN_TOKEN: token }, cwd: folder });

  beforeAll(async () => {
    mkdirSync(dataDir, { recursive: true });
    [main, legal] = await Promise.all([
      backend('main'),
      backend('legal', '--workspace', 'legal', '--api-key', legalKey),
    ]);
    await prepareRepository(dataDir);
    writeFileSync(join(folder, 'legal-key'), `${legalKey}\n`);
    const settings = {
      target: {
        id: 'rag',
        url: main.url,
        working_dir: join(folder, 'main/w'),
        input_dir: join(folder, 'main/i'),
        endpoints: [
          { workspace: 'legal', url: legal.url, api_key_file: join(folder, 'legal-key'), path_prefix: '/legal' },
        ],
      },
    };
    const env = { RAGWARDEN_ADMIN_TOKEN: token, RAGWARDEN_BACKUP_AT_START: 'false' };
    const flags = { 'data-dir': dataDir, port: '0', 'metrics-port': '0', 'gateway-port': '0' };
    warden = createWarden({
      reading: readConfig({ env, flags, cwd: dataDir, given: { name: 'settings', content: JSON.stringify(settings) } }),
      log: silentLogger,
      command: 'serve',
      step: (name) => (name === 'backup:captured-workspace' ? atCapture?.() : undefined),
    });
    started = await warden.start();
    gateway = started.gateway ?? '';
    client = createClient({ url: started.api, token });
  });
  afterAll(async () => {
    await warden?.stop('the test is over');
    await Promise.all([main?.close(), legal?.close()]);
    removeFolder(folder);
  });

  test('documents go in, are found, streamed, counted and deleted, all through the gateway', async () => {
    const inserted = await ask('/documents/text', {
      body: { text: 'The early car leaves Quay Depot before six.', file_source: 'morning.txt' },
    });
    expect(JSON.parse(inserted.text)).toMatchObject({ status: 'success' });
    const form = new FormData();
    form.append('file', new Blob(['A Points Heater at North Gate failed.']), 'heater.txt');
    const uploaded = await fetch(`${gateway}/documents/upload`, { method: 'POST', body: form });
    expect(await uploaded.json()).toMatchObject({ status: 'success' });
    await main.backend.pipeline.idle();
    expect(JSON.parse((await ask('/documents/status_counts')).text)).toMatchObject({
      status_counts: { processed: 2, all: 2 },
    });
    const query = { query: 'When does the early car leave?' };
    expect(JSON.parse((await ask('/query', { body: query })).text).response).toContain('before six');
    const stream = await ask('/query/stream', { body: { query: 'Where does the early car leave, and when?' } });
    expect(stream.headers.get('content-type')).toContain('ndjson');
    const lines = stream.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toHaveProperty('references');
    expect(lines.length).toBeGreaterThan(1);
    expect(JSON.parse((await ask('/query/data', { body: query })).text)).toMatchObject({ status: 'success' });
    const { documents } = JSON.parse((await ask('/documents/paginated', { body: { page: 1, page_size: 10 } })).text);
    const removed = await ask('/documents/delete_document', {
      method: 'DELETE',
      body: { doc_ids: [documents[0].id], delete_file: false },
    });
    expect(JSON.parse(removed.text)).toMatchObject({ status: 'deletion_started' });
    await main.backend.pipeline.idle();
    expect(JSON.parse((await ask('/documents/status_counts')).text)).toMatchObject({ status_counts: { all: 1 } });
    expect((await ask('/health')).status).toBe(200);
    expect((await ask('/no-such-route')).status).toBe(404);
  });

  test('a key opens its workspace with the backend’s own key, and nothing else; it is audited, and ends at once', async () => {
    const body = { query: 'anything at all' };
    expect((await ask('/legal/query', { body })).status).toBe(403);
    const { code, stdout, stderr } = await cli('key', 'create', 'alice', '--workspace', 'legal', '--expires', '1d');
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('workspace "legal" of rag') });
    const headers = { 'x-api-key': stdout.trim() };
    expect((await ask('/query', { body, headers })).status).toBe(200);
    expect((await ask('/legal/query', { body, headers })).status).toBe(200);
    expect((await ask('/query', { body, headers: { ...headers, 'lightrag-workspace': 'legal' } })).status).toBe(200);
    const other = await ask('/query', { body, headers: { ...headers, 'lightrag-workspace': 'main' } });
    expect([other.status, JSON.parse(other.text).code]).toEqual([404, 'gateway/unknown-workspace']);
    const [key] = (await client.gateway.keys()).items;
    expect(key).toMatchObject({ subject: 'local:alice', workspace: 'legal', state: 'active' });
    expect((await cli('key', 'list')).stdout).toContain('local:alice');
    expect((await cli('key', 'revoke', key?.id ?? '', '--yes')).code).toBe(0);
    await until('the key opens nothing', async () =>
      (await ask('/query', { body, headers })).status === 401 ? true : undefined,
    );
    const trail = (await started.events.listAudit({ limit: 20 })).map(
      ({ actor, action, object }) => `${actor} ${action} ${object}`,
    );
    expect(trail).toContain(`local:admin gateway.create-key ${key?.id}`);
    expect(trail).toContain(`local:admin gateway.revoke-key ${key?.id}`);
    expect((await client.gateway.createKey({ name: 'bob', workspace: 'nowhere' }).catch((err) => err)).code).toBe(
      'gateway/unknown-workspace',
    );
  });

  test('its state is told to the API and the command line', async () => {
    expect(await client.gateway.status()).toMatchObject({
      phase: 'running',
      url: gateway,
      upstreams: [
        { id: 'rag/', has_key: false, state: 'closed' },
        { id: 'rag/legal', path_prefix: '/legal', has_key: true, state: 'closed' },
      ],
    });
    const { code, stdout } = await cli('gateway', 'status');
    expect(code).toBe(0);
    expect(stdout).toContain('rag/legal');
    expect(stdout).not.toContain(legalKey);
  });

  test.skipIf(!hasPart('restic'))('inserts wait while a recovery point is captured, and queries do not', async () => {
    const insert = { text: 'Inserted while a point was taken.', file_source: 'meanwhile.txt' };
    let inserting: Promise<{ status: number }> | undefined;
    let waited = false;
    let queried = 0;
    atCapture = async () => {
      atCapture = undefined;
      inserting = ask('/documents/text', { body: insert });
      waited = await until('the insert waits', async () => {
        const { barrier } = await client.gateway.status();
        return barrier?.waiting === 1 && barrier.holding.includes('rag') ? true : undefined;
      });
      queried = (await ask('/query', { body: { query: 'anything at all' } })).status;
    };
    const operation = await client.operations.wait((await client.backup.trigger()).id);
    expect(operation).toMatchObject({ state: 'succeeded' });
    expect({ waited, queried }).toEqual({ waited: true, queried: 200 });
    expect((await inserting)?.status).toBe(200);
  });

  test('a stop lets a stream end that is under way', async () => {
    const request = httpRequest(`${gateway}/query/stream`, {
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/json' },
    });
    request.end(JSON.stringify({ query: 'When does the early car leave?' }));
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    const stopped = warden.stop('the test is over');
    let text = '';
    for await (const chunk of answer) text += String(chunk);
    expect(
      text
        .trim()
        .split('\n')
        .every((line) => JSON.parse(line)),
    ).toBe(true);
    await stopped;
    await expect(fetch(gateway)).rejects.toThrow();
  });
});
