import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, expectTypeOf, test } from 'vitest';
import {
  BackupService,
  createClient,
  LightRAGConfig,
  type OperationBody,
  RagwardenError,
  SystemMonitor,
  setLightragConfig,
  type TargetBody,
} from './index.ts';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

type Seen = { method: string; url: string; headers: IncomingMessage['headers']; body: unknown };

/** A server on loopback that answers as told, and what it was asked. */
async function serve(answer: (seen: Seen, response: ServerResponse) => void): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    request.on('end', () => {
      const one = {
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body: text === '' ? undefined : JSON.parse(text),
      };
      seen.push(one);
      answer(one, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUps.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }; // listening on a port, so never a string
}
const json = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
};
const operation = (state: OperationBody['state'], more: Partial<OperationBody> = {}): OperationBody => ({
  id: 'op_1',
  kind: 'backup.create',
  target_id: 'default',
  state,
  phase: 'capturing',
  progress: {
    bytes_done: 0,
    bytes_total: null,
    files_done: 0,
    files_total: null,
    rate_bytes_per_second: null,
    remaining_seconds: null,
    percent: null,
  },
  result: null,
  error: null,
  requested_by: 'local:admin',
  created_at: '2026-01-01T00:00:00.000Z',
  finished_at: null,
  allowed_actions: ['cancel'],
  ...more,
});

test('calls carry the token and go where they belong, ids from outside escaped', async () => {
  const { url, seen } = await serve((_seen, response) => json(response, 200, { ok: true }));
  const client = createClient({ url: `${url}/base/`, token: 't' });
  await client.targets.get('../../etc');
  await client.monitoring.user('ü/..');
  await client.backup.history({ limit: 3 });
  await client.backup.restore('backup_x', { confirm: true, planId: 'plan_1', idempotencyKey: 'k' });
  await client.events.list({ types: ['backup.*', 'target.status-changed'], since: new Date(0), limit: 5 });
  expect(seen.map(({ method, url: path }) => `${method} ${path}`)).toEqual([
    'GET /base/api/v1/targets/..%2F..%2Fetc',
    'GET /base/api/v1/monitoring/user/%C3%BC%2F..',
    'GET /base/api/v1/backup/history?limit=3',
    'POST /base/api/v1/backup/restore/backup_x',
    'GET /base/api/v1/events?type=backup.*%2Ctarget.status-changed&since=1970-01-01T00%3A00%3A00.000Z&limit=5',
  ]);
  expect(seen.every(({ headers }) => headers.authorization === 'Bearer t')).toBe(true);
  expect(seen[3]).toMatchObject({ body: { confirm: true, plan_id: 'plan_1' }, headers: { 'idempotency-key': 'k' } });
});

test('an id of dots alone never becomes another path', async () => {
  const { url, seen } = await serve((_seen, response) => json(response, 200, {}));
  const client = createClient({ url });
  for (const id of ['.', '..', '']) await expect(client.targets.get(id)).rejects.toBeInstanceOf(TypeError);
  await expect(client.backup.restore('..', { confirm: true })).rejects.toBeInstanceOf(TypeError);
  expect(seen).toEqual([]);
});

test('a refusal is an error with everything the server said', async () => {
  const { url } = await serve((_seen, response) =>
    json(
      response,
      422,
      {
        code: 'request/invalid',
        status: 422,
        detail: 'See limit.',
        request_id: 'r1',
        errors: [{ at: 'querystring.limit', message: 'too big' }],
      },
      { 'retry-after': '3' },
    ),
  );
  const refused: unknown = await createClient({ url })
    .backup.history({ limit: 1e9 })
    .catch((err: unknown) => err);
  expect(refused).toBeInstanceOf(RagwardenError);
  expect(refused).toMatchObject({
    name: 'RagwardenError',
    message: 'See limit.',
    code: 'request/invalid',
    status: 422,
    detail: 'See limit.',
    violations: [{ at: 'querystring.limit', message: 'too big' }],
    requestId: 'r1',
    retryAfterSeconds: 3,
  });
});

test.each([
  ['a page', (response: ServerResponse) => response.end('<html>')],
  ['an error page', (response: ServerResponse) => response.writeHead(502).end('Bad Gateway')],
  ['a redirect', (response: ServerResponse) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
  ['JSON of somebody else', (response: ServerResponse) => json(response, 500, { error: 'x' })],
])('%s is not ragwarden', async (_name, answer) => {
  const { url, seen } = await serve((_one, response) => answer(response));
  await expect(createClient({ url, token: 't' }).targets.list()).rejects.toMatchObject({
    code: 'server/unreachable',
    detail: expect.stringContaining('is not ragwarden'),
  });
  expect(seen).toHaveLength(1);
});

test('nobody listening, silence and a caller who gives up are told apart', async () => {
  const { url } = await serve(() => undefined);
  await expect(createClient({ url, timeoutMs: 100 }).targets.list()).rejects.toMatchObject({ code: 'client/timeout' });
  const reason = new Error('enough');
  await expect(createClient({ url }).targets.list({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  await cleanUps.pop()?.();
  await expect(createClient({ url }).targets.list()).rejects.toMatchObject({
    code: 'server/unreachable',
    status: undefined,
  });
});

test.each(['', 'localhost', 'ftp://x', 'http://user:secret@127.0.0.1', '/path'])('%j is no place to call', (url) => {
  expect(() => createClient({ url })).toThrow(TypeError);
});

test('a fetch that is handed in is the one that is used', async () => {
  const asked: string[] = [];
  const client = createClient({
    url: 'http://ragwarden.test',
    fetch: async (input) => {
      asked.push(String(input));
      return new Response('{"status":"healthy"}');
    },
  });
  expect(await client.health.get()).toEqual({ status: 'healthy' });
  expect(asked).toEqual(['http://ragwarden.test/health']);
});

test('triggering a backup waits for its end and gives the point', async () => {
  const left = [
    operation('running'),
    operation('running'),
    operation('partial', { result: { backup_id: 'backup_1' } }),
  ];
  const { url, seen } = await serve((one, response) =>
    one.method === 'POST' ? json(response, 202, operation('running')) : json(response, 200, left.shift()),
  );
  const phases: string[] = [];
  const result = await new BackupService({ url }).triggerBackup({
    target: 'default',
    onProgress: ({ state }) => phases.push(state),
  });
  expect(result).toEqual({ backup_id: 'backup_1' });
  expect(phases).toEqual(['running', 'running', 'running', 'partial']);
  expect(seen.map(({ method, url: path, headers }) => [method, path, headers.prefer])).toEqual([
    ['POST', '/api/v1/backup/trigger', undefined],
    ...Array(3).fill(['GET', '/api/v1/operations/op_1', 'wait=1']),
  ]);
  expect(seen[0]?.body).toEqual({ target: 'default' });
});

test('parameters are taken by our names and by those of the document, and what is neither is not passed over', async () => {
  const { url, seen } = await serve((_, response) => json(response, 200, { items: [], next_cursor: null }));
  const options = { url, token: 't' };
  // Who writes JavaScript may write anything.
  const written = { chunk_size: 2_000, cacheSize: 50, chunksize: 1 } as { chunk_size: number };
  await setLightragConfig(options, written, 'user123');
  expect(seen[0]?.body).toMatchObject({ values: { chunk_size: 2_000, cache_size: 50, chunksize: 1 } });
  expect(new LightRAGConfig({ chunk_size: 2_000 }).chunkSize).toBe(2_000);
  expect(() => new LightRAGConfig(written)).toThrow(/chunksize is none of chunkSize/);
});

test('an operation that failed is an error with its code; one that was cancelled too', async () => {
  const failed = operation('failed', {
    error: { code: 'repository/locked', title: 't', status: 409, detail: 'Another holds it.', retryable: true },
  });
  let answer: OperationBody = failed;
  const { url } = await serve((_seen, response) => json(response, 200, answer));
  const { operations } = createClient({ url });
  await expect(operations.wait('op_1')).rejects.toMatchObject({
    code: 'repository/locked',
    status: 409,
    detail: 'Another holds it.',
    operation: { id: 'op_1' },
  });
  answer = operation('cancelled');
  await expect(operations.wait('op_1')).rejects.toMatchObject({ code: 'operation/cancelled' });
});

test('waiting ends at its limit, and the work goes on', async () => {
  const { url } = await serve((_seen, response) => json(response, 200, operation('running')));
  await expect(createClient({ url }).operations.wait('op_1', { timeoutMs: 0 })).rejects.toMatchObject({
    code: 'client/timeout',
    detail: expect.stringContaining('Operation op_1 goes on'),
    operation: { state: 'running' },
  });
});

test('types say what the server answers', () => {
  expectTypeOf(new SystemMonitor({ url: 'http://127.0.0.1' }).getSystemMetrics)
    .returns.resolves.toHaveProperty('uptime_seconds')
    .toEqualTypeOf<number>();
  expectTypeOf<TargetBody['status']>().toEqualTypeOf<'HEALTHY' | 'DEGRADED' | 'OFFLINE' | 'UNKNOWN'>();
});
