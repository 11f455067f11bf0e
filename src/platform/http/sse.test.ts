import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { systemClock } from '../clock.ts';
import { silentLogger } from '../logging.ts';
import {
  createHttpServer,
  formatSse,
  type HttpServer,
  listen,
  type SseMessage,
  type SseOptions,
  sseStream,
} from './index.ts';

const open: HttpServer[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

async function streaming(options: Omit<SseOptions, 'log'>): Promise<{ app: HttpServer; url: string; port: number }> {
  const app = createHttpServer({
    log: silentLogger,
    clock: systemClock,
    authenticate: async () => undefined,
    allowedHosts: () => [],
  });
  open.push(app);
  app.get('/stream', { config: { access: 'public' } }, (request, reply) =>
    sseStream(request, reply, { log: silentLogger, ...options }),
  );
  const listening = await listen(app, { host: '127.0.0.1', port: 0, setting: 'RAGWARDEN_PORT', name: 'the API' });
  return { app, ...listening };
}

test('messages are framed so that nothing in them starts a field of its own', () => {
  expect(formatSse({ id: 7, event: 'a\nid: 9', data: { text: 'x\ny' } })).toBe(
    'id: 7\nevent: a id: 9\ndata: {"text":"x\\ny"}\n\n',
  );
  expect(formatSse({ event: 'empty', data: undefined })).toBe('event: empty\ndata: null\n\n');
});

test('a source that ends ends the stream, with everything sent', async () => {
  const { url } = await streaming({
    async *source({ lastEventId }) {
      yield { event: 'from', data: lastEventId ?? null };
      for (let id = 1; id <= 300; id += 1) yield { id, event: 'n', data: id };
    },
  });
  const answer = await fetch(`${url}/stream`, { headers: { 'last-event-id': '41' } });
  expect(answer.headers.get('content-type')).toContain('text/event-stream');
  const text = await answer.text();
  expect(text).toContain('event: from\ndata: "41"');
  expect(text.match(/event: n\n/g)).toHaveLength(300);
  expect(await (await fetch(`${url}/stream?last_event_id=5`)).text()).toContain('event: from');
});

test('the source is told when the client goes away', async () => {
  let gone: AbortSignal | undefined;
  const { app, url } = await streaming({
    async *source({ signal }) {
      gone = signal;
      yield { event: 'hello', data: {} };
      await once(signal, 'abort');
    },
  });
  const client = new AbortController();
  const answer = await fetch(`${url}/stream`, { signal: client.signal });
  await answer.body?.getReader().read();
  client.abort();
  await vi.waitFor(() => expect(gone?.aborted).toBe(true));
  expect(app.openStreams.size).toBe(0);
});

test('an idle stream sends heartbeats', async () => {
  const { url } = await streaming({
    heartbeatMs: 5,
    // biome-ignore lint/correctness/useYield: a source that has nothing to say
    async *source({ signal }): AsyncGenerator<SseMessage> {
      await once(signal, 'abort');
    },
  });
  const client = new AbortController();
  const reader = (await fetch(`${url}/stream`, { signal: client.signal })).body?.getReader();
  let text = '';
  while (!text.includes(': heartbeat\n\n')) text += new TextDecoder().decode((await reader?.read())?.value);
  client.abort();
});

const big = 'x'.repeat(2_000);

test('a reader that does not read costs a bounded number of messages and is told to refresh', async () => {
  let produced = 0;
  let finished: () => void = () => undefined;
  const all = new Promise<void>((resolve) => {
    finished = resolve;
  });
  const { port } = await streaming({
    maxBuffered: 50,
    async *source() {
      for (; produced < 20_000; produced += 1) {
        if (produced % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
        yield { id: produced, event: 'n', data: big };
      }
      finished();
    },
  });
  const socket = connect(port, '127.0.0.1');
  socket.pause();
  socket.write('GET /stream HTTP/1.0\r\nHost: localhost\r\n\r\n');
  await all;
  let text = '';
  socket.on('data', (chunk) => {
    text += String(chunk);
  });
  socket.resume();
  await once(socket, 'close');
  expect(text).toContain('event: refresh');
  expect(text).toContain('id: 19999\n');
});

test('with `wait` a slow reader misses nothing', async () => {
  let produced = 0;
  const { port } = await streaming({
    maxBuffered: 20,
    whenSlow: 'wait',
    async *source() {
      for (; produced < 10_000; produced += 1) yield { id: produced, event: 'n', data: big };
    },
  });
  const socket = connect(port, '127.0.0.1');
  socket.pause();
  socket.write('GET /stream HTTP/1.0\r\nHost: localhost\r\n\r\n');
  await vi.waitFor(() => expect(produced).toBeGreaterThan(20));
  expect(produced).toBeLessThan(10_000);
  let text = '';
  socket.on('data', (chunk) => {
    text += String(chunk);
  });
  socket.resume();
  await once(socket, 'close');
  expect(text).not.toContain('event: refresh');
  expect(text.match(/event: n\n/g)).toHaveLength(10_000);
});

test('a reader that does not read holds up nobody else', async () => {
  let produced = 0;
  const { port, url } = await streaming({
    maxBuffered: 20,
    whenSlow: 'wait',
    async *source() {
      for (let id = 0; id < 10_000; id += 1) {
        produced += 1;
        yield { id, event: 'n', data: big };
      }
    },
  });
  const idle = connect(port, '127.0.0.1');
  idle.pause();
  idle.write('GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await vi.waitFor(() => expect(produced).toBeGreaterThan(20));
  const text = await (await fetch(`${url}/stream`)).text();
  expect(text.match(/event: n\n/g)).toHaveLength(10_000);
  expect(produced).toBeLessThan(20_000);
  idle.destroy();
});
