import type { IncomingMessage } from 'node:http';
import { plainAddress } from './trusted-proxies.ts';

/** Meant for the next hop only (RFC 9110, 7.6.1); whatever `Connection` names is so, too. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What says who is asking and from where: never passed on as it came from somebody who is not trusted. */
const forwardedNames = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-server',
  'x-real-ip',
]);

/** Two of one of these would be read differently by two readers. */
const onlyOnce = new Set([
  'authorization',
  'content-length',
  'host',
  'lightrag-workspace',
  'transfer-encoding',
  'x-api-key',
]);

export const workspaceHeader = 'lightrag-workspace';
/** What a call of a model is for; said to us alone. */
export const roleHeader = 'x-ragwarden-role';
/** Sessions of the dashboard: a browser sends its cookies to every port of a host. */
const ownCookie = /^\s*(?:__Host-)?rw_session=/;

/** The name of a header that is there more than once and must not be; also one that only looks like such a header. */
export function findAmbiguousHeader(raw: readonly string[]): string | undefined {
  let seen: Set<string> | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    const name = (raw[index] ?? '').toLowerCase();
    if (!onlyOnce.has(name)) {
      if (name.includes('_') && onlyOnce.has(name.replaceAll('_', '-'))) return name;
      continue;
    }
    seen ??= new Set();
    if (seen.has(name)) return name;
    seen.add(name);
  }
  return undefined;
}

const usuallyEmpty = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);

/** Names that `Connection` declares to be for this hop; undefined for the usual values. */
function namedByConnection(header: string | undefined): Set<string> | undefined {
  if (header === undefined || header === 'keep-alive' || header === 'close') return undefined;
  return new Set(header.split(',').map((name) => name.trim().toLowerCase()));
}

/** What the gateway knows of a request and tells the upstream in headers. */
export type ForwardedBy = {
  readonly host: string;
  /** Marks in `Via` that a request came through this very gateway. */
  readonly via: string;
  /** Removed from the path before it was forwarded. */
  readonly prefix: string | null;
  readonly trusted: boolean;
  /** A provider elsewhere has no business with the addresses in here. */
  readonly tellsClient: boolean;
  /** Headers of the caller that end here, lower case. */
  readonly drop: ReadonlySet<string>;
  /** Put in, as name and value. */
  readonly add: readonly string[];
};

/** The headers of a request as the upstream gets them: names and values in turn, in the order and spelling of the caller. */
export function requestHeaders(request: IncomingMessage, by: ForwardedBy): string[] {
  const { rawHeaders: raw, headers } = request;
  const out: string[] = ['Host', by.host];
  const named = namedByConnection(headers.connection);
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const value = raw[index + 1] ?? '';
    const lower = name.toLowerCase();
    if (lower === 'host' || lower === 'expect' || lower === 'via' || lower === roleHeader || hopByHop.has(lower))
      continue;
    if (forwardedNames.has(lower) || forwardedNames.has(lower.replaceAll('_', '-'))) {
      if (!by.trusted || !by.tellsClient || lower === 'x-forwarded-for') continue;
    }
    if (by.drop.has(lower) || named?.has(lower)) continue;
    if (lower === 'cookie') {
      const kept = withoutOwnCookies(value);
      if (kept !== '') out.push(name, kept);
      continue;
    }
    out.push(name, value);
  }
  if (headers['transfer-encoding'] !== undefined) out.push('Transfer-Encoding', 'chunked');
  // Or it would be sent as a body in chunks, of which there is none.
  else if (headers['content-length'] === undefined && !usuallyEmpty.has(request.method ?? ''))
    out.push('Content-Length', '0');
  out.push('Via', headers.via === undefined ? `1.1 ${by.via}` : `${headers.via}, 1.1 ${by.via}`);
  if (by.tellsClient) pushForwarded(out, request, by);
  out.push(...by.add);
  return out;
}

function pushForwarded(out: string[], { headers, socket }: IncomingMessage, { trusted, prefix }: ForwardedBy): void {
  const client = plainAddress(socket.remoteAddress);
  const before = trusted ? String(headers['x-forwarded-for'] ?? '') : '';
  out.push('X-Forwarded-For', before === '' ? client : `${before}, ${client}`);
  if (!trusted || headers['x-forwarded-proto'] === undefined) out.push('X-Forwarded-Proto', 'http');
  if (!trusted || headers['x-forwarded-host'] === undefined) out.push('X-Forwarded-Host', headers.host ?? '');
  if (prefix !== null) out.push('X-Forwarded-Prefix', prefix);
}

function withoutOwnCookies(value: string): string {
  if (!value.includes('rw_session=')) return value;
  return value
    .split(';')
    .filter((pair) => !ownCookie.test(pair))
    .join(';')
    .trim();
}

/**
 * The headers of an answer as the client gets them.
 * @param own origin and path of the upstream: a redirect to itself must lead back through here, to `prefix`
 */
export function responseHeaders(answer: IncomingMessage, own: { url: string; prefix: string }): string[] {
  const { rawHeaders: raw } = answer;
  const out: string[] = [];
  let named: Set<string> | undefined;
  for (let index = 0; index < raw.length; index += 2)
    if ((raw[index] ?? '').toLowerCase() === 'connection') named = namedByConnection(raw[index + 1]?.toLowerCase());
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const lower = name.toLowerCase();
    if (hopByHop.has(lower) || named?.has(lower)) continue;
    const value = raw[index + 1] ?? '';
    out.push(name, lower === 'location' ? throughHere(value, own) : value);
  }
  return out;
}

function throughHere(location: string, { url, prefix }: { url: string; prefix: string }): string {
  if (!location.startsWith(url)) return location;
  const rest = location.slice(url.length);
  return rest === '' || /^[/?#]/.test(rest) ? `${prefix}${rest.startsWith('/') ? rest : `/${rest}`}` : location;
}
