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

export type Call = CallOptions & {
  readonly method?: 'GET' | 'POST';
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  /** Seconds for which the server may hold its answer back until the work is done. */
  readonly waitSeconds?: number;
  /** The same key asks for the same work only once. */
  readonly idempotencyKey?: string | undefined;
};

/** @returns the parsed body of a 2xx answer, undefined when it is empty. @throws RagwardenError; the signal's reason */
export type Transport = (path: string, call?: Call) => Promise<unknown>;

export function createTransport(options: ClientOptions): Transport {
  const base = parseBase(options.url);
  const timeoutMs = options.timeoutMs ?? 30_000;
  return async (path, call = {}) => {
    const url = new URL(base + path);
    for (const [name, value] of Object.entries(call.query ?? {}))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const limitMs = timeoutMs + 1000 * (call.waitSeconds ?? 0);
    const late = AbortSignal.timeout(limitMs);
    let response: Response;
    let text: string;
    try {
      response = await (options.fetch ?? globalThis.fetch)(url, {
        method: call.method ?? 'GET',
        headers: headersOf(options, call),
        // A redirect would carry the token elsewhere.
        redirect: 'manual',
        signal: call.signal ? AbortSignal.any([call.signal, late]) : late,
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      });
      text = await response.text();
    } catch (cause) {
      call.signal?.throwIfAborted();
      if (late.aborted)
        throw new RagwardenError({
          code: 'client/timeout',
          detail: `ragwarden at ${base} did not answer within ${limitMs} ms. What was asked for may still be done.`,
          cause,
        });
      throw new RagwardenError({
        code: 'server/unreachable',
        detail: `ragwarden does not answer at ${base}. Is it running?`,
        cause,
      });
    }
    if (response.ok && text === '') return undefined;
    const body = parsed(text);
    if (response.ok && body !== undefined) return body;
    throw refusal(response, body, base);
  };
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
  accept: 'application/json',
  ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
  ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
  ...(call.waitSeconds === undefined ? {} : { prefer: `wait=${call.waitSeconds}` }),
  ...(call.idempotencyKey === undefined ? {} : { 'idempotency-key': call.idempotencyKey }),
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
