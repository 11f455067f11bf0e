import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { GatewayState, QuotaAnswer, QuotaAsk } from './index.ts';
import type { GatewaySettings } from './settings.ts';
import {
  ask,
  keyOf,
  type RunningProxy,
  raw,
  type Stub,
  startProxy,
  startStub,
  stateOf,
  upstreamAt,
} from './test-gateway.ts';

/** On a busy machine a thread waits for its turn. */
const soon = <T>(look: () => T) => expect.poll(look);

const sha = (text: string): string => createHash('sha256').update(text).digest('hex');
const keyA = 'rw_gw_key-of-a';
const keyB = 'rw_gw_key-of-b';

/** What an upstream got, in the order in which it came. */
type Got = { method: string; url: string; headers: IncomingMessage['headers']; raw: readonly string[]; body: string };
let got: Got[] = [];
/** What the next requests are answered with; by default an echo. */
let answering: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;

const echo =
  (name: string) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    if (answering) {
      answering(request, response);
      return;
    }
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      got.push({
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        raw: request.rawHeaders,
        body,
      });
      response.writeHead(200, { 'content-type': 'text/plain', 'x-upstream': name });
      response.end(`${name} ${body.length}`);
    });
  };

let main: Stub;
let a: Stub;
let b: Stub;
let llm: Stub;
let gateway: RunningProxy;
let state: GatewayState;

beforeAll(async () => {
  [main, a, b, llm] = (await Promise.all(['main', 'a', 'b', 'llm'].map((name) => startStub(echo(name))))) as [
    Stub,
    Stub,
    Stub,
    Stub,
  ];
  state = stateOf(
    [
      upstreamAt(main.url),
      upstreamAt(a.url, { workspace: 'a', apiKey: 'secret-of-a', pathPrefix: '/site-a', hosts: ['a.example'] }),
      upstreamAt(b.url, { workspace: 'b', apiKey: 'secret-of-b', hosts: ['b.example'] }),
    ],
    {
      providers: [{ id: 'openai', url: llm.url, api: 'openai', apiKey: 'secret-of-the-provider' }],
      keys: [keyOf('a', sha(keyA), { workspace: 'a' }), keyOf('b', sha(keyB), { workspace: 'b' })],
    },
  );
  gateway = await startProxy(state);
});
afterAll(async () => {
  await gateway.proxy.stop();
  await Promise.all([main, a, b, llm].map((one) => one.close()));
});
beforeEach(() => {
  got = [];
  gateway.seen.length = 0;
});
afterEach(() => {
  answering = undefined;
});

describe('what passes', () => {
  test('a request and its answer pass as they are, with the headers of both sides', async () => {
    answering = (request, response) => {
      got.push({
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        raw: request.rawHeaders,
        body: '',
      });
      response.writeHead(200, [
        'X-New-Token',
        'renewed',
        'Set-Cookie',
        'one=1',
        'Set-Cookie',
        'two=2',
        'Connection',
        'X-Hop',
        'X-Hop',
        'ends here',
        'Content-Length',
        '2',
      ]);
      response.end('ok');
    };
    const answer = await ask(gateway.url, {
      path: '/query/data?a=%2e%2e&b',
      headers: { 'X-Custom': 'kept', TE: 'trailers', connection: 'X-Private', 'x-private': 'ends here' },
    });
    expect(answer).toMatchObject({ status: 200, body: 'ok' });
    expect(answer.headers).toMatchObject({ 'x-new-token': 'renewed', 'set-cookie': ['one=1', 'two=2'] });
    expect(answer.headers['x-hop']).toBeUndefined();
    expect(answer.rawHeaders).toContain('X-New-Token');
    const [sent] = got;
    expect(sent?.url).toBe('/query/data?a=%2e%2e&b');
    expect(sent?.raw).toContain('X-Custom');
    expect(sent?.headers.te).toBeUndefined();
    expect(sent?.headers['x-private']).toBeUndefined();
    expect(sent?.headers.host).toBe(new URL(main.url).host);
  });

  test('who asked is told in forwarded headers, and what a stranger says about it is not believed', async () => {
    await ask(gateway.url, {
      headers: {
        'x-forwarded-for': '1.2.3.4',
        'x-forwarded-host': 'evil.example',
        forwarded: 'for=1.2.3.4',
        'x-real-ip': '1.2.3.4',
      },
    });
    expect(got[0]?.headers).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': new URL(gateway.url).host,
      via: expect.stringMatching(/^1\.1 ragwarden-[0-9a-f]{8}$/),
    });
    expect(got[0]?.headers.forwarded).toBeUndefined();
    expect(got[0]?.headers['x-real-ip']).toBeUndefined();
  });

  test('a trusted proxy in front is believed and added to', async () => {
    const trusting = await startProxy(stateOf([upstreamAt(main.url)]), { trustedProxies: ['127.0.0.0/8'] });
    try {
      await ask(trusting.url, {
        headers: { 'x-forwarded-for': '1.2.3.4', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'rag.example' },
      });
      expect(got[0]?.headers).toMatchObject({
        'x-forwarded-for': '1.2.3.4, 127.0.0.1',
        'x-forwarded-proto': 'https',
        'x-forwarded-host': 'rag.example',
      });
    } finally {
      await trusting.proxy.stop();
    }
  });

  test('a session of the dashboard stays here; other cookies pass', async () => {
    await ask(gateway.url, { headers: { cookie: 'mine=1; rw_session=secret; __Host-rw_session=secret; yours=2' } });
    expect(got[0]?.headers.cookie).toBe('mine=1; yours=2');
  });

  test('a redirect of the backend to itself leads back through here', async () => {
    answering = (_request, response) => response.writeHead(307, { location: `${a.url}/query` }).end();
    const { headers } = await ask(gateway.url, { path: '/site-a/query/' });
    expect(headers.location).toBe('/site-a/query');
    answering = (_request, response) => response.writeHead(307, { location: 'https://elsewhere.example/x' }).end();
    expect((await ask(gateway.url)).headers.location).toBe('https://elsewhere.example/x');
  });

  test('each line of an answer comes when it was sent, the next not having been written yet', async () => {
    let write: ((line: string | null) => void) | undefined;
    answering = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.flushHeaders();
      write = (line) => (line === null ? response.end() : response.write(line));
    };
    const request = httpRequest(`${gateway.url}/query/stream`, { method: 'POST', agent: false });
    request.end('{}');
    // The head comes before any byte of the body.
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    expect(answer.statusCode).toBe(200);
    for (const line of ['{"references":[]}\n', '{"response":"a"}\n', '{"response":"b"}\n']) {
      write?.(line);
      const [chunk] = (await once(answer, 'data')) as [Buffer];
      expect(chunk.toString()).toBe(line);
    }
    const ended = once(answer, 'end');
    write?.(null);
    await ended;
  });

  test('an upload passes as it comes, without its length and with it', async () => {
    const parts: string[] = [];
    answering = (request, response) => {
      request.on('data', (chunk: Buffer) => parts.push(chunk.toString()));
      request.on('end', () => response.end('done'));
    };
    const request = httpRequest(`${gateway.url}/documents/upload`, { method: 'POST', agent: false });
    request.write('first');
    await soon(() => parts.join('')).toBe('first');
    request.write('second');
    await soon(() => parts.join('')).toBe('firstsecond');
    request.end();
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    answer.resume();
    await once(answer, 'end');
    answering = undefined;
    await ask(gateway.url, { method: 'POST', headers: { 'content-length': '5' }, body: 'hello' });
    await ask(gateway.url, { method: 'POST' });
    await ask(gateway.url, { method: 'DELETE', headers: { 'content-length': '2' }, body: '{}' });
    expect(
      got.map(({ method, body, headers }) => [method, body, headers['content-length'], headers['transfer-encoding']]),
    ).toEqual([
      ['POST', 'hello', '5', undefined],
      ['POST', '', '0', undefined],
      ['DELETE', '{}', '2', undefined],
    ]);
  });

  test('a slow reader slows the upstream down: what is in between stays small', async () => {
    let written = 0;
    const chunk = Buffer.alloc(64 * 1024);
    const total = 64 * 1024 * 1024;
    answering = (_request, response) => {
      const pump = (): void => {
        while (written < total) {
          written += chunk.length;
          if (!response.write(chunk)) {
            response.once('drain', pump);
            return;
          }
        }
        response.end();
      };
      pump();
    };
    const request = httpRequest(gateway.url, { agent: false });
    request.end();
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    answer.pause();
    let before = -1;
    // It has come to rest when nothing more was written over several turns.
    const isAtRest = (): boolean => {
      const atRest = written === before;
      before = written;
      return atRest;
    };
    await expect.poll(isAtRest, { interval: 100, timeout: 30_000 }).toBe(true);
    expect(written).toBeLessThan(24 * 1024 * 1024);
    let read = 0;
    answer.on('data', (part: Buffer) => {
      read += part.length;
    });
    answer.resume();
    await once(answer, 'end');
    expect(read).toBe(total);
  });

  test('an observation says what passed', async () => {
    const next = gateway.next();
    await ask(gateway.url, { method: 'POST', path: '/documents/text', headers: { 'x-api-key': keyA }, body: 'hello' });
    expect(await next).toMatchObject({
      door: 'backend',
      targetId: 'main',
      workspace: 'a',
      subject: 'local:a',
      keyId: 'a',
      status: 200,
      outcome: 'ok',
      requestBytes: 5,
      responseBytes: 3,
      firstByteMs: expect.any(Number),
      totalMs: expect.any(Number),
    });
  });

  test('the subject of a token of somebody else’s is noted unverified', async () => {
    const payload = Buffer.from(JSON.stringify({ sub: 'alice' })).toString('base64url');
    const next = gateway.next();
    await ask(gateway.url, { headers: { authorization: `Bearer x.${payload}.y` } });
    expect(await next).toMatchObject({ subject: 'alice', keyId: null });
    expect(got[0]?.headers.authorization).toBe(`Bearer x.${payload}.y`);
  });

  test('an expectation is answered before the body is sent', async () => {
    const request = httpRequest(gateway.url, {
      method: 'POST',
      agent: false,
      headers: { expect: '100-continue', 'content-length': '5' },
    });
    request.flushHeaders();
    await once(request, 'continue');
    request.end('hello');
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    answer.resume();
    expect(answer.statusCode).toBe(200);
    expect(got[0]?.headers.expect).toBeUndefined();
  });
});

describe('keys', () => {
  test('a key is consumed, and the one of its own workspace goes in its place', async () => {
    const ways: Record<string, string>[] = [
      { 'x-api-key': keyA },
      { authorization: `Bearer ${keyA}` },
      { authorization: `bearer   ${keyA}` },
      { authorization: `Basic ${Buffer.from(`me:${keyA}`).toString('base64')}` },
      { 'x-api-key': keyA, authorization: `Bearer ${keyA}` },
    ];
    for (const headers of ways) expect((await ask(gateway.url, { headers })).body).toBe('a 0');
    expect(got).toHaveLength(5);
    for (const { headers } of got) {
      expect(headers['x-api-key']).toBe('secret-of-a');
      expect(headers.authorization).toBeUndefined();
      expect(JSON.stringify(headers)).not.toContain('rw_');
    }
  });

  test('who brings credentials of their own passes with them, and with nobody else’s', async () => {
    await ask(gateway.url, { headers: { 'x-api-key': 'my-own', 'lightrag-workspace': 'a' } });
    expect(got[0]?.headers['x-api-key']).toBe('my-own');
    await ask(gateway.url, { headers: { 'lightrag-workspace': 'a' } });
    expect(got[1]?.headers['x-api-key']).toBeUndefined();
    await ask(gateway.url, { headers: { 'x-api-key': keyA, authorization: 'Bearer my.own.token' } });
    expect(got[2]?.headers).toMatchObject({ 'x-api-key': 'secret-of-a', authorization: 'Bearer my.own.token' });
  });

  test.each<[string, Record<string, string>, number]>([
    ['an unknown key', { 'x-api-key': 'rw_gw_nobody' }, 401],
    ['a token of the API', { authorization: 'Bearer rw_admin_something' }, 401],
    ['one without a scheme', { authorization: 'rw_gw_nobody' }, 401],
    ['two different keys', { 'x-api-key': keyA, authorization: `Bearer ${keyB}` }, 400],
    ['A with the name of B', { 'x-api-key': keyA, 'lightrag-workspace': 'b' }, 404],
    ['A at the host of B', { 'x-api-key': keyA, host: 'b.example' }, 404],
    ['a workspace that nobody has', { 'lightrag-workspace': 'nowhere' }, 404],
  ])('%s reaches nobody', async (_name, headers, status) => {
    const next = gateway.next();
    const answer = await ask(gateway.url, { headers });
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.body).not.toMatch(/rw_|secret-of/);
    expect(got).toEqual([]);
    expect((await next).outcome).toBe(status === 404 ? 'refused_route' : 'refused_key');
  });

  test('a key that is revoked ends its streams at once, and only its own', async () => {
    const open = async (key: string): Promise<IncomingMessage> => {
      const request = httpRequest(gateway.url, { agent: false, headers: { 'x-api-key': key } });
      request.on('error', () => undefined);
      request.end();
      const [answer] = (await once(request, 'response')) as [IncomingMessage];
      await once(answer, 'data');
      return answer;
    };
    let upstreamClosed = 0;
    answering = (_request, response) => {
      response.on('close', () => {
        upstreamClosed += 1;
      });
      response.write('begun\n');
    };
    const streams = await Promise.all([open(keyA), open(keyB)]);
    const [ofA, ofB] = streams as [IncomingMessage, IncomingMessage];
    ofB.resume();
    const next = gateway.next();
    const broke = once(ofA, 'error');
    ofA.resume();
    gateway.proxy.update({ ...state, keys: state.keys.filter(({ id }) => id !== 'a') });
    await broke;
    expect(await next).toMatchObject({ outcome: 'refused_key', reason: 'key-revoked', keyId: 'a' });
    await soon(() => upstreamClosed).toBe(1);
    expect(ofB.destroyed).toBe(false);
    expect((await ask(gateway.url, { headers: { 'x-api-key': keyA } })).status).toBe(401);
    ofB.destroy();
    gateway.proxy.update(state);
  });
});

describe('the door of the providers', () => {
  test('a local program without credentials and a holder of a key get the provider’s key put in', async () => {
    await ask(gateway.url, { method: 'POST', path: '/llm/openai/v1/chat/completions', body: '{}' });
    await ask(gateway.url, { path: '/llm/openai/v1/models', headers: { authorization: `Bearer ${keyA}` } });
    expect(got.map(({ url, headers }) => [url, headers.authorization])).toEqual([
      ['/v1/chat/completions', 'Bearer secret-of-the-provider'],
      ['/v1/models', 'Bearer secret-of-the-provider'],
    ]);
    expect(got[0]?.headers['x-forwarded-for']).toBeUndefined();
  });

  test.each<[string, Record<string, string>]>([
    ['who has credentials of their own', { authorization: 'Bearer sk-mine' }],
    ['a page in a browser', { origin: 'http://evil.example' }],
    ['somebody behind a proxy on this machine', { 'x-forwarded-for': '203.0.113.7' }],
  ])('%s does not get it', async (_name, headers) => {
    await ask(gateway.url, { path: '/llm/openai/v1/models', headers });
    expect(got[0]?.headers.authorization).toBe(headers.authorization);
  });

  test('what a call is for is counted and not told to it', async () => {
    const headers = { 'x-ragwarden-role': 'extract', 'x-other': 'kept' };
    const seen = gateway.next();
    await ask(gateway.url, { method: 'POST', path: '/llm/openai/v1/chat/completions', headers, body: '{"model":"m"}' });
    expect(got[0]?.headers).toMatchObject({ 'x-other': 'kept' });
    expect(got[0]?.headers['x-ragwarden-role']).toBeUndefined();
    expect((await seen).llm).toMatchObject({ role: 'extract', model: 'm' });
  });
});

describe('when something ends early', () => {
  test('a client that leaves ends the call upstream', async () => {
    let closed = false;
    answering = (_request, response) => {
      response.on('close', () => {
        closed = !response.writableFinished;
      });
      response.write('begun\n');
    };
    const next = gateway.next();
    const request = httpRequest(gateway.url, { agent: false });
    request.on('error', () => undefined);
    request.end();
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    answer.on('error', () => undefined);
    request.destroy();
    await soon(() => closed).toBe(true);
    expect(await next).toMatchObject({ outcome: 'client_gone', status: 200 });
  });

  test('a client that leaves before its answer ends the call upstream, too', async () => {
    let arrived = false;
    let closed = false;
    answering = (_request, response) => {
      arrived = true;
      response.on('close', () => {
        closed = true;
      });
    };
    const next = gateway.next();
    const request = httpRequest(gateway.url, { agent: false });
    request.on('error', () => undefined);
    request.end();
    await soon(() => arrived).toBe(true);
    request.destroy();
    await soon(() => closed).toBe(true);
    expect(await next).toMatchObject({ outcome: 'client_gone', status: 0 });
  });

  test.each<[string, string]>([
    ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'],
    ['with its length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'],
    ['that turns into nonsense', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n'],
  ])('half an answer %s breaks the connection, and never looks whole', async (_name, bytes) => {
    const { proxy, close, next } = await inFrontOf((socket) => {
      socket.once('data', () => socket.end(bytes));
    });
    const seen = next();
    const text = await raw(proxy.port, 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    expect(text).toContain('HTTP/1.1 200 OK');
    expect(text).not.toMatch(/0\r\n\r\n$/);
    expect(await seen).toMatchObject({ outcome: 'upstream_broken', status: 200 });
    await close();
  });

  test.each<[string, (socket: Socket) => void, number, string]>([
    ['resets', (socket) => socket.resetAndDestroy(), 502, 'gateway/upstream-broken'],
    ['closes without an answer', (socket) => socket.end(), 502, 'gateway/upstream-broken'],
    ['answers what is no HTTP', (socket) => socket.end('hello\r\n\r\n'), 502, 'gateway/upstream-broken'],
    [
      'says its length in two ways',
      (socket) =>
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n'),
      502,
      'gateway/upstream-broken',
    ],
    [
      'floods with headers',
      (socket) => socket.end(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`),
      502,
      'gateway/upstream-broken',
    ],
    ['never answers', () => undefined, 504, 'gateway/upstream-timeout'],
  ])('an upstream that %s is told as that', async (_name, act, status, code) => {
    const { proxy, close, next } = await inFrontOf((socket) => socket.once('data', () => act(socket)), {
      answerTimeoutMs: 200,
    });
    const seen = next();
    const answer = await ask(proxy.url, { method: 'POST', body: 'x' });
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({ code });
    expect((await seen).outcome).toBe('upstream_broken');
    await close();
  });

  test('an answer that never goes on is broken off', async () => {
    const { proxy, close, next } = await inFrontOf(
      (socket) =>
        socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n')),
      { idleTimeoutMs: 200 },
    );
    const seen = next();
    await expect(ask(proxy.url)).rejects.toThrow('aborted');
    expect(await seen).toMatchObject({ outcome: 'upstream_broken', reason: 'timeout' });
    await close();
  });

  test('an upstream that answers before it has the body is heard', async () => {
    answering = (request, response) => {
      response.writeHead(413, { 'content-length': 3, connection: 'close' });
      response.end('big');
      request.resume();
    };
    const request = httpRequest(gateway.url, { method: 'POST', agent: false });
    request.on('error', () => undefined);
    request.write(Buffer.alloc(1_000));
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    expect(answer.statusCode).toBe(413);
    answer.resume();
    await once(answer, 'end');
    request.destroy();
  });

  test('a kept connection that the upstream closed is opened again for what only reads', async () => {
    let connections = 0;
    const { proxy, close } = await inFrontOf((socket) => {
      connections += 1;
      socket.on('data', () => {
        if (connections === 1 && socket.bytesRead > 400) {
          socket.destroy();
          return;
        }
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      });
    });
    const long = { 'x-long': 'x'.repeat(200) };
    expect((await ask(proxy.url)).body).toBe('ok');
    expect((await ask(proxy.url, { headers: long })).body).toBe('ok');
    expect(connections).toBe(2);
    await close();
  });
});

describe('an upstream that is down', () => {
  test('is told at once, tried again, and not asked each time while it is known to be down', async () => {
    const stub = await startStub((_request, response) => void response.end('back'));
    const port = Number(new URL(stub.url).port);
    await stub.close();
    let nowMs = 1_000_000;
    const proxy = await startProxy(stateOf([upstreamAt(stub.url)]), {}, undefined, () => nowMs);
    for (let count = 0; count < 5; count += 1) {
      const answer = await ask(proxy.url);
      expect(answer.status).toBe(502);
      expect(JSON.parse(answer.body)).toMatchObject({ code: 'gateway/upstream-unreachable' });
    }
    expect(proxy.proxy.status().upstreams).toEqual([{ id: 'main/', breaker: 'open' }]);
    const next = proxy.next();
    const { status, headers } = await ask(proxy.url);
    expect({ status, retry: headers['retry-after'] }).toEqual({ status: 502, retry: '1' });
    expect(await next).toMatchObject({ outcome: 'upstream_unreachable', reason: 'breaker-open' });
    const back = await startStub((_request, response) => void response.end('back'), port);
    nowMs += 500;
    expect((await ask(proxy.url)).body).toBe('back');
    expect(proxy.proxy.status().upstreams[0]?.breaker).toBe('closed');
    await proxy.proxy.stop();
    await back.close();
  });
});

describe('the quota', () => {
  const withQuota = async (answer: (ask: QuotaAsk) => QuotaAnswer | Promise<never>, concerned = true) => {
    const asked: QuotaAsk[] = [];
    const settled: string[] = [];
    const proxy = await startProxy(
      state,
      {},
      {
        concerns: () => concerned,
        async decide(question) {
          asked.push(question);
          return answer(question);
        },
        settle: (reservation) => void settled.push(reservation),
      },
    );
    return { proxy, asked, settled };
  };

  test('is asked before anything is forwarded, and told how it went', async () => {
    const { proxy, asked, settled } = await withQuota(() => ({ granted: true, reservation: 'r1' }));
    await ask(proxy.url, { method: 'POST', path: '/documents/text', headers: { 'x-api-key': keyA }, body: 'hello' });
    expect(asked).toEqual([
      {
        door: 'backend',
        targetId: 'main',
        workspace: 'a',
        subject: 'local:a',
        keyId: 'a',
        operation: 'insert',
        writes: true,
        requestBytes: 5,
      },
    ]);
    await soon(() => settled).toEqual(['r1']);
    await proxy.proxy.stop();
  });

  test('refuses with what is left and when to come back', async () => {
    const { proxy } = await withQuota(() => ({
      granted: false,
      why: 'exceeded',
      policy: 'queries',
      windowSeconds: 3_600,
      retryAfterSeconds: 12.2,
      detail: '10 of 10 queries in this hour are used.',
      limit: 10,
      remaining: 0,
      resetSeconds: 12.2,
    }));
    const answer = await ask(proxy.url, { method: 'POST', body: 'hello' });
    expect(answer.status).toBe(429);
    expect(answer.headers).toMatchObject({
      'retry-after': '13',
      'ratelimit-limit': '10',
      'ratelimit-remaining': '0',
      'ratelimit-reset': '13',
      ratelimit: '"queries";r=0;t=13',
      'ratelimit-policy': '"queries";q=10;w=3600',
    });
    expect(JSON.parse(answer.body)).toMatchObject({
      code: 'quota/exceeded',
      detail: '10 of 10 queries in this hour are used.',
    });
    expect(got).toEqual([]);
    await proxy.proxy.stop();
  });

  test('is not asked about what none is a matter of', async () => {
    const { proxy, asked } = await withQuota(() => Promise.reject(new Error('was asked')), false);
    expect((await ask(proxy.url)).status).toBe(200);
    expect(asked).toEqual([]);
    await proxy.proxy.stop();
  });

  test('that nobody can tell of is answered as such, not as one that is used up', async () => {
    const nothing = { limit: null, remaining: null, resetSeconds: null, windowSeconds: null, policy: 'queries' };
    const { proxy } = await withQuota(() => ({
      ...{ granted: false, why: 'unavailable', retryAfterSeconds: 1, detail: 'No answer.' },
      ...nothing,
    }));
    const answer = await ask(proxy.url);
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1']);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'quota/unavailable' });
    await proxy.proxy.stop();
  });

  test('that fails stops no traffic', async () => {
    const { proxy } = await withQuota(() => Promise.reject(new Error('no store')));
    expect((await ask(proxy.url)).status).toBe(200);
    await proxy.proxy.stop();
  });
});

describe('while writes are held', () => {
  test('what writes waits, what reads passes, and all goes on afterwards', async () => {
    expect(await gateway.proxy.gate.hold('one', 'main', { maxMs: 60_000, drainMs: 100 })).toBe(0);
    expect((await ask(gateway.url)).status).toBe(200);
    const waiting = ask(gateway.url, { method: 'POST', body: 'hello' });
    await soon(() => gateway.proxy.status().barrier).toEqual({ holding: ['main'], waiting: 1 });
    expect(got).toHaveLength(1);
    gateway.proxy.gate.release('one');
    expect((await waiting).body).toBe('main 5');
  });

  test('a write that is under way is awaited', async () => {
    let finish: (() => void) | undefined;
    answering = (_request, response) => {
      finish = () => response.end('done');
    };
    const writing = ask(gateway.url, { method: 'POST', body: 'hello' });
    await soon(() => finish).toBeDefined();
    let held: number | undefined;
    const hold = gateway.proxy.gate.hold('one', 'main', { maxMs: 60_000, drainMs: 60_000 }).then((left) => {
      held = left;
    });
    expect(gateway.proxy.gate.status().holding).toEqual(['main']);
    expect(held).toBeUndefined();
    finish?.();
    await writing;
    await hold;
    expect(held).toBe(0);
    gateway.proxy.gate.release('one');
  });

  test('it is refused where the settings say so, with the time to come back', async () => {
    const refusing = await startProxy(state, { whileHeld: 'refuse' });
    await refusing.proxy.gate.hold('one', 'main', { maxMs: 7_000, drainMs: 100 });
    const answer = await ask(refusing.url, { method: 'POST', body: 'hello' });
    expect({ status: answer.status, retry: answer.headers['retry-after'] }).toEqual({ status: 503, retry: '7' });
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'gateway/writes-held' });
    await refusing.proxy.stop();
  });
});

test('a stop waits for what is under way, and accepts nothing new', async () => {
  let finish: (() => void) | undefined;
  answering = (_request, response) => {
    response.write('begun ');
    finish = () => response.end('done');
  };
  const stopping = await startProxy(state, { drainMs: 10_000 });
  const running = ask(stopping.url);
  await soon(() => finish).toBeDefined();
  const stopped = stopping.proxy.stop();
  await expect(ask(stopping.url)).rejects.toThrow('ECONNREFUSED');
  finish?.();
  expect((await running).body).toBe('begun done');
  await stopped;
});

test('a stop ends what does not end by itself', async () => {
  answering = (_request, response) => void response.write('begun ');
  const stopping = await startProxy(state, { drainMs: 50 });
  const running = ask(stopping.url);
  running.catch(() => undefined);
  await soon(() => stopping.proxy.status().exchanges).toBe(1);
  await stopping.proxy.stop();
  await expect(running).rejects.toThrow();
});

/** A gateway in front of a server that speaks no HTTP of Node's. */
async function inFrontOf(
  serve: (socket: Socket) => void,
  settings: Partial<GatewaySettings> = {},
): Promise<{ proxy: RunningProxy; next: RunningProxy['next']; close(): Promise<void> }> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy = await startProxy(
    stateOf([upstreamAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)]),
    settings,
  );
  return {
    proxy,
    next: proxy.next,
    async close() {
      await proxy.proxy.stop();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
