import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../platform/clock.ts';
import { createHttpClient } from '../../platform/http-client.ts';
import { createGraphragAdapter } from './graphrag-adapter.ts';
import { createGraphragService } from './graphrag-service.ts';

let server: Server;
let url: string;
let routes: Record<string, [status: number, body: unknown]> = {};
let keys: (string | undefined)[] = [];
const http = createHttpClient();
beforeAll(async () => {
  server = createServer((request, response) => {
    keys.push(request.headers['x-api-key'] as string | undefined);
    const [status, body] = routes[request.url ?? ''] ?? [404, { detail: 'Not Found' }];
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // listening on a port, so never a string
});
afterEach(() => {
  routes = {};
  keys = [];
});
afterAll(async () => {
  await http.close();
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});

const look = async (at = url) => {
  const endpoint = { url: at, workspace: '', apiKey: 'k', username: undefined, password: undefined };
  const service = createGraphragService({ endpoint, http, monotonic: () => 0, timeoutMs: 5_000 });
  const adapter = createGraphragAdapter({ project: undefined, service, clock: systemClock, quietMs: () => 1 });
  return adapter.probe();
};
const info = { name: 'GraphRAG API', version: '0.1.0', provider: 'ollama' };
const jobs = { running_jobs: 1, queued_jobs: 2, failed_jobs: 3, success_rate: 0.5 };

test('says how it is, its version and its jobs, and gets the key', async () => {
  routes = {
    '/api/health': [200, { status: 'healthy' }],
    '/api/info': [200, info],
    '/api/indexing/stats': [200, jobs],
  };
  const seen = await look();
  expect(seen).toMatchObject({
    kind: 'graphrag',
    reachable: true,
    apiVersion: '0.1.0',
    pipelineBusy: true,
    faults: [],
  });
  expect(seen.facts).toContainEqual({ name: 'service_failed_jobs', value: 3, unit: 'jobs' });
  expect(new Set(keys)).toEqual(new Set(['k']));
});

test.each<[string, typeof routes, string, string[]]>([
  ['another path for its health', { '/health': [200, { status: 'ok' }] }, 'graphrag', []],
  ['its root alone', { '/': [200, { status: 'healthy', name: 'GraphRAG' }] }, 'graphrag', []],
  ['a degraded one', { '/api/health': [200, { status: 'degraded' }] }, 'graphrag', ['says-degraded']],
  ['one that is ill', { '/api/health': [200, { status: 'error' }] }, 'graphrag', ['says-unhealthy']],
  ['a closed one', { '/api/health': [403, {}] }, 'unknown', ['unauthorised']],
  ['a broken one', { '/api/health': [500, {}] }, 'unknown', ['server-error']],
  ['something else', {}, 'unknown', ['not-understood']],
])('a service: %s', async (_what, given, kind, faults) => {
  routes = given;
  const seen = await look();
  expect([seen.kind, seen.faults.map((one) => one.kind)]).toEqual([kind, faults]);
});

test('nobody there is unreachable', async () => {
  expect(await look('http://127.0.0.1:1')).toMatchObject({ reachable: false, faults: [{ kind: 'unreachable' }] });
});
