import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AppError, isAppError, systemCode } from '../errors.ts';
import type { Logger } from '../logging.ts';
import { isOwnHost } from '../own-host.ts';
import { authenticateChallenge, problemOf, requestIdFrom } from '../problem-body.ts';
import { defaultHeaders } from './headers.ts';
import { describePortHolder } from './port-holder.ts';
import type { HttpServer } from './server.ts';

export type ListenOptions = {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** The setting that chose the port, for the error, e.g. `RAGWARDEN_PORT`. */
  readonly setting: string;
  /** What listens, for people, e.g. `the API`. */
  readonly name: string;
};

export type Listening = { readonly url: string; readonly port: number };

/**
 * @throws AppError `listen/port-taken` with the port, the setting and, where it can be seen, the process;
 *   `config/invalid` when the address is not of this machine or the port needs more rights
 */
export async function listen(server: HttpServer, options: ListenOptions): Promise<Listening> {
  try {
    await server.listen({ host: options.host, port: options.port });
  } catch (err) {
    throw await listenError(err, options);
  }
  return listeningAt(server.server.address(), options);
}

export type PlainListener = Listening & { close(): Promise<void> };

/**
 * A listener without routes, for one thing such as the exposition of metrics. It checks `Host` like the API does,
 * answers GET and HEAD only, and shows nothing of what a handler throws.
 * @param options.handler answers the request itself; an AppError it throws becomes a problem
 */
export async function listenPlain(
  options: ListenOptions & {
    readonly log: Logger;
    allowedHosts?(): readonly string[];
    handler(request: IncomingMessage, response: ServerResponse): Promise<void> | void;
  },
): Promise<PlainListener> {
  const server = createServer({ requestTimeout: 30_000, headersTimeout: 15_000 }, (request, response) => {
    for (const [name, value] of Object.entries(defaultHeaders)) response.setHeader(name, value);
    const refused = refusal(request, options.allowedHosts?.() ?? []);
    if (refused) {
      sendRawProblem(response, refused);
      return;
    }
    Promise.resolve()
      .then(() => options.handler(request, response))
      .catch((err: unknown) => {
        const known = isAppError(err);
        if (!known) options.log.error({ err, listener: options.name }, 'request failed unexpectedly');
        if (response.headersSent) response.destroy();
        else sendRawProblem(response, known ? err : new AppError('internal/unexpected', 'The log has more.'));
      });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: options.host, port: options.port }, resolve);
  }).catch(async (err: unknown) => {
    throw await listenError(err, options);
  });
  let closing: Promise<void> | undefined;
  return {
    ...listeningAt(server.address(), options),
    close() {
      closing ??= new Promise<void>((resolve) => {
        const late = setTimeout(() => server.closeAllConnections(), 5_000);
        server.close(() => {
          clearTimeout(late);
          resolve();
        });
        server.closeIdleConnections();
      });
      return closing;
    },
  };
}

function refusal(request: IncomingMessage, allowed: readonly string[]): AppError | undefined {
  if (!isOwnHost(request.headers.host, request.socket.localAddress, allowed))
    return new AppError('request/misdirected', 'Call this server by its address or by a name in `public_hosts`.');
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return new AppError('request/method-not-allowed', 'Here GET, HEAD is offered.');
  return undefined;
}

function sendRawProblem(response: ServerResponse, err: AppError): void {
  if (err.code === 'request/method-not-allowed') response.setHeader('allow', 'GET, HEAD');
  if (err.kind.status === 401) response.setHeader('www-authenticate', authenticateChallenge);
  if (err.retryAfterSeconds !== undefined) response.setHeader('retry-after', String(Math.ceil(err.retryAfterSeconds)));
  response.writeHead(err.kind.status, { 'content-type': 'application/problem+json; charset=utf-8' });
  response.end(JSON.stringify(problemOf(err, '/', requestIdFrom(undefined))));
}

function listeningAt(address: AddressInfo | string | null, options: ListenOptions): Listening {
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  const wild = options.host === '0.0.0.0' || options.host === '::';
  const shown = wild ? '127.0.0.1' : options.host.includes(':') ? `[${options.host}]` : options.host;
  return { url: `http://${shown}:${port}`, port };
}

/** What went wrong with a listener, wherever it was made, in words for the operator. */
export async function listenError(err: unknown, { host, port, setting, name }: ListenOptions): Promise<unknown> {
  const code = systemCode(err);
  if (code === 'EADDRINUSE') {
    const holder = await describePortHolder(port);
    return new AppError(
      'listen/port-taken',
      `Port ${port}, wanted for ${name}, is taken${holder ? ` by ${holder}` : ''}. Stop that, or set ${setting} to another port.`,
      { cause: err, context: { host, port, setting } },
    );
  }
  if (code === 'EACCES')
    return new AppError('config/invalid', `Port ${port} (${setting}) needs more rights than this process has.`, {
      cause: err,
    });
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return new AppError('config/invalid', `${host}, where ${name} should listen, is no address of this machine.`, {
      cause: err,
    });
  return err;
}
