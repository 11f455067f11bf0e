import type { IncomingMessage } from 'node:http';
import { AppError } from '../platform/errors.ts';
import { isOwnHost } from '../platform/own-host.ts';
import { canonicalTarget } from './canonical-path.ts';
import { type Credentials, readCredentials } from './credentials.ts';
import type { Destination, Table } from './destinations.ts';
import { findRoute } from './find-route.ts';
import { findAmbiguousHeader, workspaceHeader } from './headers.ts';
import type { RequestHead, RouteReading } from './lens.ts';
import type { GatewayKey } from './ports.ts';
import type { GatewaySettings } from './settings.ts';
import { isLoopback, plainAddress } from './trusted-proxies.ts';

/** A request that may be forwarded, and what it is. */
export type Admitted = {
  readonly door: 'backend' | 'llm';
  readonly destination: Destination;
  readonly targetId: string | null;
  readonly workspace: string | null;
  /** Taken off the path; null when there was none. */
  readonly prefix: string | null;
  readonly key: GatewayKey | undefined;
  readonly head: RequestHead;
  readonly route: RouteReading;
  /** Headers of the caller that end here. */
  readonly drop: ReadonlySet<string>;
  readonly add: readonly string[];
};

/** What goes with a refusal into the observation. */
export class Refused extends Error {
  readonly problem: AppError;
  readonly outcome: 'refused_route' | 'refused_key';
  constructor(problem: AppError, outcome: Refused['outcome'] = 'refused_route') {
    super(problem.message);
    this.problem = problem;
    this.outcome = outcome;
  }
}

const refusedMethods = new Set(['CONNECT', 'TRACE', 'TRACK']);
/** Node keeps all of them within the bound of their bytes; this many lines are no request of anybody. */
const mostHeaders = 200;

/**
 * Decides from the head of a request alone where it goes and with what.
 * @throws Refused
 */
export function admit(
  request: IncomingMessage,
  table: Table,
  settings: Pick<GatewaySettings, 'publicHosts' | 'requireKey' | 'maxBodyBytes'>,
  nowMs: number,
): Admitted {
  const { headers, rawHeaders } = request;
  const method = request.method ?? '';
  if (rawHeaders.length > mostHeaders * 2)
    throw refused('request/headers-too-large', `Send at most ${mostHeaders} headers.`);
  if (headers.upgrade !== undefined || refusedMethods.has(method))
    throw refused('request/method-not-allowed', 'Upgrades, CONNECT and TRACE are not offered here; speak HTTP/1.1.');
  const ambiguous = findAmbiguousHeader(rawHeaders);
  if (ambiguous !== undefined)
    throw refused('request/unreadable', `The header ${ambiguous} may be there once, and in its own spelling.`);
  if (headers.host === undefined) throw refused('request/unreadable', 'Send a `Host` header.');
  if ((headers['transfer-encoding'] ?? 'chunked').toLowerCase() !== 'chunked')
    throw refused('request/unreadable', '`Transfer-Encoding` may only be `chunked`.');
  const target = canonicalTarget(request.url ?? '');
  if (!target.ok) throw refused('request/unreadable', target.complaint);
  const allowed = settings.publicHosts;
  if (
    !isOwnHost(headers.host, request.socket.localAddress, allowed) &&
    !table.state.upstreams.some(({ hosts }) => hosts.length > 0 && isOwnHost(headers.host, undefined, hosts))
  )
    throw refused('request/misdirected', 'Call the gateway by its address or by a name in `server.public_hosts`.');
  if (Number(headers['content-length'] ?? 0) > settings.maxBodyBytes)
    throw refused('request/too-large', `The body is larger than ${settings.maxBodyBytes} bytes.`);

  const credentials = credentialsOf(request, table, nowMs);
  if (settings.requireKey && credentials.key === undefined)
    throw new Refused(
      new AppError('access/unauthenticated', 'Send a key of the gateway. `ragwarden key create` makes one.'),
      'refused_key',
    );
  const said = headers[workspaceHeader];
  const { key } = credentials;
  const found = findRoute(table.state, {
    path: target.path,
    host: headers.host,
    workspace: typeof said === 'string' ? said : undefined,
    key,
  });
  if (found.door === 'refused') throw refused(found.code, found.detail);
  const destination = table.of(found);
  const head: RequestHead = { method, path: found.path, query: target.query, headers };
  const route = destination.lens.classify(head);
  const drop = new Set(credentials.consumed);
  const add: string[] = [];
  const mayUse = key !== undefined || (found.door === 'llm' && isLocalProgram(request, credentials));
  const [injected, secret] = destination.keyHeader;
  if (mayUse && injected !== undefined && secret !== undefined) {
    drop.add(injected.toLowerCase());
    add.push(injected, secret);
  }
  if (found.door === 'backend') {
    const { upstream } = found;
    // A server of one workspace would have none of a name that it does not know.
    if (destination.sharesAddress) {
      drop.add(workspaceHeader);
      add.push('LIGHTRAG-WORKSPACE', upstream.workspace);
    }
    const prefix = found.path === target.path ? null : upstream.pathPrefix;
    return {
      door: 'backend',
      destination,
      targetId: upstream.targetId,
      workspace: upstream.workspace,
      prefix,
      key,
      head,
      route,
      drop,
      add,
    };
  }
  drop.add(workspaceHeader);
  const { upstreams } = table.state;
  const only = upstreams.length === 1 ? upstreams[0] : undefined;
  return {
    door: 'llm',
    destination,
    targetId: key?.targetId ?? only?.targetId ?? null,
    workspace: key?.workspace ?? only?.workspace ?? null,
    prefix: null,
    key,
    head,
    route,
    drop,
    add,
  };
}

const refused = (code: AppError['code'], detail: string): Refused => new Refused(new AppError(code, detail));

function credentialsOf({ headers }: IncomingMessage, table: Table, nowMs: number): Credentials {
  try {
    return readCredentials(headers, table.keys, nowMs);
  } catch (err) {
    if (err instanceof AppError) throw new Refused(err, 'refused_key');
    throw err;
  }
}

/**
 * A program on this machine that brought no credentials of its own may use a provider's key: it could read it as well. A page
 * in a browser on this machine is none, nor is somebody behind a proxy on it.
 */
function isLocalProgram({ headers, socket }: IncomingMessage, { own }: Credentials): boolean {
  const viaProxy = headers['x-forwarded-for'] ?? headers.forwarded ?? headers.via;
  const isPage = headers.origin ?? headers['sec-fetch-site'] ?? headers.referer;
  return !own && viaProxy === undefined && isPage === undefined && isLoopback(plainAddress(socket.remoteAddress));
}
