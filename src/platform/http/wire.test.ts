// What a real socket sends that no client library would: each of these reaches a listening server byte by byte.
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../clock.ts';
import { silentLogger } from '../logging.ts';
import { createHttpServer, type HttpServer, type HttpServerOptions, listen, sseStream } from './index.ts';

const open: HttpServer[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const app of open.splice(0)) await app.close();
});

async function server(
  options: Partial<HttpServerOptions> = {},
): Promise<{ app: HttpServer; port: number; url: string }> {
  const app = createHttpServer({
    log: silentLogger,
    clock: systemClock,
    authenticate: async () => undefined,
    allowedHosts: () => [],
    ...options,
  });
  open.push(app);
  const body = z.object({ name: z.string() });
  app.get('/thing', { config: { access: 'public' }, schema: { response: { 200: body } } }, async () => ({ name: 'x' }));
  app.get(
    '/things/:id',
    { config: { access: 'public' }, schema: { params: z.object({ id: z.string() }), response: { 200: body } } },
    async ({ params }) => ({ name: params.id }),
  );
  app.post(
    '/thing',
    { config: { access: 'public' }, schema: { body, response: { 200: body } } },
    async ({ body }) => body,
  );
  app.get('/stream', { config: { access: 'public' } }, (request, reply) =>
    sseStream(request, reply, {
      log: silentLogger,
      async *source({ signal }): AsyncGenerator<never> {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    }),
  );
  return { app, ...(await listen(app, { host: '127.0.0.1', port: 0, setting: 'RAGWARDEN_PORT', name: 'the API' })) };
}

/** Opens a socket that keeps what it receives. */
function dial(port: number): { socket: Socket; received: () => string; closed: Promise<string> } {
  let text = '';
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('data', (chunk) => {
    text += String(chunk);
  });
  socket.on('error', () => undefined);
  return { socket, received: () => text, closed: new Promise((resolve) => socket.on('close', () => resolve(text))) };
}

/** Sends bytes as they are and returns everything that came back until the other side closed. */
function raw(port: number, bytes: string): Promise<string> {
  const { socket, closed } = dial(port);
  socket.write(bytes);
  return closed;
}

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
const ask = (line: string, ...headers: string[]): string =>
  `${[line, 'Host: localhost', 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`;

test.each([
  ['OPTIONS', 204],
  ['TRACE', 405],
  ['PUT', 405],
  ['PROPFIND', 405],
])('%s of a path that has other methods is answered with %i and told them', async (method, status) => {
  const { port } = await server();
  const answer = await raw(port, ask(`${method} /thing HTTP/1.1`));
  expect(statusOf(answer)).toBe(status);
  expect(answer).toMatch(/\r\nallow: (OPTIONS, )?GET, HEAD, (OPTIONS, )?POST\r\n/i);
});

test('a path that is none has no methods to tell', async () => {
  const { port } = await server();
  expect(statusOf(await raw(port, ask('OPTIONS /nowhere HTTP/1.1')))).toBe(404);
});

test('no page of elsewhere is let in: there is no CORS header, with or without a preflight', async () => {
  const { port } = await server();
  const elsewhere = ['Origin: https://evil.example', 'Access-Control-Request-Method: POST'];
  for (const line of ['OPTIONS /thing HTTP/1.1', 'GET /thing HTTP/1.1', 'OPTIONS * HTTP/1.1'])
    expect(await raw(port, ask(line, ...elsewhere))).not.toMatch(/access-control/i);
});

test('CONNECT and an upgrade get neither a tunnel nor another protocol', async () => {
  const { port } = await server();
  expect(await raw(port, 'CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n')).not.toMatch(/ 200 /);
  for (const protocol of ['websocket', 'h2c', 'tls/1.0']) {
    const answer = await raw(
      port,
      `GET /thing HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: ${protocol}\r\n\r\n`,
    );
    expect([protocol, statusOf(answer)]).not.toEqual([protocol, 101]);
    expect(answer).not.toMatch(/^upgrade:/im);
  }
});

test.each([
  ['/thing/', 404],
  ['//thing', 404],
  ['/things//', 404],
  ['/x/../thing', 404],
  ['/things/..', 200],
  ['/things/%2e%2e', 200],
  ['/things/a%2Fb', 200],
  ['/things/a/b', 404],
  ['/THING', 404],
  ['/thing%00', 404],
  ['/thing;x=1', 404],
  ['/thing#x', 400],
  ['/things/%ZZ', 400],
  ['/things/%c3%28', 400],
  ['http://evil.example/thing', 400],
  ['thing', 400],
  ['*', 400],
])('the path %s is taken as it stands, never tidied up: %i', async (path, status) => {
  const { port } = await server();
  const answer = await raw(port, ask(`GET ${path} HTTP/1.1`));
  expect(statusOf(answer)).toBe(status);
  // What stands in the path is a name, whatever it looks like.
  if (status === 200) expect(answer).toContain(`{"name":${JSON.stringify(decodeURIComponent(path.slice(8)))}}`);
});

test('HTTP/1.0 is answered and closed; without Host it is not ours', async () => {
  const { port } = await server();
  const answer = await raw(port, 'GET /thing HTTP/1.0\r\nHost: localhost\r\n\r\n');
  expect(answer).toMatch(/^HTTP\/1\.1 200 [\s\S]*connection: close/i);
  expect(statusOf(await raw(port, 'GET /thing HTTP/1.0\r\n\r\n'))).toBe(421);
  expect(statusOf(await raw(port, 'GET /thing HTTP/1.1\r\n\r\n'))).toBe(400);
});

test('requests sent without waiting are answered one after the other, in order', async () => {
  const { port } = await server();
  const many = Array.from({ length: 20 }, (_, i) => `GET /things/${i} HTTP/1.1\r\nHost: localhost\r\n\r\n`).join('');
  const answer = await raw(port, `${many}${ask('GET /things/last HTTP/1.1')}`);
  expect([...answer.matchAll(/\{"name":"(\w+)"\}/g)].map(([, name]) => name)).toEqual([
    ...Array.from({ length: 20 }, (_, i) => String(i)),
    'last',
  ]);
});

test.each([
  ['two lengths', 'Content-Length: 2\r\nContent-Length: 3'],
  ['a length and chunks', 'Content-Length: 2\r\nTransfer-Encoding: chunked'],
  ['a length that is no number', 'Content-Length: +2'],
  ['an unknown coding', 'Transfer-Encoding: gzip, chunked, nonsense'],
  ['a header folded over two lines', 'X-A: 1\r\n 2'],
  ['a header without a name', ': x'],
  ['a space before the colon', 'X-A : 1'],
  ['two Hosts', 'Host: localhost'],
  ['a bare line feed', 'X-A: 1\nX-B: 2'],
])('what two servers could read in two ways is refused: %s', async (_name, header) => {
  const { port } = await server();
  const bytes = `POST /thing HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n${header}\r\n\r\n{}`;
  const answer = await raw(port, bytes);
  expect(statusOf(answer)).toBe(400);
  expect(answer).toContain('"code":"request/unreadable"');
});

test('headers up to 16 KiB are read, more are refused, however many they are', async () => {
  const { port } = await server();
  const line = ask('GET /thing HTTP/1.1', `X-A: ${'a'.repeat(15_000)}`);
  expect(statusOf(await raw(port, line))).toBe(200);
  expect(statusOf(await raw(port, ask('GET /thing HTTP/1.1', `X-A: ${'a'.repeat(17_000)}`)))).toBe(431);
  const many = Array.from({ length: 5_000 }, (_, i) => `X-${i}: 1`);
  expect(statusOf(await raw(port, ask('GET /thing HTTP/1.1', ...many)))).toBe(431);
  expect(statusOf(await raw(port, ask(`GET /thing?${'a'.repeat(17_000)} HTTP/1.1`)))).toBe(431);
});

test('a body of 100 MB is refused by its length before any of it came, and without one when a megabyte has come', async () => {
  const { port } = await server();
  const head = 'POST /thing HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
  const told = dial(port);
  told.socket.write(`${head}Content-Length: 104857600\r\n\r\n{`);
  await vi.waitFor(() => expect(statusOf(told.received())).toBe(413));

  const chunked = dial(port);
  chunked.socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
  const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
  let sent = 0;
  while (chunked.received() === '' && sent < 100 * 2 ** 20 && !chunked.socket.destroyed) {
    sent += 65_536;
    await new Promise((resolve) => chunked.socket.write(chunk, resolve));
  }
  await vi.waitFor(() => expect(statusOf(chunked.received())).toBe(413));
  // What lies in the buffers of two sockets comes on top of the megabyte.
  expect(sent).toBeLessThan(50 * 2 ** 20);
  expect(statusOf(await raw(port, ask('GET /thing HTTP/1.1')))).toBe(200);
});

test('whoever sends headers or a body drop by drop is cut off in time, and the others are served meanwhile', async () => {
  const { port } = await server({ requestTimeoutMs: 100 });
  const head = 'POST /thing HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
  const slow = [dial(port), dial(port)];
  slow[0]?.socket.write('GET /thing HTTP/1.1\r\nHost: loc');
  slow[1]?.socket.write(`${head}Content-Length: 20\r\n\r\n{"na`);
  expect(statusOf(await raw(port, ask('GET /thing HTTP/1.1')))).toBe(200);
  for (const one of slow) expect(await one.closed).toMatch(/^HTTP\/1\.1 408 [\s\S]*request\/timeout/);
});

test('as many streams are open as may be, the next one is told when to come again', async () => {
  const { app, port, url } = await server({ maxStreams: 3 });
  const held = Array.from({ length: 3 }, () => dial(port));
  for (const { socket } of held) socket.write('GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await vi.waitFor(() => expect(app.openStreams.size).toBe(3));
  for (const { received } of held) await vi.waitFor(() => expect(received()).toContain(': connected\nretry: 3000\n\n'));
  const refused = await fetch(`${url}/stream`);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '10']);
  expect(await refused.json()).toMatchObject({ code: 'request/too-many-streams' });
  expect((await fetch(`${url}/thing`)).status).toBe(200);
  held[0]?.socket.destroy();
  await vi.waitFor(() => expect(app.openStreams.size).toBe(2));
  const client = new AbortController();
  expect((await fetch(`${url}/stream`, { signal: client.signal })).status).toBe(200);
  client.abort();
});
