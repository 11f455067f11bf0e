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
const timeoutMs = 10_000;

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

describe('a store of vectors', () => {
  test.each<[Parameters<typeof lookAtVectorStore>[2], unknown, CheckResult['status']]>([
    [{ kind: 'qdrant', collection: 'c' }, { result: { collections: [{ name: 'c' }] } }, 'healthy'],
    [{ kind: 'qdrant', collection: 'd' }, { result: { collections: [{ name: 'c' }] } }, 'unhealthy'],
    [{ kind: 'milvus', collection: undefined }, { code: 0, data: ['c'] }, 'healthy'],
    [{ kind: 'milvus', collection: undefined }, { code: 1800, message: 'auth' }, 'unhealthy'],
    [{ kind: 'neo4j', collection: 'neo4j' }, { errors: [], results: [{ data: [{ row: ['neo4j'] }] }] }, 'healthy'],
    [{ kind: 'neo4j', collection: 'neo4j' }, { errors: [], results: [{ data: [{ row: ['system'] }] }] }, 'unhealthy'],
    [{ kind: 'neo4j', collection: undefined }, { errors: [{ code: 'Neo.ClientError' }], results: [] }, 'unhealthy'],
  ])('%j that answers %j is %s', async (wish, body, status) => {
    answer = { body };
    expect((await lookAtVectorStore(deps, place(), wish, signal)).status).toBe(status);
  });
});
