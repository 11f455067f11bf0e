import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { createHttpClient, type HttpClientOptions } from './http-client.ts';
import { decideAddress } from './outgoing-address.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function serve(handler: RequestListener): Promise<{ url: string; port: number; server: Server }> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}`, port, server };
}

function client(options?: HttpClientOptions) {
  const created = createHttpClient(options);
  ends.push(() => created.close());
  return created;
}

const limits = { timeoutMs: 5_000, maxBytes: 10_000 };

test('sends what it is given and hands back status, headers and body', async () => {
  const { url } = await serve(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    response.writeHead(418, { 'x-answer': 'yes' });
    response.end(JSON.stringify({ method: request.method, url: request.url, key: request.headers['x-api-key'], body }));
  });
  const answer = await client().request({
    url: `${url}/a?b=c`,
    method: 'POST',
    headers: { 'x-api-key': 'k' },
    body: '{"q":1}',
    ...limits,
  });
  expect([answer.status, answer.headers['x-answer']]).toEqual([418, 'yes']);
  expect(answer.json()).toEqual({ method: 'POST', url: '/a?b=c', key: 'k', body: '{"q":1}' });
});

test('uses a connection again and gets over one that was dropped meanwhile', async () => {
  const { url, server } = await serve((_request, response) => response.end('ok'));
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  const http = client();
  for (let i = 0; i < 20; i += 1) await http.request({ url, ...limits });
  // The pool may open a second one while the first finishes its turn.
  expect(connections).toBeLessThan(4);
  const before = connections;
  server.closeAllConnections();
  expect((await http.request({ url, ...limits })).text()).toBe('ok');
  expect(connections).toBeGreaterThan(before);
});

test('does not follow redirects', async () => {
  const { url } = await serve((_request, response) =>
    response.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
  );
  expect((await client().request({ url, ...limits })).status).toBe(302);
});

test('an answer beyond the limit is an error, however it is sent', async () => {
  const { url } = await serve((_request, response) => {
    for (let i = 0; i < 100; i += 1) response.write('x'.repeat(1_000));
    response.end();
  });
  const request = client().request({ url: `${url}/?token=secret`, ...limits });
  await expect(request).rejects.toMatchObject({
    code: 'outgoing/failed',
    detail: `${url} sent more than 10000 bytes.`,
  });
});

test('silence, before or within the answer, ends after the given time', async () => {
  const { url } = await serve((request, response) => {
    if (request.url === '/half') response.write('half');
  });
  for (const path of ['/', '/half'])
    await expect(client().request({ url: url + path, timeoutMs: 60, maxBytes: 100 })).rejects.toMatchObject({
      code: 'outgoing/timeout',
    });
});

test('where silence is bounded apart, an answer may be long, and a silent one is not waited for', async () => {
  const { url } = await serve((request, response) => {
    if (request.url === '/half') return void response.write('half');
    const pieces = [...'slowly'];
    const next = (): void => {
      const piece = pieces.shift();
      if (piece === undefined) response.end();
      else response.write(piece, () => setImmediate(next));
    };
    next();
  });
  const ask = (path: string, silenceMs: number) =>
    client().request({ url: url + path, timeoutMs: 600_000, silenceMs, maxBytes: 100 });
  expect((await ask('/', 60_000)).text()).toBe('slowly');
  await expect(ask('/half', 1)).rejects.toMatchObject({
    code: 'outgoing/timeout',
    detail: expect.stringContaining('1 ms'),
  });
});

test('the caller can give up, with its own reason', async () => {
  const { url } = await serve(() => undefined);
  const abort = new AbortController();
  const waiting = client().request({ url, ...limits, signal: abort.signal });
  abort.abort(new Error('changed my mind'));
  await expect(waiting).rejects.toThrow('changed my mind');
  await expect(client().request({ url, ...limits, signal: abort.signal })).rejects.toThrow('changed my mind');
});

test('no connection stays behind, however an exchange ended; only those of one’s own are used again, until it is closed', async () => {
  const open = new Set<Socket>();
  let dialled = 0;
  const { url, server } = await serve((request, response) => {
    // Kept for longer than this test waits, unless it is ended here.
    response.setHeader('keep-alive', 'timeout=600');
    if (request.url === '/well') response.end();
    else if (request.url === '/long') response.end('x'.repeat(200_000));
    else if (request.url === '/half') response.write('half');
    else if (request.url === '/reset') request.socket.destroy();
  });
  server.on('connection', (socket) => {
    open.add(socket);
    dialled += 1;
    socket.on('close', () => open.delete(socket));
  });
  const created = client();
  const stranger = created.forUntrusted({ allowPrivate: true });
  const fails = (asked: Promise<unknown>) => expect(asked).rejects.toThrow();
  server.keepAliveTimeout = 0;
  for (let round = 0; round < 10; round += 1) {
    await Promise.all([1, 2].map(() => stranger.request({ url: `${url}/well`, ...limits })));
    for (const by of [created, stranger])
      await Promise.all([
        fails(by.request({ url: `${url}/long`, timeoutMs: 60_000, maxBytes: 100 })),
        fails(by.request({ url: `${url}/half`, timeoutMs: 5, maxBytes: 100 })),
        fails(by.request({ url: `${url}/silent`, ...limits, signal: AbortSignal.timeout(5) })),
        fails(by.request({ url: `${url}/reset`, ...limits })),
      ]);
    const { body } = await created.stream({ url: `${url}/half`, silenceMs: 60_000 });
    for await (const _ of body) break;
  }
  expect(dialled).toBeGreaterThan(60);
  // Of all these: what is kept to be used again, at most.
  await vi.waitFor(() => expect(open.size).toBeLessThanOrEqual(16), { timeout: 60_000 });
  await created.close();
  await vi.waitFor(() => expect(open.size).toBe(0), { timeout: 60_000 });
});

test('who cannot be reached is said with the reason, and without path and query', async () => {
  const { url, server } = await serve(() => undefined);
  await new Promise((resolve) => server.close(resolve));
  await expect(client().request({ url: `${url}/p?token=secret`, ...limits })).rejects.toMatchObject({
    code: 'outgoing/failed',
    detail: `${url} could not be reached: nobody listens there.`,
  });
  const tcp = createTcpServer((socket) => socket.resume().end('SSH-2.0-OpenSSH\r\n'));
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  ends.push(() => new Promise((resolve) => tcp.close(resolve)));
  const address = tcp.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await expect(client().request({ url: `http://127.0.0.1:${port}`, ...limits })).rejects.toMatchObject({
    code: 'outgoing/failed',
    detail: expect.stringContaining('its answer is no HTTP'),
  });
});

test.each(['ftp://host/', 'file:///etc/passwd', 'nonsense', 'http://user:password@host/', ''])(
  '%s is not called',
  async (url) => {
    await expect(client().request({ url, ...limits })).rejects.toMatchObject({ code: 'outgoing/refused-address' });
  },
);

test.each([
  ['169.254.169.254', 'never'],
  ['::ffff:169.254.169.254', 'never'],
  ['::ffff:a9fe:a9fe', 'never'],
  ['fe80::1', 'never'],
  ['fd00:ec2::254', 'never'],
  ['100.100.100.200', 'never'],
  ['168.63.129.16', 'never'],
  ['0.0.0.0', 'never'],
  ['::', 'never'],
  ['224.0.0.1', 'never'],
  ['255.255.255.255', 'never'],
  ['not-an-address', 'never'],
  ['127.0.0.1', 'private'],
  ['::1', 'private'],
  ['::ffff:127.0.0.1', 'private'],
  ['10.1.2.3', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.0.1', 'private'],
  ['100.64.0.1', 'private'],
  ['fd12::1', 'private'],
  ['64:ff9b::a9fe:a9fe', 'private'],
  ['172.32.0.1', 'allowed'],
  ['203.0.113.7', 'allowed'],
  ['2606:4700::1111', 'allowed'],
])('%s is decided as %s', (address, decision) => {
  expect(decideAddress(address)).toBe(decision);
});

test.each([
  'http://169.254.169.254/latest/meta-data/',
  'http://[::ffff:169.254.169.254]/',
  'http://2852039166/',
  'http://0xa9.0xfe.0xa9.0xfe/',
  'http://metadata.example/',
  'http://two-addresses.example/',
  'http://0.0.0.0/',
])('%s is refused to strangers even where private ranges are allowed', async (url) => {
  const resolve = async (name: string) =>
    name.startsWith('two') ? ['203.0.113.7', '169.254.169.254'] : ['169.254.169.254'];
  const http = client({ resolve }).forUntrusted({ allowPrivate: true });
  await expect(http.request({ url, ...limits })).rejects.toMatchObject({ code: 'outgoing/refused-address' });
});

test('private ranges and own listeners are refused to strangers; the resolved address is the one that is dialled', async () => {
  const { port } = await serve((request, response) => response.end(request.headers.host));
  let resolved = 0;
  const resolve = async () => {
    resolved += 1;
    return resolved === 1 ? ['127.0.0.1'] : ['169.254.169.254'];
  };
  const url = `http://rebinding.example:${port}/`;
  const allowed = client({ resolve }).forUntrusted({ allowPrivate: true });
  expect((await allowed.request({ url, ...limits })).text()).toBe(`rebinding.example:${port}`);
  expect(resolved).toBe(1);
  const local = `http://127.0.0.1:${port}/`;
  await expect(
    client()
      .forUntrusted({ allowPrivate: false })
      .request({ url: local, ...limits }),
  ).rejects.toMatchObject({
    detail: expect.stringContaining('private range'),
  });
  const own = client({ ownPorts: () => [port] }).forUntrusted({ allowPrivate: true });
  await expect(own.request({ url: local, ...limits })).rejects.toMatchObject({
    detail: expect.stringContaining('listener of ragwarden itself'),
  });
});

test('a name that does not exist is said to be unknown', async () => {
  const resolve = () => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' }));
  const http = client({ resolve }).forUntrusted({ allowPrivate: true });
  await expect(http.request({ url: 'http://nowhere.example/', ...limits })).rejects.toMatchObject({
    code: 'outgoing/failed',
    detail: 'nowhere.example cannot be resolved.',
  });
});
