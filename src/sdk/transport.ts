import { RagwardenError } from './ragwarden-error.ts';

export type ClientOptions = {
  /** Where ragwarden answers, such as `http://127.0.0.1:8710`; a path before its own is kept. */
  readonly url: string;
  /** An admin token for most calls; without one only what strangers may see. */
  readonly token?: string;
  /** Instead of the global one. */
  readonly fetch?: typeof fetch;
  /** For each call without the time it was asked to wait for work. Milliseconds, 30,000 unless told. */
  readonly timeoutMs?: number;
};

export type CallOptions = {
  /** Ends the call; it rejects with the signal's reason. What was begun on the server goes on. */
  readonly signal?: AbortSignal | undefined;
};

/** A list is sent as the name once per member. */
export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export type Call = CallOptions & {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly query?: Query;
  readonly body?: unknown;
  /** Seconds for which the server may hold its answer back until the work is done. */
  readonly waitSeconds?: number;
  /** The same key asks for the same work only once. */
  readonly idempotencyKey?: string | undefined;
  /** The version that the caller has seen; the change is refused when it is not the newest. */
  readonly ifMatch?: string | undefined;
  /** Some answers are no JSON. */
  readonly as?: 'text' | 'bytes';
};

/** @returns the parsed body of a 2xx answer, undefined when it is empty. @throws RagwardenError; the signal's reason */
export type Send = (path: string, call?: Call) => Promise<unknown>;

/**
 * Text as it comes in, until the server ends it; undefined when it has nothing to send (204).
 * @throws RagwardenError, also in the middle of it: `client/timeout` after `silenceMs` without a byte
 */
export type OpenStream = (
  path: string,
  call: CallOptions & {
    readonly query: Query;
    readonly lastEventId: string | undefined;
    readonly silenceMs: number;
    /** An event stream unless told. */
    readonly accept?: string;
  },
) => Promise<AsyncIterable<string> | undefined>;

export type Transport = {
  readonly send: Send;
  /** With the version of what was answered, for `ifMatch`. */
  sendForEtag(path: string, call?: Call): Promise<{ readonly body: unknown; readonly etag: string | null }>;
  readonly open: OpenStream;
};

export function createTransport(options: ClientOptions): Transport {
  const base = parseBase(options.url);
  const timeoutMs = options.timeoutMs ?? 30_000;
  const ask = (path: string, call: Call, headers: Record<string, string>, signal: AbortSignal): Promise<Response> => {
    const url = new URL(base + path);
    for (const [name, value] of Object.entries(call.query ?? {}))
      for (const one of Array.isArray(value) ? value : [value])
        if (one !== undefined) url.searchParams.append(name, String(one));
    return (options.fetch ?? globalThis.fetch)(url, {
      method: call.method ?? 'GET',
      headers,
      // A redirect would carry the token elsewhere.
      redirect: 'manual',
      signal,
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    });
  };
  const unreachable = (cause: unknown): RagwardenError =>
    new RagwardenError({
      code: 'server/unreachable',
      detail: `ragwarden does not answer at ${base}. Is it running?`,
      cause,
    });

  const sendForEtag: Transport['sendForEtag'] = async (path, call = {}) => {
    const limitMs = timeoutMs + 1000 * (call.waitSeconds ?? 0);
    const late = AbortSignal.timeout(limitMs);
    let response: Response;
    let text: string;
    let bytes: Uint8Array | undefined;
    try {
      const signal = call.signal ? AbortSignal.any([call.signal, late]) : late;
      response = await ask(path, call, headersOf(options, call), signal);
      if (response.ok && call.as === 'bytes') bytes = new Uint8Array(await response.arrayBuffer());
      text = bytes ? '' : await response.text();
    } catch (cause) {
      call.signal?.throwIfAborted();
      if (late.aborted)
        throw new RagwardenError({
          code: 'client/timeout',
          detail: `ragwarden at ${base} did not answer within ${limitMs} ms. What was asked for may still be done.`,
          cause,
        });
      throw unreachable(cause);
    }
    const etag = response.headers.get('etag');
    if (bytes) return { body: bytes, etag };
    if (response.ok && call.as === 'text') return { body: text, etag };
    if (response.ok && text === '') return { body: undefined, etag };
    const body = parsed(text);
    if (response.ok && body !== undefined) return { body, etag };
    throw refusal(response, body, base);
  };

  const send: Send = async (path, call) => (await sendForEtag(path, call)).body;

  const open: OpenStream = async (path, call) => {
    const { signal, lastEventId, silenceMs, query, accept = 'text/event-stream' } = call;
    const silent = new AbortController();
    let timer = setTimeout(() => silent.abort(), timeoutMs);
    const stillThere = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => silent.abort(), silenceMs);
    };
    const failed = (cause: unknown): unknown => {
      clearTimeout(timer);
      if (signal?.aborted) return signal.reason;
      if (!silent.signal.aborted) return unreachable(cause);
      return new RagwardenError({ code: 'client/timeout', detail: `ragwarden at ${base} fell silent.`, cause });
    };
    let response: Response;
    try {
      const headers = {
        ...headersOf(options, {}),
        accept,
        ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
      };
      const either = signal ? AbortSignal.any([signal, silent.signal]) : silent.signal;
      response = await ask(path, { query }, headers, either);
      if (!response.ok) throw refusal(response, parsed(await response.text()), base);
    } catch (cause) {
      if (!(cause instanceof RagwardenError)) throw failed(cause);
      clearTimeout(timer);
      throw cause;
    }
    const { body } = response;
    if (response.status === 204 || !body) {
      clearTimeout(timer);
      return undefined;
    }
    if (!response.headers.get('content-type')?.startsWith(accept)) {
      clearTimeout(timer);
      silent.abort();
      throw refusal(response, undefined, base);
    }
    return (async function* chunks() {
      const decoder = new TextDecoder();
      stillThere();
      try {
        for await (const chunk of body) {
          stillThere();
          yield decoder.decode(chunk, { stream: true });
        }
      } catch (cause) {
        throw failed(cause);
      } finally {
        clearTimeout(timer);
        // Left in the middle: the connection is closed, or the server would go on sending.
        silent.abort();
      }
    })();
  };
  return { send, sendForEtag, open };
}

function parseBase(text: string): string {
  // URL.parse is not there in Node 20.
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
    throw new TypeError('`url` is an http:// or https:// URL without credentials in it.');
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

/** One part of a path. @throws TypeError for what a URL would resolve away and so call something else */
export function pathPart(id: string): string {
  if (/^\.{0,2}$/.test(id)) throw new TypeError(`${JSON.stringify(id)} is no id.`);
  return encodeURIComponent(id);
}

const headersOf = (options: ClientOptions, call: Call): Record<string, string> => ({
  accept: call.as === undefined ? 'application/json' : '*/*',
  ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
  ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
  ...(call.waitSeconds === undefined ? {} : { prefer: `wait=${call.waitSeconds}` }),
  ...(call.idempotencyKey === undefined ? {} : { 'idempotency-key': call.idempotencyKey }),
  ...(call.ifMatch === undefined ? {} : { 'if-match': call.ifMatch }),
});

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refusal(response: Response, body: unknown, base: string): RagwardenError {
  const problem = recordOf(body);
  const { code, detail } = problem;
  if (typeof code !== 'string' || typeof detail !== 'string')
    return new RagwardenError({
      code: 'server/unreachable',
      status: response.status,
      detail: `What answers at ${base} is not ragwarden (HTTP ${response.status}). Check the URL.`,
    });
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
  return new RagwardenError({
    code,
    detail,
    status: response.status,
    violations: violationsOf(problem.errors),
    requestId: typeof problem.request_id === 'string' ? problem.request_id : undefined,
    retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
  });
}

const recordOf = (value: unknown): Partial<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? { ...value } : {};

const violationsOf = (value: unknown): { at: string; message: string }[] =>
  (Array.isArray(value) ? value : []).flatMap((one: unknown) => {
    const { at, message } = recordOf(one);
    return typeof at === 'string' && typeof message === 'string' ? [{ at, message }] : [];
  });
