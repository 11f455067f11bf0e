import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { createClient, type EventBody } from './index.ts';
import { messagesOf, type ServerSent } from './server-sent.ts';

afterEach(() => vi.useRealTimers());

async function* inPieces(pieces: readonly string[]): AsyncGenerator<string> {
  yield* pieces;
}

test('messages are the same however the bytes arrive', async () => {
  const text =
    ': connected\n\nid: 7\nevent: event\ndata: {"a":1}\n\r\nevent: two\r\ndata: x\rdata:y\n\n: heartbeat\n\ndata: last\n\nid: 9';
  const expected: ServerSent[] = [
    { id: '7', event: 'event', data: '{"a":1}' },
    { id: '7', event: 'two', data: 'x\ny' },
    { id: '7', event: 'message', data: 'last' },
  ];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: text.length }), { maxLength: 12 }), async (cuts) => {
      const at = [0, ...cuts.toSorted((a, b) => a - b), text.length];
      const pieces = at.slice(1).map((end, index) => text.slice(at[index], end));
      const found: ServerSent[] = [];
      for await (const message of messagesOf(inPieces(pieces))) found.push(message);
      expect(found).toEqual(expected);
    }),
  );
});

const event = (seq: number): string => `id: ${seq}\nevent: event\ndata: ${JSON.stringify({ seq })}\n\n`;

/** A server whose answers to the stream are given one after the other. */
function serverOf(answers: ((signal: AbortSignal) => Response | Promise<Response>)[]) {
  const asked: { path: string; lastEventId: string | null }[] = [];
  const client = createClient({
    url: 'http://ragwarden.test',
    token: 't',
    fetch: async (input, init) => {
      const { pathname } = new URL(String(input));
      const headers = new Headers(init?.headers);
      if (pathname === '/api/v1/events') return Response.json({ items: [{ seq: 4 }], next_cursor: null });
      asked.push({ path: pathname, lastEventId: headers.get('last-event-id') });
      const next = answers.shift();
      if (!next) throw new Error('nobody expected another attempt');
      return next(init?.signal ?? AbortSignal.abort());
    },
  });
  return { client, asked };
}
/** With a signal it stays open, and breaks off when that is aborted, as the stream of a real answer does. */
const streamOf = (text: string, signal?: AbortSignal) =>
  new Response(
    new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(text));
        if (signal) signal.addEventListener('abort', () => controller.error(signal.reason));
        else controller.close();
      },
    }),
    { headers: { 'content-type': 'text/event-stream; charset=utf-8' } },
  );
const problem = (status: number, code: string, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ code, detail: 'd', status }), { status, headers });

test('a lost connection goes on after the last event, and nothing before it was missed', async () => {
  const pauses: number[] = [];
  const { client, asked } = serverOf([
    () => streamOf(`retry: 40\n\n${event(5)}`),
    () => Promise.reject(new TypeError('fetch failed')),
    () => problem(503, 'internal/stopping', { 'retry-after': '0' }),
    () => streamOf(event(6) + event(7)),
  ]);
  const seen: number[] = [];
  for await (const { seq } of client.events.stream({
    onReconnect: ({ pauseMs }) => pauses.push(pauseMs),
  })) {
    seen.push(seq);
    if (seq === 7) break;
  }
  expect(seen).toEqual([5, 6, 7]);
  expect(asked.map(({ lastEventId }) => lastEventId)).toEqual(['4', '5', '5', '5']);
  expect(pauses).toHaveLength(3);
  expect(pauses[0]).toBeGreaterThanOrEqual(30);
  expect(pauses[0]).toBeLessThanOrEqual(50);
  expect(pauses[1]).toBeGreaterThanOrEqual(60);
  expect(pauses[2]).toBe(0);
});

test('the first attempt must succeed, and what is refused for good is not tried again', async () => {
  const first = serverOf([() => Promise.reject(new TypeError('fetch failed'))]);
  await expect(first.client.events.stream().next()).rejects.toMatchObject({ code: 'server/unreachable' });
  const page = serverOf([() => new Response('<html>', { headers: { 'content-type': 'text/html' } })]);
  await expect(page.client.events.stream().next()).rejects.toMatchObject({ code: 'server/unreachable' });
  const revoked = serverOf([() => streamOf(event(5)), () => problem(401, 'access/unauthenticated')]);
  const events = revoked.client.events.stream();
  expect((await events.next()).value).toMatchObject({ seq: 5 });
  await expect(events.next()).rejects.toMatchObject({ code: 'access/unauthenticated', status: 401 });
});

test('a signal ends it, while it waits for an event as while it waits to try again', async () => {
  const reason = new Error('enough');
  const waiting = new AbortController();
  const { client } = serverOf([(signal) => streamOf(event(5), signal)]);
  const events = client.events.stream({ signal: waiting.signal });
  await events.next();
  const next = events.next();
  waiting.abort(reason);
  await expect(next).rejects.toBe(reason);

  const pausing = new AbortController();
  const again = serverOf([() => streamOf(event(5))]);
  const paused = again.client.events.stream({ signal: pausing.signal, onReconnect: () => pausing.abort(reason) });
  await paused.next();
  await expect(paused.next()).rejects.toBe(reason);
});

test('leaving the loop closes the connection', async () => {
  let connection: AbortSignal | undefined;
  const { client } = serverOf([
    (signal) => {
      connection = signal;
      return streamOf(event(1), signal);
    },
  ]);
  for await (const _event of client.events.stream({ after: 0 })) break;
  expect(connection?.aborted).toBe(true);
});

test('a connection that falls silent is given up and made again', async () => {
  vi.useFakeTimers();
  const { client, asked } = serverOf([(signal) => streamOf(event(5), signal), (signal) => streamOf(event(6), signal)]);
  const causes: unknown[] = [];
  const events = client.events.stream({ onReconnect: ({ cause }) => causes.push(cause) });
  await events.next();
  const next = events.next();
  await vi.advanceTimersByTimeAsync(40_000);
  expect((await next).value).toMatchObject({ seq: 6 });
  expect(asked.map(({ lastEventId }) => lastEventId)).toEqual(['4', '5']);
  expect(causes).toMatchObject([{ code: 'client/timeout' }]);
  await events.return();
});

test('a numbering that began anew is told', async () => {
  let refreshed = 0;
  const text = `event: refresh\ndata: {}\n\n${event(1)}`;
  const { client } = serverOf([() => streamOf(text)]);
  const seen: EventBody[] = [];
  for await (const one of client.events.stream({ after: 900, onRefresh: () => (refreshed += 1) })) {
    seen.push(one);
    break;
  }
  expect([refreshed, seen.length]).toEqual([1, 1]);
});

test('the stream of an operation ends with the operation', async () => {
  const at = (state: string) => `id: 1\nevent: operation\ndata: ${JSON.stringify({ id: 'op_1', state })}\n\n`;
  const { client, asked } = serverOf([() => streamOf(at('running')), () => streamOf(at('running') + at('partial'))]);
  const states: string[] = [];
  for await (const { state } of client.operations.stream('op_1', { longestPauseMs: 1 })) states.push(state);
  expect(states).toEqual(['running', 'running', 'partial']);
  expect(asked.map(({ path }) => path)).toEqual(Array(2).fill('/api/v1/operations/op_1/stream'));
});
