import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { AppError, systemCode } from '../platform/errors.ts';
import type { Admitted } from './admission.ts';
import type { Agents } from './destinations.ts';
import { type Exchange, sinceMs } from './exchange.ts';
import { requestHeaders, responseHeaders } from './headers.ts';
import type { ExchangeReader } from './lens.ts';
import type { Outcome } from './observation.ts';
import type { OverrideValues } from './ports.ts';
import { mendQuery } from './query-overrides.ts';
import { refuse } from './refuse.ts';
import type { GatewaySettings } from './settings.ts';

export type RelayDeps = {
  readonly settings: GatewaySettings;
  readonly agents: Agents;
  /** Marks requests that came through this gateway. */
  readonly via: string;
  readonly now: () => number;
  isTrusted(address: string): boolean;
};

const longestHeadBytes = 64 * 1024;

/**
 * Carries one exchange: the body to the upstream, the answer back, each as it comes and no faster than the other side takes
 * it. Whatever ends early ends both sides, and never so that a half answer looks whole.
 * @param overrides the one exception: then the body, which is small, is taken whole and goes on with what its caller left open
 */
export function relay(
  exchange: Exchange,
  admitted: Admitted,
  reader: ExchangeReader,
  deps: RelayDeps,
  overrides?: OverrideValues,
): void {
  const { request, response } = exchange;
  const { destination, head } = admitted;
  const { settings } = deps;
  const { breaker } = destination;
  const hasBody =
    (request.headers['content-length'] ?? '0') !== '0' || request.headers['transfer-encoding'] !== undefined;
  let upstream: ClientRequest | undefined;
  let connected = false;
  let answer: IncomingMessage | undefined;
  /** Whom the other side waits for. */
  let uploadWaits = false;
  let downloadWaits = false;
  let ended = false;

  const end = (outcome: Outcome, reason: string): void => {
    if (exchange.outcome !== undefined) return;
    exchange.outcome = outcome;
    exchange.reason = reason;
  };

  /** Nothing was sent to the client yet, or else its connection breaks: it must not take what it has for the whole. */
  const fail = (outcome: Outcome, reason: string, problem: AppError): void => {
    if (ended) return;
    end(outcome, reason);
    ended = true;
    clearTimeout(silence);
    upstream?.destroy();
    if (response.headersSent) breakOff(exchange);
    else refuse(request, response, problem);
  };

  const onSilence = (): void => {
    const path = `${destination.id} was silent for too long.`;
    if (answer !== undefined) {
      if (downloadWaits) {
        end('client_gone', 'idle');
        breakOff(exchange);
      } else fail('upstream_broken', 'timeout', new AppError('gateway/upstream-timeout', path));
    } else if (hasBody && !request.complete && !uploadWaits)
      fail('client_error', 'timeout', new AppError('request/timeout', 'The body of the request did not go on.'));
    else fail('upstream_broken', 'timeout', new AppError('gateway/upstream-timeout', path));
  };
  let silence = setTimeout(onSilence, hasBody ? settings.idleTimeoutMs : settings.answerTimeoutMs);
  const awaitWithin = (ms: number): void => {
    clearTimeout(silence);
    silence = setTimeout(onSilence, ms);
  };

  const onAnswer = (from: IncomingMessage): void => {
    if (ended) {
      from.destroy();
      return;
    }
    answer = from;
    awaitWithin(settings.idleTimeoutMs);
    exchange.firstByteMs = sinceMs(exchange);
    const coding = from.headers['transfer-encoding'];
    if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
      fail('upstream_broken', 'coding', broken(destination.id));
      return;
    }
    reader.answer(from.statusCode ?? 0, from.headers);
    from.on('error', () => undefined);
    from.on('close', () => {
      if (!from.complete) fail('upstream_broken', 'half-answer', broken(destination.id));
    });
    try {
      response.sendDate = false;
      response.writeHead(
        from.statusCode ?? 502,
        from.statusMessage ?? '',
        responseHeaders(from, { url: destination.url, prefix: admitted.prefix ?? '' }),
      );
    } catch (err) {
      fail('upstream_broken', systemCode(err) ?? 'head', broken(destination.id));
      return;
    }
    // The head goes out with the first bytes of the body when they are here already, else at once.
    let flushed = false;
    setImmediate(() => {
      if (!flushed && !ended && !response.writableEnded) response.flushHeaders();
    });
    from.on('data', (chunk: Buffer) => {
      flushed = true;
      exchange.responseBytes += chunk.length;
      reader.response(chunk, sinceMs(exchange));
      silence.refresh();
      if (response.write(chunk)) return;
      downloadWaits = true;
      from.pause();
    });
    from.on('end', () => {
      if (ended || !from.complete) return;
      exchange.whole = true;
      clearTimeout(silence);
      response.end();
      if (!request.complete) giveUpReading(request);
    });
  };

  const onError = (err: Error): void => {
    if (ended || answer !== undefined) return;
    const code = systemCode(err) ?? 'failed';
    if (!connected) {
      breaker.failed(deps.now());
      fail('upstream_unreachable', code, unreachable(destination.id, breaker.retryInMs(deps.now())));
      return;
    }
    if (upstream?.reusedSocket && !hasBody && !retried && (head.method === 'GET' || head.method === 'HEAD')) {
      // The other side had closed the kept connection at the very moment in which it was used again.
      retried = true;
      send(true);
      return;
    }
    breaker.unknown();
    fail('upstream_broken', code, broken(destination.id));
  };
  let retried = false;

  /** @param mended the whole body, in place of the one that came */
  const send = (fresh: boolean, mended?: Buffer): void => {
    connected = false;
    const { isTrusted, agents } = deps;
    const sending = (destination.secure ? httpsRequest : httpRequest)({
      agent: fresh ? agents.fresh(destination) : agents.of(destination),
      host: destination.hostname,
      port: destination.port,
      method: head.method,
      path: `${destination.basePath}${head.path}${head.query === '' ? '' : `?${head.query}`}`,
      headers: requestHeaders(request, {
        host: destination.host,
        via: deps.via,
        prefix: admitted.prefix,
        trusted: isTrusted(request.socket.remoteAddress ?? ''),
        tellsClient: admitted.door === 'backend',
        ...(mended === undefined
          ? { drop: admitted.drop, add: admitted.add }
          : {
              drop: new Set([...admitted.drop, 'content-length']),
              add: [...admitted.add, 'Content-Length', String(mended.length)],
            }),
      }),
      setHost: false,
      // The one clock of this exchange is above.
      timeout: 0,
      maxHeaderSize: longestHeadBytes,
      insecureHTTPParser: false,
    });
    upstream = sending;
    sending.on('socket', (socket: Socket) => {
      if (!socket.connecting) {
        connected = true;
        breaker.connected();
        return;
      }
      const late = setTimeout(() => {
        const err: NodeJS.ErrnoException = new Error('no connection came about in time');
        err.code = 'ETIMEDOUT';
        sending.destroy(err);
      }, settings.connectTimeoutMs);
      socket.once('close', () => clearTimeout(late));
      socket.once(destination.secure ? 'secureConnect' : 'connect', () => {
        clearTimeout(late);
        connected = true;
        breaker.connected();
      });
    });
    sending.on('response', onAnswer);
    sending.on('error', onError);
    sending.on('drain', () => {
      if (!uploadWaits) return;
      uploadWaits = false;
      silence.refresh();
      request.resume();
    });
    if (!hasBody) sending.end();
  };

  response.on('drain', () => {
    if (!downloadWaits) return;
    downloadWaits = false;
    silence.refresh();
    answer?.resume();
  });
  exchange.closed = () => {
    clearTimeout(silence);
    if (!connected) breaker.unknown();
    if (!exchange.whole || !response.writableFinished) {
      end('client_gone', 'closed');
      ended = true;
    }
    if (!exchange.whole) upstream?.destroy();
  };
  exchange.cut = () => {
    ended = true;
    upstream?.destroy();
    breakOff(exchange);
  };
  // A body that something is added to is sent once it is there, with its new length.
  const gathered: Buffer[] | undefined = overrides === undefined ? undefined : [];
  if (gathered === undefined) send(false);

  if (!hasBody) return;
  request.on('data', (chunk: Buffer) => {
    if (ended || exchange.whole) return;
    exchange.requestBytes += chunk.length;
    if (exchange.requestBytes > settings.maxBodyBytes) {
      fail(
        'client_error',
        'too-large',
        new AppError('request/too-large', `The body is larger than ${settings.maxBodyBytes} bytes.`),
      );
      return;
    }
    silence.refresh();
    if (gathered !== undefined) {
      gathered.push(chunk);
      return;
    }
    reader.request(chunk);
    if (upstream?.write(chunk) !== false) return;
    uploadWaits = true;
    request.pause();
  });
  request.on('end', () => {
    if (ended || exchange.whole) return;
    if (answer === undefined) awaitWithin(settings.answerTimeoutMs);
    if (gathered !== undefined && overrides !== undefined) {
      const body = Buffer.concat(gathered);
      const mended = mendQuery(body, overrides);
      exchange.added = mended?.added ?? [];
      reader.request(mended?.body ?? body);
      send(false, mended?.body);
      upstream?.write(mended?.body ?? body);
    }
    upstream?.end();
  });
  request.on('error', () => undefined);
}

/** The upstream answered without waiting for the body; what still comes of it is not worth a connection. */
function giveUpReading(request: IncomingMessage): void {
  const late = setTimeout(() => request.socket.destroy(), 2_000);
  request.on('close', () => clearTimeout(late));
  request.on('end', () => clearTimeout(late));
  request.resume();
}

/** The client sees that its answer broke off. A close would look like the end of an answer to who speaks HTTP/1.0. */
function breakOff({ request, response }: Exchange): void {
  if (request.httpVersion === '1.0') request.socket.resetAndDestroy();
  else response.destroy();
}

const broken = (id: string): AppError =>
  new AppError('gateway/upstream-broken', `${id} broke off, or answered what is no HTTP.`);

export const unreachable = (id: string, retryInMs: number): AppError =>
  new AppError(
    'gateway/upstream-unreachable',
    `${id} cannot be reached. \`ragwarden status\` shows what is known of it.`,
    {
      retryAfterSeconds: Math.max(1, retryInMs / 1_000),
    },
  );
