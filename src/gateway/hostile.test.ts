import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ask, type RunningProxy, raw, type Stub, startProxy, startStub, stateOf, upstreamAt } from './test-gateway.ts';

/** On a busy machine a thread waits for its turn. */
const soon = <T>(look: () => T) => expect.poll(look);

/** What reached an upstream: method, path and body. Nothing of what is refused may. */
let got: string[] = [];
let upstream: Stub;
let other: Stub;
let gateway: RunningProxy;

const record = (name: string) => (request: IncomingMessage, response: { end(text: string): void }) => {
  let body = '';
  request.on('data', (chunk: Buffer) => {
    body += chunk.toString('latin1');
  });
  request.on('end', () => {
    got.push(`${name} ${request.method} ${request.url} ${body}`.trim());
    response.end('ok');
  });
};

beforeAll(async () => {
  upstream = await startStub(record('main'));
  other = await startStub(record('other'));
  gateway = await startProxy(
    stateOf([upstreamAt(upstream.url), upstreamAt(other.url, { workspace: 'other', apiKey: 'secret-of-other' })]),
    { headersTimeoutMs: 700, maxBodyBytes: 100_000, maxConnections: 40, idleTimeoutMs: 1_500 },
  );
});
afterAll(async () => {
  await gateway.proxy.stop();
  await upstream.close();
  await other.close();
});
beforeEach(() => {
  got = [];
});
afterEach(async () => {
  // Whatever came, it goes on for the next one.
  expect((await ask(gateway.url, { path: '/alive' })).body).toBe('ok');
  expect(got.at(-1)).toBe('main GET /alive');
});

const lines = (...all: string[]): string => `${all.join('\r\n')}\r\n\r\n`;
const statusOf = (text: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1] ?? 0);

describe('what can be read in two ways is refused, and reaches nobody', () => {
  test.each<[string, string]>([
    [
      'both length headers',
      `${lines('POST / HTTP/1.1', 'Host: a', 'Content-Length: 4', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    ],
    [
      'both length headers, the other way round',
      `${lines('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked', 'Content-Length: 4')}0\r\n\r\n`,
    ],
    ['two lengths', `${lines('POST / HTTP/1.1', 'Host: a', 'Content-Length: 1', 'Content-Length: 2')}xx`],
    ['two equal lengths', `${lines('POST / HTTP/1.1', 'Host: 127.0.0.1', 'Content-Length: 1', 'Content-Length: 1')}x`],
    ['a list of lengths', `${lines('POST / HTTP/1.1', 'Host: a', 'Content-Length: 1, 1')}x`],
    ['a length with a sign', `${lines('POST / HTTP/1.1', 'Host: a', 'Content-Length: +1')}x`],
    ['a negative length', lines('POST / HTTP/1.1', 'Host: a', 'Content-Length: -1')],
    ['a folded header', lines('GET / HTTP/1.1', 'Host: 127.0.0.1', 'X-Folded: a', ' b')],
    ['a space before the colon', lines('GET / HTTP/1.1', 'Host: 127.0.0.1', 'Content-Length : 1')],
    ['a coding that is none', `${lines('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: xchunked')}0\r\n\r\n`],
    [
      'a coding after the chunks',
      `${lines('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked, identity')}0\r\n\r\n`,
    ],
    [
      'a control character in the coding',
      `${lines('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: \x0bchunked')}0\r\n\r\n`,
    ],
    ['lines that end in LF alone', 'GET / HTTP/1.1\nHost: 127.0.0.1\n\n'],
    ['a CR in a header', lines('GET / HTTP/1.1', 'Host: 127.0.0.1', 'X: a\rb')],
    ['a zero in a header', lines('GET / HTTP/1.1', 'Host: 127.0.0.1', 'X: a\0b')],
    ['a name of a header with a space', lines('GET / HTTP/1.1', 'Host: 127.0.0.1', 'X Y: a')],
    ['no host', lines('GET / HTTP/1.1', 'X: y')],
    ['two hosts', lines('GET / HTTP/1.1', 'Host: 127.0.0.1', 'Host: other.example')],
    [
      'two workspaces',
      lines('GET / HTTP/1.1', 'Host: 127.0.0.1', 'LIGHTRAG-WORKSPACE: main', 'LIGHTRAG-WORKSPACE: other'),
    ],
    ['a workspace in another spelling', lines('GET / HTTP/1.1', 'Host: 127.0.0.1', 'LIGHTRAG_WORKSPACE: other')],
    ['two keys', lines('GET / HTTP/1.1', 'Host: 127.0.0.1', 'X-API-Key: a', 'x-api-key: rw_gw_b')],
    [
      'two authorizations',
      lines('GET / HTTP/1.1', 'Host: 127.0.0.1', 'Authorization: Bearer a', 'Authorization: Bearer rw_gw_b'),
    ],
    ['a whole URL as target', lines('GET http://127.0.0.1/query HTTP/1.1', 'Host: 127.0.0.1')],
    ['a host as target', lines('GET 127.0.0.1:80 HTTP/1.1', 'Host: 127.0.0.1')],
    ['a star as target', lines('OPTIONS * HTTP/1.1', 'Host: 127.0.0.1')],
    ['dot segments', lines('GET /a/../../documents HTTP/1.1', 'Host: 127.0.0.1')],
    ['escaped dot segments', lines('GET /a/%2e%2e/documents HTTP/1.1', 'Host: 127.0.0.1')],
    ['an empty segment', lines('GET //documents HTTP/1.1', 'Host: 127.0.0.1')],
    ['an escaped slash', lines('GET /documents%2fx HTTP/1.1', 'Host: 127.0.0.1')],
    ['an escaped zero', lines('GET /documents%00 HTTP/1.1', 'Host: 127.0.0.1')],
    ['a backslash', lines('GET /documents\\x HTTP/1.1', 'Host: 127.0.0.1')],
    ['a byte beyond ASCII in the path', lines('GET /documents\xe4 HTTP/1.1', 'Host: 127.0.0.1')],
    ['another protocol', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['no protocol at all', 'GET /\r\n\r\n'],
    ['noise', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('%s', async (_name, bytes) => {
    const text = await raw(gateway.port, bytes.replaceAll('Host: a\r\n', 'Host: 127.0.0.1\r\n'), { end: true });
    expect(statusOf(text)).toBe(400);
    expect(text).toContain('application/problem+json');
    expect(got).toEqual([]);
  });

  test.each<[string, string, number]>([
    ['a tunnel', lines('CONNECT other.example:443 HTTP/1.1', 'Host: other.example:443'), 405],
    ['TRACE', lines('TRACE / HTTP/1.1', 'Host: 127.0.0.1'), 405],
    ['an upgrade', lines('GET / HTTP/1.1', 'Host: 127.0.0.1', 'Connection: Upgrade', 'Upgrade: websocket'), 405],
    [
      'an upgrade to HTTP/2',
      lines('GET / HTTP/1.1', 'Host: 127.0.0.1', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c'),
      405,
    ],
    ['a foreign host name', lines('GET / HTTP/1.1', 'Host: rebound.example'), 421],
    ['long headers', lines('GET / HTTP/1.1', 'Host: 127.0.0.1', `X: ${'x'.repeat(100_000)}`), 431],
    [
      'many headers',
      lines('GET / HTTP/1.1', 'Host: 127.0.0.1', ...Array.from({ length: 300 }, (_, at) => `X-${at}: 1`)),
      431,
    ],
    ['a workspace that does not exist', lines('GET / HTTP/1.1', 'Host: 127.0.0.1', 'LIGHTRAG-WORKSPACE: nowhere'), 404],
    [
      'a workspace with a trick in its name',
      lines('GET / HTTP/1.1', 'Host: 127.0.0.1', 'LIGHTRAG-WORKSPACE: other, main'),
      404,
    ],
    [
      'a body that is too long from the start',
      lines('POST / HTTP/1.1', 'Host: 127.0.0.1', 'Content-Length: 100001'),
      413,
    ],
    ['an unknown provider', lines('GET /llm/evil/v1 HTTP/1.1', 'Host: 127.0.0.1'), 404],
  ])('%s', async (_name, bytes, status) => {
    const text = await raw(gateway.port, bytes, { end: true });
    expect(statusOf(text)).toBe(status);
    expect(got).toEqual([]);
  });
});

describe('what never ends', () => {
  test('a head that trickles in is given up in time', async () => {
    const text = await raw(gateway.port, 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ');
    expect(statusOf(text)).toBe(408);
  });

  test('a connection that sends nothing is given up in time', async () => {
    expect(statusOf(await raw(gateway.port, ''))).toBe(408);
  });

  test('a body that goes silent ends both sides', async () => {
    const next = gateway.next();
    const text = await raw(
      gateway.port,
      `${lines('POST /documents/upload HTTP/1.1', 'Host: 127.0.0.1', 'Content-Length: 1000')}begun`,
    );
    expect(statusOf(text)).toBe(408);
    expect(await next).toMatchObject({ outcome: 'client_error', reason: 'timeout' });
    expect(got).toEqual([]);
  });

  test('a body without end is refused when it is too long, and the upstream never takes it for whole', async () => {
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    const text = await raw(
      gateway.port,
      `${lines('POST /documents/upload HTTP/1.1', 'Host: 127.0.0.1', 'Transfer-Encoding: chunked')}${chunk.repeat(8)}`,
      { end: true },
    );
    expect(statusOf(text)).toBe(413);
    expect(got).toEqual([]);
  });

  test.each<[string, string]>([
    ['a size that is none', 'zz\r\nhello\r\n'],
    ['a size without bound', 'ffffffffffffffffff\r\nhello\r\n'],
    ['a chunk that is longer than its size', '2\r\nhello\r\n0\r\n\r\n'],
    ['an end of a chunk that is none', '5\r\nhelloXX0\r\n\r\n'],
  ])('chunked nonsense (%s) breaks off, and the upstream never takes it for whole', async (_name, body) => {
    await raw(gateway.port, `${lines('POST / HTTP/1.1', 'Host: 127.0.0.1', 'Transfer-Encoding: chunked')}${body}`, {
      end: true,
    });
    expect(got).toEqual([]);
  });

  test('a body that stops short never looks whole to the upstream', async () => {
    await raw(gateway.port, `${lines('POST / HTTP/1.1', 'Host: 127.0.0.1', 'Content-Length: 10')}hello`, { end: true });
    expect(got).toEqual([]);
  });
});

test('what looks like a second request inside a body stays a body', async () => {
  const smuggled = lines('DELETE /documents HTTP/1.1', 'Host: 127.0.0.1');
  const text = await raw(
    gateway.port,
    `${lines('POST /query HTTP/1.1', 'Host: 127.0.0.1', 'Connection: close', `Content-Length: ${smuggled.length}`)}${smuggled}`,
  );
  expect(statusOf(text)).toBe(200);
  expect(got).toEqual([`main POST /query ${smuggled}`.trim()]);
});

test('a client that sends on and on without reading is cut off', async () => {
  const text = await raw(gateway.port, lines('GET /many HTTP/1.1', 'Host: 127.0.0.1').repeat(200), { end: true });
  expect(got.length).toBeLessThanOrEqual(16);
  expect(text.length).toBeLessThan(16 * 400);
});

test('more connections than are allowed are turned away, and counted', async () => {
  const open = Array.from({ length: 60 }, () => connect(gateway.port, '127.0.0.1').on('error', () => undefined));
  await soon(() => gateway.proxy.status().refusedConnections).toBeGreaterThanOrEqual(20);
  expect(gateway.proxy.status().connections).toBeLessThanOrEqual(40);
  for (const socket of open) socket.destroy();
  await soon(() => gateway.proxy.status().connections).toBe(0);
});

test('the gateway does not call itself', async () => {
  const looped = await startProxy(stateOf([upstreamAt(gateway.url)]));
  looped.proxy.update(stateOf([upstreamAt(looped.url)]));
  const answer = await ask(looped.url);
  expect(answer.status).toBe(508);
  await looped.proxy.stop();
});
