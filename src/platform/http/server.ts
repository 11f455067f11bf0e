import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
  type FastifyServerOptions,
  fastify,
  type RawServerDefault,
} from 'fastify';
import {
  type FastifyPluginAsyncZod,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import type { Clock } from '../clock.ts';
import { withCorrelation } from '../correlation.ts';
import { AppError, isAppError } from '../errors.ts';
import type { Logger } from '../logging.ts';
import { isOwnHost } from '../own-host.ts';
import { problemOf, requestIdFrom } from '../problem-body.ts';
import { type AccessClass, decideAccess, type Principal } from './access-class.ts';
import { tagAnswer } from './etag.ts';
import { takeHeadAsGet } from './head.ts';
import { defaultHeaders } from './headers.ts';
import { readableJson } from './json.ts';
import { appErrorOf, pathOf, refuseUndescribed, sendProblem } from './problem.ts';
import type { RouteEntry } from './route-description.ts';

export type HttpServer = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** A slice's routes: zod schemas for what comes in and what goes out, `config.access` on each. */
export type RoutePlugin = FastifyPluginAsyncZod;

export type ResponseFacts = {
  readonly method: string;
  /** The pattern, never the path itself, so that labels stay few; `unmatched` when no route answers. */
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
};

export type HttpServerOptions = {
  readonly log: Logger;
  readonly clock: Clock;
  /**
   * Undefined: no credentials came with the request.
   * @throws AppError `access/…` when they are wrong
   */
  authenticate(request: FastifyRequest): Promise<Principal | undefined>;
  /** Names besides loopback and the address that was called; read at every request. */
  allowedHosts(): readonly string[];
  onResponse?(facts: ResponseFacts): void;
  readonly bodyLimitBytes?: number;
  /** Addresses or ranges whose `X-Forwarded-*` headers count; none by default. */
  readonly trustedProxies?: readonly string[];
  /** How long a request may take to arrive whole; its headers half a minute at most. */
  readonly requestTimeoutMs?: number;
  /** Event streams that may be open at once. */
  readonly maxStreams?: number;
  /** How long open requests may go on after `close()` was called. */
  readonly closeGraceMs?: number;
};

declare module 'fastify' {
  interface FastifyInstance {
    /** Every route that was registered; HEAD is answered by that of GET. */
    routeTable: RouteEntry[];
    /** Ends what would never end by itself (event streams) when the server closes. */
    openStreams: Set<() => void>;
    maxStreams: number;
    /**
     * Whether whoever opened a stream may still have it: the request is asked for its credentials again. Without an
     * answer (the store, the issuer of a token) there is no verdict, and what is open stays open.
     */
    stillAllowed(request: FastifyRequest): Promise<boolean>;
    /** Has every open stream ask that now, instead of at its next heartbeat. */
    recheckStreams(): void;
    streamChecks: Set<() => void>;
  }
}

const decisionErrors = {
  unauthenticated: {
    code: 'access/unauthenticated',
    detail: 'Send a token as `Authorization: Bearer …`, or log in.',
  },
  forbidden: {
    code: 'access/forbidden',
    detail: 'These credentials are valid but their role does not allow this.',
  },
} as const;

/** The schemas are zod's: without this the framework loads two compilers of JSON schemas that nobody would ask. */
const zodAlone = {
  compilersFactory: { buildValidator: () => validatorCompiler, buildSerializer: () => serializerCompiler },
} as unknown as FastifyServerOptions['schemaController'];

/** The framework calls a body that was not sent null; the schemas call what may be left out optional. */
const compileValidator: typeof validatorCompiler = (route) => {
  const validate = validatorCompiler(route);
  return route.httpPart === 'body' ? (body) => validate(body ?? undefined) : validate;
};

/** The API's server: who may call, what is refused before a handler runs, and how errors look, decided in one place. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { log } = options;
  const proxies = options.trustedProxies ?? [];
  const app = fastify({
    logger: false,
    bodyLimit: options.bodyLimitBytes ?? 1024 * 1024,
    genReqId: (raw) => requestIdFrom(raw.headers['x-request-id']),
    trustProxy: proxies.length > 0 ? [...proxies] : false,
    requestTimeout: options.requestTimeoutMs ?? 60_000,
    keepAliveTimeout: 65_000,
    forceCloseConnections: 'idle',
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    schemaController: zodAlone,
    exposeHeadRoutes: false,
    rewriteUrl: (raw) => {
      takeHeadAsGet(raw);
      return raw.url ?? '/';
    },
    // A long id gets the same clear answer as a wrong one: the route's schema judges it.
    routerOptions: { maxParamLength: 16_384 },
    http: {
      headersTimeout: Math.min(30_000, options.requestTimeoutMs ?? 60_000),
      // Late requests are looked for this often, so that is how late they may be.
      connectionsCheckingInterval: Math.min(5_000, options.requestTimeoutMs ?? 60_000),
    },
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (err, request, reply) => {
      for (const [name, value] of Object.entries(defaultHeaders)) reply.header(name, value);
      reply.header('x-request-id', request.id);
      sendProblem(log, err, request, reply);
    },
  }).withTypeProvider<ZodTypeProvider>();

  app.setValidatorCompiler(compileValidator);
  app.setSerializerCompiler(serializerCompiler);
  app.decorate('routeTable', []);
  app.decorate('openStreams', new Set<() => void>());
  app.decorate('maxStreams', options.maxStreams ?? 200);
  app.decorate('streamChecks', new Set<() => void>());
  app.decorate('recheckStreams', () => {
    for (const check of [...app.streamChecks]) check();
  });
  app.decorate('stillAllowed', async (request) => {
    try {
      const principal = await options.authenticate(request);
      return decideAccess(accessOf(request), principal) === 'allowed';
    } catch (err) {
      return !(isAppError(err) && err.code.startsWith('access/') && err.kind.status < 500);
    }
  });
  app.decorateRequest('principal', undefined);
  readJsonOnly(app);

  app.addHook('onRoute', (route) => {
    const { access, headers, problems = [] } = route.config ?? {};
    if (access === undefined)
      throw new Error(`${String(route.method)} ${route.url} does not say who may call it (config.access)`);
    for (const method of [route.method].flat())
      app.routeTable.push({ method, url: route.url, access, schema: route.schema ?? {}, headers, problems });
  });

  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    if (!isPlainRequest(request.raw))
      throw new AppError('request/unreadable', 'Send a path and exactly one Host; this server is no proxy.');
    if (!isOwnHost(request.host, request.socket.localAddress, options.allowedHosts()))
      throw new AppError(
        'request/misdirected',
        'Call this server by its address or by a name in `public_hosts` (RAGWARDEN_PUBLIC_HOSTS).',
      );
    if (request.is404) return;
    await admit(request, options);
    refuseUnheededIfMatch(request);
  });

  // After the body was read, whose events come from elsewhere: what the handler begins belongs to this request.
  app.addHook('preHandler', (request, _reply, done) => {
    withCorrelation({ id: request.id, actor: request.principal?.subject }, done);
  });

  app.addHook('preSerialization', async (request, reply, payload) => {
    refuseUndescribed(request, reply);
    return payload;
  });

  app.addHook('onSend', async (request, reply, payload) => {
    for (const [name, value] of Object.entries(defaultHeaders)) if (!reply.hasHeader(name)) reply.header(name, value);
    return tagAnswer(request, reply, payload);
  });

  const observe = options.onResponse;
  if (observe)
    app.addHook('onResponse', async (request, reply) => {
      const route = request.is404 ? 'unmatched' : (request.routeOptions.url ?? 'unmatched');
      observe({ method: request.method, route, status: reply.statusCode, durationMs: reply.elapsedTime });
    });

  app.setErrorHandler((err, request, reply) => sendProblem(log, err, request, reply));
  app.setNotFoundHandler(async (request, reply) => {
    const methods = methodsAt(app.routeTable, pathOf(request.url));
    if (methods.length > 0 && request.method === 'OPTIONS')
      // What may be asked here, and nothing for pages of elsewhere: no CORS header, so a browser keeps them out.
      return reply
        .code(204)
        .header('allow', ['OPTIONS', ...methods].sort().join(', '))
        .send();
    if (methods.length === 0)
      throw new AppError('request/not-found', `There is no ${request.method} ${pathOf(request.url)}.`);
    reply.header('allow', methods.join(', '));
    throw new AppError('request/method-not-allowed', `Here ${methods.join(', ')} is offered.`);
  });

  app.addHook('preClose', async () => {
    for (const end of [...app.openStreams]) end();
    const late = setTimeout(() => app.server.closeAllConnections(), options.closeGraceMs ?? 5_000);
    app.server.once('close', () => clearTimeout(late));
    late.unref();
  });
  return app;
}

/**
 * Whoever sends `If-Match` relies on it; where nothing has an `ETag`, none can match (RFC 9110 13.1.1). Passing it over would let one
 * change go over another in silence.
 */
function refuseUnheededIfMatch({ method, headers, routeOptions }: FastifyRequest): void {
  const wanted = headers['if-match'];
  if (wanted === undefined || wanted.trim() === '*' || safeMethods.has(method)) return;
  const heeds =
    routeOptions.config.headers?.includes('if-match') ?? '412' in ((routeOptions.schema?.response ?? {}) as object);
  if (!heeds)
    throw new AppError(
      'request/precondition-failed',
      'Nothing here has an `ETag`, so `If-Match` cannot be heeded. Send the change without it.',
    );
}

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** RFC 9112: more than one Host is an error, and only a proxy takes a whole URL, which would speak of another host. */
function isPlainRequest(raw: IncomingMessage): boolean {
  const hosts = raw.rawHeaders.filter((name, i) => i % 2 === 0 && name.length === 4 && name.toLowerCase() === 'host');
  // A fragment never goes over the wire (RFC 9112 3.2.1); routers disagree on where such a path ends.
  return raw.url?.startsWith('/') === true && !raw.url.includes('#') && hosts.length <= 1;
}

const accessOf = (request: FastifyRequest): AccessClass => request.routeOptions.config.access ?? 'admin';

async function admit(request: FastifyRequest, options: HttpServerOptions): Promise<void> {
  const access = accessOf(request);
  try {
    request.principal = await options.authenticate(request);
  } catch (err) {
    // A public page shows itself as to a stranger when the cookie has expired, or when nobody can tell just now whose it is.
    const unknown = isAppError(err) && (err.code.startsWith('access/') || err.code === 'storage/unavailable');
    if (access !== 'public' || !unknown) throw err;
  }
  const decision = decideAccess(access, request.principal);
  if (decision !== 'allowed') throw new AppError(decisionErrors[decision].code, decisionErrors[decision].detail);
}

/** Only JSON is read; a route that takes something else adds its own parser inside its plugin. */
function readJsonOnly(app: HttpServer): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    let text: string;
    try {
      text = readableJson(body as Buffer);
    } catch (err) {
      done(err as AppError);
      return;
    }
    if (text === '') done(null, undefined);
    else parse(request, text, done);
  });
}

/** The methods registered for patterns that match this path. */
function methodsAt(table: readonly RouteEntry[], path: string): string[] {
  const methods = new Set<string>();
  for (const route of table) {
    const pattern = route.url
      .split('/')
      .map((part) =>
        part === '*' ? '.*' : part.startsWith(':') ? '[^/]+' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'),
      )
      .join('/');
    if (!new RegExp(`^${pattern}$`).test(path)) continue;
    methods.add(route.method);
    if (route.method === 'GET') methods.add('HEAD');
  }
  return [...methods].sort();
}

/** What the parser refuses never becomes a request: the answer goes straight to the socket. */
function answerBrokenRequest(err: Error & { code?: string }, socket: Socket): void {
  if (err.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const broken =
    err.code === 'HPE_HEADER_OVERFLOW'
      ? new AppError('request/headers-too-large', 'Send fewer or shorter headers.')
      : err.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? new AppError('request/timeout', 'The request did not arrive in time.')
        : new AppError('request/unreadable', 'This is not a valid HTTP request.');
  const problem = problemOf(appErrorOf(broken), '/', requestIdFrom(undefined));
  const body = JSON.stringify(problem);
  const headers = Object.entries({
    ...defaultHeaders,
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    'x-request-id': problem.request_id,
    connection: 'close',
  });
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.title}\r\n${headers.map(([name, value]) => `${name}: ${value}`).join('\r\n')}\r\n\r\n${body}`,
  );
}
