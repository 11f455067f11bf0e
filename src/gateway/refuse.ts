import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../platform/errors.ts';
import { authenticateChallenge, problemOf, requestIdFrom } from '../platform/problem-body.ts';

/** What is still read of a body that nobody wants, so that the caller gets to see the answer. */
const unwantedBytes = 1024 * 1024;
const unwantedMs = 2_000;

/** Answers with a problem of ours. What is left of the body is thrown away, up to a bound; then the connection is closed. */
export function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  err: AppError,
  headers: Readonly<Record<string, string>> = {},
): void {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  const body = Buffer.from(JSON.stringify(problemOf(err, path, requestIdFrom(request.headers['x-request-id']))));
  if (err.kind.status === 401) response.setHeader('www-authenticate', authenticateChallenge);
  if (err.retryAfterSeconds !== undefined) response.setHeader('retry-after', String(Math.ceil(err.retryAfterSeconds)));
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  const unread = !request.complete;
  if (unread) response.shouldKeepAlive = false;
  response.writeHead(err.kind.status, {
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': body.length,
    'cache-control': 'no-store',
  });
  const text = request.method === 'HEAD' ? '' : body;
  if (!unread) {
    response.end(text);
    return;
  }
  // Closed with something unread, the connection would be reset, and the caller might never see why.
  response.write(text);
  readOn(request, () => response.end());
}

function readOn(request: IncomingMessage, enough: () => void): void {
  let left = unwantedBytes;
  const late = setTimeout(enough, unwantedMs);
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) enough();
  });
  request.on('end', enough);
  request.resume();
  request.on('error', () => undefined);
  request.on('close', () => {
    clearTimeout(late);
    enough();
  });
}

/** For what is no request at all: there is no response object to write to. */
export function rawProblem(err: AppError): string {
  const body = JSON.stringify(problemOf(err, '/', requestIdFrom(undefined)));
  return [
    `HTTP/1.1 ${err.kind.status} ${err.kind.title}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}

/** What Node's parser or its clocks refused. */
export function unreadable(err: Error & { code?: string }): AppError {
  if (err.code === 'HPE_HEADER_OVERFLOW')
    return new AppError('request/headers-too-large', 'Send fewer or shorter headers.');
  if (err.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new AppError('request/timeout', 'The headers of the request did not arrive in time.');
  return new AppError('request/unreadable', 'This is no HTTP/1.1 request that can be read in one way only.');
}
