import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError, describeError } from '../errors.ts';
import type { Logger } from '../logging.ts';
import { isHead } from './head.ts';

export type SseMessage = {
  /** What the client sends back as `Last-Event-ID`. */
  readonly id?: string | number;
  readonly event: string;
  /** Sent as JSON. */
  readonly data: unknown;
};

export type SseOptions = {
  /**
   * What to send, from after `lastEventId` on. The iteration is ended through `signal` when the client goes away or the
   * server closes; a source that ends by itself ends the stream.
   */
  source(from: { readonly lastEventId: string | undefined; readonly signal: AbortSignal }): AsyncIterable<SseMessage>;
  readonly log: Logger;
  readonly heartbeatMs?: number;
  /** Messages held for a slow reader. */
  readonly maxBuffered?: number;
  /**
   * What happens beyond that: `refresh` drops them all and sends one `refresh` event (the client loads the whole again);
   * `wait` stops pulling, for sources that read a store at their own pace.
   */
  readonly whenSlow?: 'refresh' | 'wait';
};

/** The id after which a reconnecting client wants to go on: the header, else `?last_event_id=`. */
export function lastEventId(request: FastifyRequest): string | undefined {
  const header = request.headers['last-event-id'];
  if (typeof header === 'string' && header !== '') return header.slice(0, 200);
  const query: unknown = request.query;
  if (typeof query !== 'object' || query === null || !('last_event_id' in query)) return undefined;
  const value = query.last_event_id;
  return typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, 200) : undefined;
}

/** How long a client waits before it connects again. */
const reconnectMs = 3_000;

const withoutBreaks = (text: string): string => text.replaceAll(/[\r\n\0]/g, ' ');

export function formatSse(message: SseMessage): string {
  const id = message.id === undefined ? '' : `id: ${withoutBreaks(String(message.id))}\n`;
  return `${id}event: ${withoutBreaks(message.event)}\ndata: ${JSON.stringify(message.data ?? null)}\n\n`;
}

/**
 * Answers with server-sent events until the source ends, the client goes away, its credentials end or the server closes.
 * @throws AppError `request/too-many-streams`
 */
export function sseStream(request: FastifyRequest, reply: FastifyReply, options: SseOptions): FastifyReply {
  const { openStreams, streamChecks, maxStreams } = request.server;
  if (openStreams.size >= maxStreams)
    throw new AppError(
      'request/too-many-streams',
      `${maxStreams} event streams are open, which is as many as are kept. Close one, or read the list instead.`,
      { retryAfterSeconds: 10 },
    );
  reply.type('text/event-stream; charset=utf-8').header('x-accel-buffering', 'no');
  if (isHead(request.raw)) return reply.send('');

  const maxBuffered = options.maxBuffered ?? 1_000;
  const abort = new AbortController();
  const waiting: string[] = [];
  let wanted = false;
  let resume: (() => void) | undefined;

  const stream = new Readable({
    // Few bytes here: what waits, waits in `waiting`, where it is counted.
    highWaterMark: 16 * 1024,
    read() {
      wanted = true;
      flush();
    },
    destroy(err, done) {
      finish();
      done(err);
    },
  });
  const flush = (): void => {
    while (wanted && waiting.length > 0) wanted = stream.push(waiting.splice(0, 64).join(''));
    if (waiting.length < maxBuffered) resume?.();
  };
  const offer = (text: string): void => {
    if (waiting.length >= maxBuffered) {
      waiting.length = 0;
      waiting.push(formatSse({ event: 'refresh', data: {} }));
    }
    waiting.push(text);
    flush();
  };
  const heartbeat = setInterval(() => {
    check();
    if (waiting.length === 0) offer(': heartbeat\n\n');
  }, options.heartbeatMs ?? 15_000);
  heartbeat.unref();

  const end = (): void => {
    finish();
    if (!stream.destroyed) stream.push(null);
  };
  const finish = (): void => {
    clearInterval(heartbeat);
    openStreams.delete(end);
    streamChecks.delete(check);
    abort.abort();
    resume?.();
  };
  /** A stream must not outlive the credentials that opened it. */
  const check = (): void => {
    void request.server.stillAllowed(request).then((allowed) => {
      if (!allowed) end();
    });
  };
  openStreams.add(end);
  streamChecks.add(check);

  const pump = async (): Promise<void> => {
    for await (const message of options.source({ lastEventId: lastEventId(request), signal: abort.signal })) {
      if (abort.signal.aborted) return;
      if (options.whenSlow === 'wait' && waiting.length >= maxBuffered) {
        await new Promise<void>((resolve) => {
          resume = resolve;
        });
        resume = undefined;
        if (abort.signal.aborted) return;
      }
      offer(formatSse(message));
    }
    while (waiting.length > 0 && !abort.signal.aborted) {
      await new Promise<void>((resolve) => {
        resume = resolve;
      });
      resume = undefined;
    }
  };
  pump()
    .catch((err: unknown) => {
      if (!abort.signal.aborted)
        options.log.warn({ requestId: request.id, err }, `stream ended: ${describeError(err)}`);
    })
    .finally(end);

  // The first bytes tell the client at once that it is connected, and how long to wait before it comes again.
  offer(`: connected\nretry: ${reconnectMs}\n\n`);
  return reply.send(stream);
}
