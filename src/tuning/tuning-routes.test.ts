import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createEventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { createHttpServer, type HttpServer, type Role } from '../platform/http/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { getLightragConfig, LightRAGConfig, resetLightragConfig, setLightragConfig } from '../sdk/index.ts';
import type { Running } from './drift.ts';
import { lightragConfigRoutes } from './lightrag-config-routes.ts';
import { createTuning } from './tuning.ts';
import { tuningRoutes } from './tuning-routes.ts';

const clock = createFakeClock();
let state: TestState;
let server: HttpServer;
let running: { graphId: string; running: Running }[] = [];

beforeAll(async () => {
  state = await openTestState();
  const events = createEventLog({ db: state.db, clock, instance: 'warden-1' });
  const tuning = createTuning({ db: state.db, events, clock, firstValues: () => ({}), indexes: () => [] });
  server = createHttpServer({
    log: silentLogger,
    clock,
    allowedHosts: () => [],
    authenticate: async ({ headers }) => {
      const subject = String(headers.authorization ?? 'Bearer local:nobody').slice('Bearer '.length);
      const role: Role = subject === 'local:admin' ? 'admin' : 'user';
      return { subject, role, workspaces: 'all', via: 'token' };
    },
  });
  await server.register(lightragConfigRoutes({ tuning }));
  await server.register(tuningRoutes({ tuning, running: async () => running, watches: async () => new Map() }));
});
afterEach(async () => {
  await ask('DELETE', '/config/lightrag/default', 'local:admin');
});
afterAll(async () => {
  await server.close();
  await state.remove();
});

type Method = 'GET' | 'PUT' | 'DELETE' | 'POST';
const ask = async (method: Method, path: string, who: string, body?: unknown, headers: Record<string, string> = {}) => {
  const answer = await server.inject({
    method,
    url: `/api/v1${path}`,
    headers: {
      authorization: `Bearer ${who}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json(), etag: String(answer.headers.etag) };
};
const six = {
  chunk_size: 1_000,
  graph_traversal_depth: 3,
  cache_enabled: true,
  cache_size: 1_000,
  vector_dimension: 1_536,
  max_token_size: 8_192,
};

test("a user reads, sets and resets its own parameters and nobody else's", async () => {
  expect(await ask('GET', '/config/lightrag', 'local:alice')).toMatchObject({ status: 200, body: six });
  const set = await ask('PUT', '/config/lightrag?reason=short', 'local:alice', { chunk_size: 1_200, top_k: 7 });
  expect(set).toMatchObject({ status: 200, body: { ...six, chunk_size: 1_200, top_k: 7 } });
  expect((await ask('GET', '/config/lightrag', 'local:alice')).body).toEqual({ ...six, chunk_size: 1_200, top_k: 7 });
  expect((await ask('GET', '/config/lightrag', 'local:bob')).body).toEqual(six);
  const { items } = (await ask('GET', '/tuning/revisions?limit=1', 'local:admin')).body;
  expect(items).toMatchObject([
    { actor: 'local:alice', reason: 'short', changes: [{ scope: 'user:local:alice' }, {}] },
  ]);
  const reset = await ask('DELETE', '/config/lightrag', 'local:alice');
  expect(reset).toMatchObject({ status: 200, body: { message: expect.stringContaining('those of the default') } });
  expect((await ask('GET', '/config/lightrag', 'local:alice')).body).toEqual(six);
});

test('the default is for administrators, and its reset clears what every user set', async () => {
  for (const method of ['GET', 'PUT', 'DELETE'] as const)
    expect(
      (await ask(method, '/config/lightrag/default', 'local:alice', method === 'PUT' ? {} : undefined)).status,
    ).toBe(403);
  await ask('PUT', '/config/lightrag', 'local:alice', { cache_size: 10 });
  const set = await ask('PUT', '/config/lightrag/default', 'local:admin', { vector_dimension: 3_072 });
  expect(set).toMatchObject({ status: 200, body: { ...six, vector_dimension: 3_072 } });
  expect((await ask('GET', '/config/lightrag', 'local:alice')).body).toEqual({
    ...six,
    cache_size: 10,
    vector_dimension: 3_072,
  });
  const reset = await ask('DELETE', '/config/lightrag/default', 'local:admin');
  expect(reset).toMatchObject({ status: 200, body: { message: expect.stringContaining('restored') } });
  expect((await ask('GET', '/config/lightrag', 'local:alice')).body).toEqual(six);
});

test('a value that cannot be is 422, with all that is wrong', async () => {
  const { status, body } = await ask('PUT', '/config/lightrag', 'local:alice', { chunk_size: 5_001, cache: true });
  expect(status).toBe(422);
  expect(body.errors).toMatchObject([
    { at: '/chunk_size', message: 'must be a whole number from 100 to 5000' },
    { at: '/cache', message: expect.stringContaining('is no parameter') },
  ]);
  expect((await ask('PUT', '/config/lightrag', 'local:alice', 'text')).status).toBe(422);
  const both = await ask('PUT', '/tuning/values', 'local:admin', { user: 'a', graph_id: 'b', values: {} });
  expect(both.status).toBe(422);
});

test('If-Match is honoured when it is sent and not asked for', async () => {
  const { etag } = await ask('GET', '/config/lightrag', 'local:alice');
  const first = await ask('PUT', '/config/lightrag', 'local:alice', { cache_size: 11 }, { 'if-match': etag });
  expect(first.status).toBe(200);
  expect((await ask('PUT', '/config/lightrag', 'local:alice', { cache_size: 12 }, { 'if-match': etag })).status).toBe(
    412,
  );
  const again = await ask('DELETE', '/config/lightrag', 'local:alice', undefined, { 'if-match': first.etag });
  expect(again.status).toBe(200);
});

test('the effective values say where they come from, differences are shown, and a rollback is one request', async () => {
  const before = (await ask('GET', '/tuning/revisions?limit=1', 'local:admin')).body.items[0]?.revision ?? 0;
  const set = await ask('PUT', '/tuning/values', 'local:admin', {
    graph_id: 'main:legal',
    values: { top_k: 9 },
    reason: 'x',
  });
  expect(set.body).toMatchObject({ revision: { revision: before + 1, reason: 'x' }, warnings: [] });
  const effective = await ask('GET', '/tuning/effective?graph_id=main:legal', 'local:admin');
  const found = effective.body.items.find((one: { parameter: string }) => one.parameter === 'top_k');
  expect(found).toEqual({ parameter: 'top_k', value: 9, origin: 'workspace', class: 'safe', backend_name: 'TOP_K' });
  const diff = await ask('GET', `/tuning/diff?from=${before + 1}&to=${before}`, 'local:admin');
  expect(diff.body.items).toEqual([{ scope: 'workspace:main:legal', parameter: 'top_k', before: 9, after: null }]);
  const back = await ask('POST', `/tuning/revisions/${before}/rollback`, 'local:admin', {});
  expect(back.body).toMatchObject({ revision: { what: 'rollback', rolled_back_to: before }, left_out: [] });
  expect((await ask('POST', '/tuning/revisions/999999/rollback', 'local:admin', {})).status).toBe(404);
  const checked = await ask('POST', '/tuning/check', 'local:admin', {
    values: { chunk_size: 200, chunk_overlap_size: 200 },
  });
  expect(checked.body).toMatchObject({
    valid: false,
    contradictions: [{ severity: 'error' }, { severity: 'warning' }],
  });
  const page = await ask('GET', '/tuning/revisions?limit=1', 'local:admin');
  const next = await ask('GET', `/tuning/revisions?limit=1&cursor=${page.body.next_cursor}`, 'local:admin');
  expect(next.body.items[0].revision).toBe(before + 1);
});

test('drift is told for each backend that was looked at', async () => {
  await ask('PUT', '/tuning/values', 'local:admin', { values: { top_k: 9, workers: 3 } });
  running = [
    {
      graphId: 'main',
      running: { configuration: undefined, environment: new Map([['TOP_K', '7']]), index: undefined },
    },
  ];
  const { status, body } = await ask('GET', '/tuning/drift', 'local:admin');
  expect(status).toBe(200);
  expect(body).toMatchObject({
    items: [{ graph_id: 'main', parameter: 'top_k', wanted: 9, found: 7, where: 'environment-file' }],
    compared: 1,
    unseen: ['workers'],
  });
  running = [];
});

test('the functions of the document work as written there', async () => {
  const options = {
    url: 'http://localhost',
    token: 'local:admin',
    fetch: (async (input, init) => {
      const { pathname, search } = new URL(String(input));
      const answer = await server.inject({
        method: (init?.method ?? 'GET') as 'GET',
        url: pathname + search,
        headers: init?.headers as Record<string, string>, // a plain object is what the client makes
        ...(typeof init?.body === 'string' ? { payload: init.body } : {}),
      });
      return new Response(answer.payload, {
        status: answer.statusCode,
        headers: answer.headers as Record<string, string>,
      });
    }) as typeof fetch,
  };
  expect(await getLightragConfig(options, 'user123')).toEqual(new LightRAGConfig());
  const changed = await setLightragConfig(options, { chunkSize: 1_500, graphTraversalDepth: 4 }, 'user123');
  expect(changed).toEqual(new LightRAGConfig({ chunkSize: 1_500, graphTraversalDepth: 4 }));
  const newDefault = await setLightragConfig(options, { cacheEnabled: false });
  expect(newDefault).toEqual(new LightRAGConfig({ cacheEnabled: false }));
  expect((await getLightragConfig(options, 'user123')).cacheEnabled).toBe(false);
  await resetLightragConfig(options, 'user123');
  expect(await getLightragConfig(options, 'user123')).toEqual(new LightRAGConfig({ cacheEnabled: false }));
  await resetLightragConfig(options);
  expect(await getLightragConfig(options)).toEqual(new LightRAGConfig());
});
