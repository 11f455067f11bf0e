import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../platform/clock.ts';
import { createHttpClient } from '../../platform/http-client.ts';
import type { CheckResult } from '../health-check.ts';
import { type HttpPlace, lookAtHttp } from './http-look.ts';
import { lookAtModel, type ModelWish } from './model-look.ts';
import { lookAtTcp } from './tcp-look.ts';
import { lookAtVectorStore } from './vector-store-look.ts';

const http = createHttpClient();
const deps = { http, clock: systemClock };
const signal = new AbortController().signal;
/** Longer than a name is looked for where nobody answers for names. */
const timeoutMs = 60_000;

/** What is answered next, and what was asked. */
let answer: { status?: number; body?: unknown; hangs?: boolean } = {};
let asked: { path: string; method: string; key: string | undefined; body: string } | undefined;
let server: Server;
let url: string;

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const body = await textOf(request);
    asked = { path: request.url ?? '', method: request.method ?? '', key: request.headers.authorization, body };
    if (answer.hangs) return;
    response.statusCode = answer.status ?? 200;
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {}));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await http.close();
});

const place = (path = '', more: Partial<HttpPlace> = {}): HttpPlace => ({
  ...{ url: `${url}${path}`, timeoutMs, headers: async () => ({ authorization: 'Bearer secret' }) },
  ...more,
});

describe('anything over HTTP', () => {
  const look = (expected: Partial<Parameters<typeof lookAtHttp>[2]> = {}, where = place('/up?key=hidden')) =>
    lookAtHttp(deps, where, { method: 'GET', statuses: undefined, text: undefined, ...expected }, signal);

  test.each<[string, typeof answer, Parameters<typeof look>[0], CheckResult['status']]>([
    ['answers', { body: 'ok' }, {}, 'healthy'],
    ['answers 204', { status: 204 }, {}, 'healthy'],
    ['answers 500', { status: 500 }, {}, 'unhealthy'],
    ['answers what is expected of it', { status: 401 }, { statuses: [200, 401] }, 'healthy'],
    ['answers 200 where that is not expected', {}, { statuses: [401] }, 'unhealthy'],
    ['says the word', { body: 'all is ready' }, { text: 'ready' }, 'healthy'],
    ['does not say it', { body: 'starting' }, { text: 'ready' }, 'unhealthy'],
  ])('that %s', async (_, given, expected, status) => {
    answer = given;
    expect((await look(expected)).status).toBe(status);
    expect(asked).toMatchObject({ path: '/up?key=hidden', key: 'Bearer secret' });
  });

  test('that never answers, or cannot be found, is told without what its URL holds', async () => {
    answer = { hangs: true };
    const late = await look({}, place('/up?key=hidden', { timeoutMs: 200 }));
    const gone = await look({}, { ...place(), url: 'http://no-such-host.invalid/?key=hidden' });
    expect(late).toMatchObject({
      status: 'unhealthy',
      message: expect.stringContaining('did not answer within 200 ms'),
    });
    expect(gone).toMatchObject({
      status: 'unhealthy',
      message: expect.stringMatching(/name (is not known|cannot be)/),
    });
    expect(JSON.stringify([late, gone])).not.toMatch(/hidden|secret/);
  });
});

describe('anything over TCP', () => {
  test('that takes connections, and that does not', async () => {
    const other = createSocketServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const address = other.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const look = (host = '127.0.0.1') => lookAtTcp(systemClock, { host, port, timeoutMs }, signal);
    expect(await look()).toMatchObject({ status: 'healthy' });
    other.close();
    await new Promise((resolve) => other.once('close', resolve));
    expect(await look()).toMatchObject({ status: 'unhealthy', message: 'It cannot be reached: nobody listens there.' });
    expect(await look('no-such-host.invalid')).toMatchObject({ status: 'unhealthy' });
  });
});

describe('a provider of models', () => {
  const wish: ModelWish = { role: 'llm', api: 'openai', model: 'm', look: 'list', dimension: () => undefined };
  const look = (change: Partial<ModelWish> = {}) => lookAtModel(deps, place('/v1'), { ...wish, ...change }, signal);

  test.each<[string, typeof answer, Partial<ModelWish>, CheckResult['status']]>([
    ['has the model', { body: { data: [{ id: 'm' }, { id: 'n' }] } }, {}, 'healthy'],
    ['has it no more', { body: { data: [{ id: 'n' }] } }, {}, 'unhealthy'],
    ['has some', { body: { data: [] } }, { model: undefined }, 'healthy'],
    ['refuses the key', { status: 401, body: { error: {} } }, {}, 'unhealthy'],
    ['has had enough of us', { status: 429 }, {}, 'degraded'],
    ['is something else', { body: { hello: 'world' } }, {}, 'unhealthy'],
    ['is a page', { body: '<html>' }, {}, 'unhealthy'],
    ['has it, as Ollama says it', { body: { models: [{ name: 'm:latest' }] } }, { api: 'ollama' }, 'healthy'],
    ['says a token', { body: { choices: [{}] } }, { look: 'call' }, 'healthy'],
    ['says none', { body: { choices: [] } }, { look: 'call' }, 'unhealthy'],
    ['says a token, as Ollama does', { body: { response: 'x' } }, { look: 'call', api: 'ollama' }, 'healthy'],
  ])('that %s', async (_, given, change, status) => {
    answer = given;
    expect((await look(change)).status).toBe(status);
  });

  test('is asked for one token, and only where that was chosen', async () => {
    answer = { body: { choices: [{}] } };
    await look({ look: 'call' });
    expect(asked).toMatchObject({ path: '/v1/chat/completions', method: 'POST' });
    expect(JSON.parse(asked?.body ?? '')).toMatchObject({ model: 'm', max_tokens: 1 });
    await look();
    expect(asked).toMatchObject({ path: '/v1/models', method: 'GET', body: '' });
  });

  test('makes vectors of the length that the index has; of another, nothing will be found', async () => {
    answer = { body: { data: [{ embedding: [0.1, 0.2, 0.3] }] } };
    const embedding = (dimension: number | undefined) =>
      look({ role: 'embedding', look: 'call', dimension: () => dimension });
    expect(await embedding(3)).toMatchObject({ status: 'healthy', details: { dimension: 3, index_dimension: 3 } });
    expect(await embedding(undefined)).toMatchObject({ status: 'healthy' });
    expect(await embedding(4)).toMatchObject({ status: 'critical', blocks: ['answer', 'ingest'] });
  });
});

/**
 * As their own pages have it: api.qdrant.tech (List all collections), milvus.io (REST v2, List collections), neo4j.com/docs/http-api
 * (Result formats, Handling errors).
 */
const documented = {
  qdrant: {
    usage: { cpu: 1, io_read: 1, io_write: 1 },
    ...{ time: 0.002, status: 'ok', result: { collections: [{ name: 'lightrag_vdb_chunks' }] } },
  },
  milvus: { code: 0, data: ['chunks', 'entities'] },
  neo4j: {
    results: [
      {
        columns: ['name'],
        data: [
          { row: ['neo4j'], meta: [null] },
          { row: ['system'], meta: [null] },
        ],
      },
    ],
    errors: [],
    lastBookmarks: ['FB:kcwQ/wTfJf8rS1WY+GiIKXsCXgmQ'],
  },
  neo4jError: {
    results: [],
    errors: [{ code: 'Neo.ClientError.Statement.SyntaxError', message: 'Invalid input of the-secret-of-the-house' }],
    commit: 'http://localhost:7474/db/neo4j/tx/17/commit',
  },
};

describe('a store of vectors', () => {
  type Case = [Parameters<typeof lookAtVectorStore>[2], unknown, CheckResult['status'], message: string];
  const neo4j = { kind: 'neo4j', collection: 'neo4j' } as const;
  test.each<Case>([
    [{ kind: 'qdrant', collection: 'lightrag_vdb_chunks' }, documented.qdrant, 'healthy', 'with 1 collections'],
    [{ kind: 'qdrant', collection: 'd' }, documented.qdrant, 'unhealthy', 'has no collection d'],
    [{ kind: 'qdrant', collection: undefined }, { status: 'ok' }, 'unhealthy', 'qdrant does not say'],
    [{ kind: 'milvus', collection: 'chunks' }, documented.milvus, 'healthy', 'with 2 collections'],
    [{ kind: 'milvus', collection: undefined }, { ...documented.milvus, code: 200 }, 'healthy', 'with 2 collections'],
    [{ kind: 'milvus', collection: undefined }, { code: 1800, message: 'x' }, 'unhealthy', 'refuses the credentials'],
    [{ kind: 'milvus', collection: undefined }, { code: 65_535, message: 'x' }, 'unhealthy', 'the error 65535'],
    [neo4j, documented.neo4j, 'healthy', 'with 2 databases'],
    [{ ...neo4j, collection: 'other' }, documented.neo4j, 'unhealthy', 'has no database other that is online'],
    [neo4j, documented.neo4jError, 'unhealthy', 'the error Neo.ClientError.Statement.SyntaxError'],
  ])('%j that answers %j is %s', async (wish, body, status, message) => {
    answer = { body };
    const found = await lookAtVectorStore(deps, place(), wish, signal);
    expect(found).toMatchObject({ status, message: expect.stringContaining(message) });
    expect(found.message).not.toContain('the-secret-of-the-house');
  });

  test('is asked as its own pages say, with what lets us in', async () => {
    const wants = { qdrant: 'GET /collections', milvus: 'POST /v2/vectordb/collections/list' };
    for (const [kind, wanted] of Object.entries({ ...wants, neo4j: 'POST /db/system/tx/commit' })) {
      answer = { status: 401, body: { status: { error: 'Unauthorized' } } };
      const look = lookAtVectorStore(deps, place(), { kind: kind as 'qdrant', collection: undefined }, signal);
      expect(await look).toMatchObject({ status: 'unhealthy', message: 'It refuses the credentials (401).' });
      expect([`${asked?.method} ${asked?.path}`, asked?.key]).toEqual([wanted, 'Bearer secret']);
    }
  });
});
