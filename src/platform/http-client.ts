import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import askVia from 'undici/lib/api/api-request.js';
import errors from 'undici/lib/core/errors.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import { AppError, isAppError, systemCode } from './errors.ts';
import { decideAddress, isOwnAddress } from './outgoing-address.ts';

export type OutgoingRequest = {
  /** http or https, without credentials in it. */
  readonly url: string;
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** For everything: connecting, waiting and reading the answer. */
  readonly timeoutMs: number;
  /** The longest silence, until the answer begins and between two pieces of it; left out: `timeoutMs`. For what is long and may be slow. */
  readonly silenceMs?: number;
  /** A larger answer is an error. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal;
};

export type HttpResponse = {
  readonly status: number;
  /** Names in lower case; several values of one name are joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
  text(): string;
  /** @throws SyntaxError when the body is not JSON */
  json(): unknown;
};

export type HttpRequester = {
  /**
   * Any status is an answer; redirects are not followed.
   * @throws AppError `outgoing/timeout`, `outgoing/failed`, `outgoing/refused-address`; the signal's reason when it aborts
   */
  request(request: OutgoingRequest): Promise<HttpResponse>;
};

/** A request or an answer too large for memory. */
export type StreamedRequest = Omit<OutgoingRequest, 'body' | 'timeoutMs' | 'maxBytes'> & {
  /** Sent as it comes; name its length in the header `content-length` where it is known. */
  readonly body?: string | AsyncIterable<Uint8Array>;
  /** The longest silence: until the answer begins, and between two pieces of it. */
  readonly silenceMs: number;
};

export type StreamedResponse = {
  readonly status: number;
  /** To be read to its end or left early; errors in the middle are those of `request`. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Of an answer that is short. */
  text(maxBytes: number): Promise<string>;
};

export type HttpClient = HttpRequester & {
  /** As `request`, for places that the settings name. @throws as `request` */
  stream(request: StreamedRequest): Promise<StreamedResponse>;
  /**
   * For URLs that came over the API: the name is resolved once and the resolved address dialled; link-local, metadata and
   * our own listeners are refused, private ranges unless allowed.
   */
  forUntrusted(options: { allowPrivate: boolean }): HttpRequester & {
    /**
     * The address behind a name that will be dialled, for what is no HTTP, or to refuse it before it is kept.
     * @throws AppError `outgoing/refused-address`, `outgoing/failed` when it cannot be resolved
     */
    admit(host: string, port: number): Promise<string>;
  };
  /** Ends every connection; requests under way fail. */
  close(): Promise<void>;
};

export type HttpClientOptions = {
  /** Ports of this process's listeners, which nobody may make us call. */
  readonly ownPorts?: () => readonly number[];
  /** All addresses of a name; replaced in tests. */
  readonly resolve?: (name: string) => Promise<readonly string[]>;
};

const connectTimeoutMs = 10_000;

/** The one way out: every outgoing HTTP call is bounded in time and size here. */
export function createHttpClient(options: HttpClientOptions = {}): HttpClient {
  const resolve = options.resolve ?? systemResolve;
  // Shorter than the usual 5 s of Python servers, so that a connection is rarely used just as the other side drops it.
  const agent = new Agent({ connections: 16, keepAliveTimeout: 4_000, connect: { timeout: connectTimeoutMs } });

  return {
    request: async (request) => send(agent, parseUrl(request.url), request),
    stream: (request) => sendStream(agent, parseUrl(request.url), request),
    forUntrusted: ({ allowPrivate }) => ({
      admit: (host, port) =>
        admittedAddress(host, port, { allowPrivate, resolve, ownPorts: options.ownPorts?.() ?? [] }),
      async request(request) {
        const url = parseUrl(request.url);
        const ownPorts = options.ownPorts?.() ?? [];
        const address = await admittedAddress(url.hostname, portOf(url), { allowPrivate, resolve, ownPorts });
        const pinned = pinnedAgent(address);
        try {
          return await send(pinned, url, request);
        } finally {
          await pinned.destroy();
        }
      },
    }),
    close: () => agent.destroy(),
  };
}

const systemResolve = async (name: string): Promise<readonly string[]> =>
  (await lookup(name, { all: true })).map((entry) => entry.address);

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new AppError('outgoing/refused-address', 'Only http:// and https:// URLs are called.');
  if (url.username !== '' || url.password !== '')
    throw new AppError('outgoing/refused-address', 'Credentials do not belong into a URL; use a header.');
  return url;
}

const portOf = (url: URL): number => Number(url.port || (url.protocol === 'https:' ? 443 : 80));

/** The one address that will be dialled. Every address of the name must be acceptable, not only the first. */
async function admittedAddress(
  host: string,
  port: number,
  rules: {
    allowPrivate: boolean;
    ownPorts: readonly number[];
    resolve: (name: string) => Promise<readonly string[]>;
  },
): Promise<string> {
  const name = host.replace(/^\[|\]$/g, '');
  const addresses =
    isIP(name) === 0 ? await rules.resolve(name).catch((err: unknown) => refuseUnresolved(name, err)) : [name];
  for (const address of addresses) {
    const decision = decideAddress(address);
    if (decision === 'never')
      throw new AppError('outgoing/refused-address', `${name} is a link-local, metadata or reserved address.`);
    if (rules.ownPorts.includes(port) && isOwnAddress(address))
      throw new AppError('outgoing/refused-address', `${host}:${port} is a listener of ragwarden itself.`);
    if (decision === 'private' && !rules.allowPrivate)
      throw new AppError('outgoing/refused-address', `${name} lies in a private range, which is not allowed here.`);
  }
  const [first] = addresses;
  return first ?? refuseUnresolved(name, undefined);
}

function refuseUnresolved(name: string, cause: unknown): never {
  throw new AppError('outgoing/failed', `${name} cannot be resolved.`, { cause });
}

function pinnedAgent(address: string): Dispatcher {
  const family = isIP(address);
  return new Agent({
    connect: {
      timeout: connectTimeoutMs,
      lookup: (_name, wanted, done) => (wanted.all ? done(null, [{ address, family }]) : done(null, address, family)),
    },
  });
}

async function send(dispatcher: Dispatcher, url: URL, request: OutgoingRequest): Promise<HttpResponse> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), request.timeoutMs);
  const signal = request.signal ? AbortSignal.any([request.signal, deadline.signal]) : deadline.signal;
  try {
    request.signal?.throwIfAborted();
    const method = request.method ?? 'GET';
    const attempt = (): Promise<HttpResponse> => attemptOnce(dispatcher, url, method, request, signal);
    return await attempt().catch((err: unknown) => {
      // A kept connection may be closed by the other side at the very moment it is used again.
      if (isDroppedConnection(err) && (method === 'GET' || method === 'HEAD') && !signal.aborted) return attempt();
      throw err;
    });
  } catch (err) {
    if (request.signal?.aborted) throw request.signal.reason;
    const late = deadline.signal.aborted;
    throw outgoingError(err, url, late, late ? request.timeoutMs : (request.silenceMs ?? request.timeoutMs));
  } finally {
    clearTimeout(timer);
  }
}

async function attemptOnce(
  dispatcher: Dispatcher,
  url: URL,
  method: NonNullable<OutgoingRequest['method']>,
  request: OutgoingRequest,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const answer = await askVia.call(dispatcher, {
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method,
    headers: { 'user-agent': 'ragwarden', ...request.headers },
    body: request.body ?? null,
    signal,
    headersTimeout: request.silenceMs ?? request.timeoutMs,
    bodyTimeout: request.silenceMs ?? request.timeoutMs,
  });
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer.body) {
    const bytes: Buffer = Buffer.from(chunk);
    length += bytes.length;
    if (length > request.maxBytes)
      throw new AppError('outgoing/failed', `${url.origin} sent more than ${request.maxBytes} bytes.`);
    chunks.push(bytes);
  }
  const bytes = Buffer.concat(chunks);
  return {
    status: answer.statusCode,
    headers: Object.fromEntries(
      Object.entries(answer.headers).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
      ),
    ),
    bytes,
    text: () => bytes.toString('utf8'),
    json: () => JSON.parse(bytes.toString('utf8')),
  };
}

async function sendStream(dispatcher: Dispatcher, url: URL, request: StreamedRequest): Promise<StreamedResponse> {
  const told = (err: unknown): unknown =>
    request.signal?.aborted ? request.signal.reason : outgoingError(err, url, false, request.silenceMs);
  request.signal?.throwIfAborted();
  const answer = await askVia
    .call(dispatcher, {
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: request.method ?? 'GET',
      headers: { 'user-agent': 'ragwarden', ...request.headers },
      body:
        request.body === undefined || typeof request.body === 'string'
          ? (request.body ?? null)
          : Readable.from(request.body, { objectMode: false }),
      signal: request.signal ?? null,
      headersTimeout: request.silenceMs,
      bodyTimeout: request.silenceMs,
    })
    .catch((err: unknown) => Promise.reject(told(err)));
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of answer.body) yield chunk;
    } catch (err) {
      throw told(err);
    }
  };
  return {
    status: answer.statusCode,
    body: { [Symbol.asyncIterator]: pieces },
    async text(maxBytes) {
      const chunks: Uint8Array[] = [];
      let length = 0;
      for await (const chunk of pieces()) {
        length += chunk.length;
        if (length > maxBytes) throw new AppError('outgoing/failed', `${url.origin} sent more than ${maxBytes} bytes.`);
        chunks.push(chunk);
      }
      return Buffer.concat(chunks).toString('utf8');
    },
  };
}

const isDroppedConnection = (err: unknown): boolean =>
  err instanceof errors.SocketError || systemCode(err) === 'ECONNRESET' || systemCode(err) === 'EPIPE';

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name cannot be resolved at present',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
  ECONNRESET: 'the connection was reset',
  UND_ERR_SOCKET: 'the connection was closed',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is self-signed',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate cannot be verified',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
};

/** Names the origin only: path and query may hold secrets of others. */
function outgoingError(err: unknown, url: URL, timedOut: boolean, timeoutMs: number): unknown {
  if (isAppError(err)) return err;
  const late =
    timedOut ||
    err instanceof errors.ConnectTimeoutError ||
    err instanceof errors.HeadersTimeoutError ||
    err instanceof errors.BodyTimeoutError;
  if (late)
    return new AppError('outgoing/timeout', `${url.origin} did not answer within ${timeoutMs} ms.`, { cause: err });
  const code = systemCode(err) ?? systemCode(firstOf(err));
  const reason =
    reasons[code ?? ''] ??
    (err instanceof errors.HTTPParserError ? 'its answer is no HTTP' : `the call failed (${code ?? 'unknown'})`);
  return new AppError('outgoing/failed', `${url.origin} could not be reached: ${reason}.`, { cause: err });
}

/** A name with several addresses fails with one error per address. */
const firstOf = (err: unknown): unknown => (err instanceof AggregateError ? err.errors[0] : undefined);
