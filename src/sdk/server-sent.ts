import { RagwardenError } from './ragwarden-error.ts';
import type { OpenStream } from './transport.ts';

/** One message of a stream, its data as text. */
export type ServerSent = { readonly id: string | undefined; readonly event: string; readonly data: string };

export type StreamOptions = {
  /** Ends the iteration, which then rejects with the signal's reason. Leaving the loop ends it too. */
  readonly signal?: AbortSignal | undefined;
  /** Told before each further attempt, after a connection was lost: how long the pause is, and why. */
  readonly onReconnect?: (facts: { readonly pauseMs: number; readonly cause: unknown }) => void;
  /** Longest pause between two attempts; they begin at what the server asks for, or half a second, and double. Milliseconds, 30,000 unless told. */
  readonly longestPauseMs?: number;
};

const usualPauseMs = 500;
/** The server says something every 15 s; a connection that is silent for longer than two of them is dead. */
const silenceMs = 35_000;

/**
 * The messages of a stream, reconnecting with `Last-Event-ID` whenever it is lost, until the caller or the server ends it.
 * @throws RagwardenError when the first attempt fails, or a later one is refused for good (401, 404, …)
 */
export async function* followStream(
  open: OpenStream,
  path: string,
  query: Readonly<Record<string, string | undefined>>,
  from: string | undefined,
  options: StreamOptions,
): AsyncGenerator<ServerSent, void> {
  const { signal } = options;
  let lastEventId = from;
  let connected = false;
  let firstPauseMs = usualPauseMs;
  let pauseMs = firstPauseMs;
  const onRetry = (ms: number): void => {
    firstPauseMs = ms;
    pauseMs = ms;
  };
  for (;;) {
    let cause: unknown;
    try {
      const stream = await open(path, { query, lastEventId, signal, silenceMs });
      // 204: the server has nothing more to send, ever.
      if (!stream) return;
      connected = true;
      for await (const message of messagesOf(stream, onRetry)) {
        pauseMs = firstPauseMs;
        lastEventId = message.id ?? lastEventId;
        yield message;
      }
    } catch (err) {
      signal?.throwIfAborted();
      if (!connected || isFinal(err)) throw err;
      cause = err;
    }
    signal?.throwIfAborted();
    const asked = cause instanceof RagwardenError ? cause.retryAfterSeconds : undefined;
    // Many clients that lost one server at once must not come back at once.
    const longestMs = options.longestPauseMs ?? 30_000;
    const waitMs = asked === undefined ? Math.min(pauseMs, longestMs) * (0.75 + Math.random() / 2) : asked * 1000;
    options.onReconnect?.({ pauseMs: waitMs, cause });
    await sleep(waitMs, signal);
    pauseMs = Math.min(2 * pauseMs, longestMs);
  }
}

/** A refusal that the same request would meet again. */
const isFinal = (err: unknown): boolean =>
  err instanceof RagwardenError &&
  err.status !== undefined &&
  err.status >= 400 &&
  err.status < 500 &&
  ![408, 425, 429].includes(err.status);

/** Parses `text/event-stream` as the HTML standard says; comments are heartbeats and say nothing. */
export async function* messagesOf(
  chunks: AsyncIterable<string>,
  onRetry: (ms: number) => void = () => undefined,
): AsyncGenerator<ServerSent, void> {
  let rest = '';
  let id: string | undefined;
  let event = '';
  let data: string[] = [];
  for await (const chunk of chunks) {
    rest += chunk;
    // A carriage return at the end may be half of a line end.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { id, event: event === '' ? 'message' : event, data: data.join('\n') };
        event = '';
        data = [];
        continue;
      }
      const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
      if (name === 'data') data.push(value);
      else if (name === 'event') event = value;
      else if (name === 'retry' && /^\d{1,9}$/.test(value)) onRetry(Number(value));
      else if (name === 'id' && !value.includes('\0')) id = value;
    }
  }
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const end = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', end);
      resolve();
    }, ms);
    signal?.addEventListener('abort', end, { once: true });
  });
}
