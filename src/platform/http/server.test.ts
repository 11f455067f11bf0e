import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../clock.ts';
import { AppError } from '../errors.ts';
import { silentLogger } from '../logging.ts';
import {
  createHttpServer,
  type HttpServer,
  type HttpServerOptions,
  listen,
  type Principal,
  type ResponseFacts,
  type RoutePlugin,
  sseStream,
} from './index.ts';

const roles = ['admin', 'service', 'scrape', 'user'] as const;
const open: HttpServer[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

/** `Authorization: Bearer <role>` is that role; anything else is wrong. */
const authenticate: HttpServerOptions['authenticate'] = async (request) => {
  const given = request.headers.authorization?.replace('Bearer ', '');
  if (given === undefined) return undefined;
  const role = roles.find((name) => name === given);
  if (!role) throw new AppError('access/unauthenticated', 'The token is not known.');
  return { subject: `local:${role}`, role, workspaces: 'all', via: 'token' } satisfies Principal;
};

const routes: RoutePlugin = async (app) => {
  for (const access of ['public', 'user', 'service', 'scrape', 'admin'] as const)
    app.get(
      `/only/${access}`,
      { config: { access }, schema: { response: { 200: z.object({ who: z.string() }) } } },
      (request) => Promise.resolve({ who: request.principal?.role ?? 'stranger' }),
    );
  app.post(
    '/things/:id',
    {
      config: { access: 'public' },
      schema: {
        params: z.object({ id: z.coerce.number().int() }),
        querystring: z.object({ limit: z.coerce.number().int().max(10) }),
        body: z.object({ name: z.string(), size: z.number() }),
        response: { 200: z.object({ ok: z.boolean() }) },
      },
    },
    async () => ({ ok: true }),
  );
  app.get(
    '/wrong',
    { config: { access: 'public' }, schema: { response: { 200: z.object({ n: z.number() }) } } },
    async () => ({
      n: 'a secret text' as unknown as number,
    }),
  );
  app.get(
    '/undescribed',
    { config: { access: 'public' }, schema: { response: { 200: z.object({ n: z.number() }) } } },
    async (_request, reply) => reply.code(203 as 200).send({ n: 'a secret text' as unknown as number }),
  );
  app.post(
    '/optional',
    { config: { access: 'public' }, schema: { body: z.strictObject({ all: z.boolean().optional() }).optional() } },
    async (request) => ({ all: request.body?.all ?? 'nobody said' }),
  );
  app.post(
    '/labelled',
    { config: { access: 'public' }, schema: { body: z.object({ labels: z.record(z.string(), z.string()) }) } },
    async () => 'ok',
  );
  app.get('/boom', { config: { access: 'public' } }, async () => {
    throw new Error('the password is hunter2');
  });
  app.get('/later', { config: { access: 'public' } }, async () => {
    throw new AppError('storage/unavailable', 'Try again.', { retryAfterSeconds: 2.2, context: { inner: 'hidden' } });
  });
  app.get('/page', { config: { access: 'public' } }, async (_request, reply) =>
    reply
      .type('text/html')
      .header('content-security-policy', "default-src 'self'; frame-ancestors 'none'")
      .send('<p>hi'),
  );
  app.get('/stream', { config: { access: 'public' } }, (request, reply) =>
    sseStream(request, reply, {
      log: silentLogger,
      async *source({ signal }) {
        yield { event: 'first', data: 1 };
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    }),
  );
  app.get('/slow', { config: { access: 'public' } }, async () => {
    await new Promise(() => undefined);
  });
};

async function server(options: Partial<HttpServerOptions> = {}): Promise<HttpServer> {
  const app = createHttpServer({
    log: silentLogger,
    clock: systemClock,
    authenticate,
    allowedHosts: () => ['ops.example.com'],
    ...options,
  });
  open.push(app);
  app.register(routes);
  await app.ready();
  return app;
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

test('each access class lets in exactly its roles', async () => {
  const app = await server();
  const admitted = {
    public: ['stranger', 'admin', 'service', 'scrape', 'user'],
    user: ['admin', 'user'],
    service: ['admin', 'service'],
    scrape: ['admin', 'service', 'scrape'],
    admin: ['admin'],
  };
  for (const [access, expected] of Object.entries(admitted))
    for (const who of ['stranger', ...roles]) {
      const headers = who === 'stranger' ? {} : bearer(who);
      const { statusCode } = await app.inject({ url: `/only/${access}`, headers });
      expect([access, who, statusCode]).toEqual([
        access,
        who,
        expected.includes(who) ? 200 : who === 'stranger' ? 401 : 403,
      ]);
    }
});

test('wrong credentials are refused, but a public page shows itself as to a stranger', async () => {
  const app = await server();
  const refused = await app.inject({ url: '/only/user', headers: bearer('forged') });
  expect(refused.statusCode).toBe(401);
  expect(refused.headers['www-authenticate']).toContain('Bearer');
  expect((await app.inject({ url: '/only/public', headers: bearer('forged') })).json()).toEqual({ who: 'stranger' });
});

test('a route that does not say who may call it is refused at registration', async () => {
  const app = createHttpServer({ log: silentLogger, clock: systemClock, authenticate, allowedHosts: () => [] });
  open.push(app);
  expect(() => app.get('/open', async () => 'hello')).toThrow(/GET \/open does not say who may call it/);
});

test('the route table lists each route with its access class', async () => {
  const app = await server();
  expect(app.routeTable).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ method: 'GET', url: '/only/scrape', access: 'scrape' }),
      expect.objectContaining({ method: 'POST', url: '/things/:id', access: 'public' }),
    ]),
  );
  expect(app.routeTable.some((route) => route.method === 'HEAD')).toBe(false);
});

test('all violations of all parts of a request are listed in one 422', async () => {
  const app = await server();
  const answer = await app.inject({ method: 'POST', url: '/things/x?limit=11', payload: { size: 'big' } });
  expect(answer.statusCode).toBe(422);
  expect(answer.headers['content-type']).toContain('application/problem+json');
  const problem = answer.json();
  expect(problem).toMatchObject({
    code: 'request/invalid',
    status: 422,
    instance: '/things/x',
    type: 'urn:ragwarden:error:request/invalid',
  });
  expect(problem.errors.map((error: { at: string }) => error.at)).toEqual([
    'params.id',
    'body.name',
    'body.size',
    'query.limit',
  ]);
  // A schema makes NaN or undefined of what is not there; whoever calls is told what to do.
  const nothing = await app.inject({ method: 'POST', url: '/things/1' });
  expect(nothing.json().errors).toContainEqual({ at: 'body', message: 'is required' });
  const some = await app.inject({ method: 'POST', url: '/things/1?limit=1', payload: { size: 1 } });
  expect(some.json().errors).toEqual([{ at: 'body.name', message: 'is required' }]);
});

test('a value that was sent is not said to be missing, whatever it is called', async () => {
  const app = await server();
  const labels = { 'http/route': 5, 'http/': 5, '/http': 5, size: 'big' };
  const answer = await app.inject({ method: 'POST', url: '/labelled', payload: { labels } });
  expect(answer.statusCode).toBe(422);
  expect(answer.json().errors).toEqual([
    { at: 'body.labels.http.route', message: expect.stringContaining('expected string') },
    { at: 'body.labels.http', message: expect.stringContaining('expected string') },
    { at: 'body.labels.http', message: expect.stringContaining('expected string') },
  ]);
  const none = await app.inject({ method: 'POST', url: '/labelled', payload: {} });
  expect(none.json().errors).toEqual([{ at: 'body.labels', message: 'is required' }]);
});

test('If-Match is refused where nothing can match, and never passed over', async () => {
  const app = await server();
  const changes = [{ 'if-match': '"abc"' }, { 'if-match': '*' }, {}];
  const answers = await Promise.all(
    changes.map((headers) => app.inject({ method: 'POST', url: '/optional', headers })),
  );
  expect(answers.map(({ statusCode }) => statusCode)).toEqual([412, 200, 200]);
  expect(answers[0]?.json().code).toBe('request/precondition-failed');
  expect((await app.inject({ url: '/only/public', headers: { 'if-match': '"abc"' } })).statusCode).toBe(200);
});

test('a body that may be left out may be left out', async () => {
  const app = await server();
  const answers = [
    await app.inject({ method: 'POST', url: '/optional' }),
    await app.inject({ method: 'POST', url: '/optional', payload: { all: true } }),
    await app.inject({ method: 'POST', url: '/optional', payload: { al: true } }),
  ];
  expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 422]);
  expect(answers.slice(0, 2).map((one) => one.json().all)).toEqual(['nobody said', true]);
});

const post = { method: 'POST' as const, url: '/things/1?limit=1' };
const json = { 'content-type': 'application/json' };
test.each([
  ['broken JSON', { ...post, headers: json, payload: '{"name":' }, 400, 'request/unreadable'],
  ['poisoned JSON', { ...post, headers: json, payload: '{"__proto__":{"a":1}}' }, 400, 'request/unreadable'],
  [
    'poisoned constructor',
    { ...post, headers: json, payload: '{"constructor":{"prototype":{}}}' },
    400,
    'request/unreadable',
  ],
  ['deep JSON', { ...post, headers: json, payload: '['.repeat(400_000) }, 400, 'request/unreadable'],
  [
    'one name twice',
    { ...post, headers: json, payload: '{"name":"a","name":"b","size":1}' },
    400,
    'request/unreadable',
  ],
  ['half a character', { ...post, headers: json, payload: '{"name":"\\ud800","size":1}' }, 400, 'request/unreadable'],
  ['no body', { ...post, headers: json }, 422, 'request/invalid'],
  ['too large a body', { ...post, headers: json, payload: `"${'x'.repeat(1_100_000)}"` }, 413, 'request/too-large'],
  [
    'a form',
    { ...post, headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload: 'a=1' },
    415,
    'request/unsupported-media-type',
  ],
  [
    'plain text',
    { ...post, headers: { 'content-type': 'text/plain' }, payload: '{}' },
    415,
    'request/unsupported-media-type',
  ],
  ['an unknown path', { method: 'GET' as const, url: '/nowhere?token=abc' }, 404, 'request/not-found'],
  ['another method', { method: 'DELETE' as const, url: '/things/1' }, 405, 'request/method-not-allowed'],
  ['a broken path', { method: 'GET' as const, url: '/only/%E0%A4%A' }, 400, 'request/unreadable'],
  ['an error of ours', { method: 'GET' as const, url: '/later' }, 503, 'storage/unavailable'],
  ['an unknown error', { method: 'GET' as const, url: '/boom' }, 500, 'internal/unexpected'],
  [
    'an answer with a status of nobody, which breaks its schema',
    { method: 'GET' as const, url: '/undescribed' },
    500,
    'internal/unexpected',
  ],
  ['an answer that breaks its schema', { method: 'GET' as const, url: '/wrong' }, 500, 'internal/unexpected'],
])('%s is a problem with the right code', async (_name, request, status, code) => {
  const app = await server();
  const answer = await app.inject(request);
  expect([answer.statusCode, answer.json().code]).toEqual([status, code]);
  expect(answer.headers['content-type']).toContain('application/problem+json');
  expect(answer.json().request_id).toBe(answer.headers['x-request-id']);
  expect(answer.headers['x-content-type-options']).toBe('nosniff');
  expect(answer.body).not.toMatch(/hunter2|secret text|hidden|node_modules|\.ts:\d|token=/);
});

test('405 names the methods, Retry-After comes from the error', async () => {
  const app = await server();
  expect((await app.inject({ method: 'DELETE', url: '/only/public' })).headers.allow).toBe('GET, HEAD');
  expect((await app.inject('/later')).headers['retry-after']).toBe('3');
});

test('HEAD answers as GET does, without a body', async () => {
  const app = await server();
  const answer = await app.inject({ method: 'HEAD', url: '/only/public' });
  expect([answer.statusCode, answer.body]).toEqual([200, '']);
  expect((await app.inject({ method: 'HEAD', url: '/only/admin' })).statusCode).toBe(401);
  expect((await app.inject({ method: 'HEAD', url: '/stream' })).headers['content-type']).toContain('text/event-stream');
});

test('an acceptable request id is echoed, any other replaced', async () => {
  const app = await server();
  const idFor = async (id: string) =>
    (await app.inject({ url: '/only/public', headers: { 'x-request-id': id } })).headers['x-request-id'];
  expect(await idFor('abc-DEF_123')).toBe('abc-DEF_123');
  for (const id of ['', 'a b', 'x'.repeat(65), '<script>', 'ä']) expect(await idFor(id)).toMatch(/^[0-9a-f-]{36}$/);
});

test.each([
  ['localhost', 200],
  ['LOCALHOST:8710', 200],
  ['127.0.0.1:99', 200],
  ['[::1]:8710', 200],
  ['ops.example.com', 200],
  ['ops.example.com.:443', 200],
  ['evil.example', 421],
  ['ops.example.com.evil.example', 421],
  ['localhost.evil.example', 421],
  ['169.254.169.254', 421],
  ['localhost@evil.example', 421],
  ['[::1', 421],
])('Host %s is answered with %i', async (host, status) => {
  const app = await server();
  expect((await app.inject({ url: '/only/public', headers: { host } })).statusCode).toBe(status);
  expect((await app.inject({ url: '/nowhere', headers: { host } })).statusCode).toBe(status === 200 ? 404 : 421);
});

test('forwarded headers count only from trusted proxies', async () => {
  const headers = { 'x-forwarded-host': 'evil.example', 'x-forwarded-for': '203.0.113.9' };
  expect((await (await server()).inject({ url: '/only/public', headers })).statusCode).toBe(200);
  const behind = await server({ trustedProxies: ['127.0.0.1'] });
  expect((await behind.inject({ url: '/only/public', headers })).statusCode).toBe(421);
  expect(
    (await behind.inject({ url: '/only/public', headers: { 'x-forwarded-host': 'ops.example.com' } })).statusCode,
  ).toBe(200);
});

test('answers are not stored and not framed; a page may bring its own policy', async () => {
  const app = await server();
  const api = await app.inject('/only/public');
  expect(api.headers).toMatchObject({
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  });
  expect((await app.inject('/page')).headers['content-security-policy']).toBe(
    "default-src 'self'; frame-ancestors 'none'",
  );
});

test('each response is observed under its route pattern', async () => {
  const seen: ResponseFacts[] = [];
  const app = await server({ onResponse: (facts) => seen.push(facts) });
  await app.inject({ ...post, payload: { name: 'a', size: 1 } });
  await app.inject('/nowhere/at/all');
  expect(seen.map(({ method, route, status }) => [method, route, status])).toEqual([
    ['POST', '/things/:id', 200],
    ['GET', 'unmatched', 404],
  ]);
  expect(seen.every((facts) => facts.durationMs >= 0)).toBe(true);
});

/** Sends bytes as they are and returns everything that came back until the other side closed. */
function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk) => {
      received += String(chunk);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(received));
  });
}

test('what is no HTTP at all, and headers beyond the limit, get a problem too', async () => {
  const app = await server();
  const { port } = await listen(app, { host: '127.0.0.1', port: 0, setting: 'RAGWARDEN_PORT', name: 'the API' });
  expect(await raw(port, 'NONSENSE\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [\s\S]*request\/unreadable/);
  const large = `GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ${'a'.repeat(40_000)}\r\n\r\n`;
  expect(await raw(port, large)).toMatch(/^HTTP\/1\.1 431 [\s\S]*request\/headers-too-large/);
  for (const head of [
    'GET http://evil.example/ HTTP/1.1\r\nHost: localhost',
    'GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example',
  ])
    expect(await raw(port, `${head}\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
  const rebound = 'GET /only/public HTTP/1.1\r\nHost: rebind.example\r\nConnection: close\r\n\r\n';
  expect(await raw(port, rebound)).toMatch(/^HTTP\/1\.1 421 /);
});

test('close ends streams and idle connections at once and cuts what hangs after the grace time', async () => {
  const app = await server({ closeGraceMs: 50 });
  const { url, port } = await listen(app, { host: '127.0.0.1', port: 0, setting: 'RAGWARDEN_PORT', name: 'the API' });
  const stream = await fetch(`${url}/stream`);
  const hanging = raw(port, 'GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await fetch(`${url}/only/public`);
  while (app.openStreams.size === 0) await delay(1);
  await app.close();
  expect(await stream.text()).toContain('event: first');
  expect(await hanging).toBe('');
  await expect(fetch(`${url}/only/public`)).rejects.toThrow();
});
