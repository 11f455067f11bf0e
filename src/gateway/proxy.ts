import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { AppError } from '../platform/errors.ts';
import { type Admitted, admit, Refused } from './admission.ts';
import type { AskedQuota } from './asked-quota.ts';
import type { BreakerState } from './breaker.ts';
import { createSubjectReader } from './credentials.ts';
import { createAgents, createTable, type Table } from './destinations.ts';
import { type Exchange, observationOf, openExchange, sinceMs } from './exchange.ts';
import type { Reading } from './lens.ts';
import type { Observation, Outcome } from './observation.ts';
import type { GatewayState, QuotaAnswer } from './ports.ts';
import { findOverrides } from './query-overrides.ts';
import { rawProblem, refuse, unreadable } from './refuse.ts';
import { type RelayDeps, relay, unreachable } from './relay.ts';
import type { GatewaySettings } from './settings.ts';
import { plainAddress, trustedProxies } from './trusted-proxies.ts';
import { createWriteGate, type WriteGate } from './write-gate.ts';

export type ProxyStatus = {
  readonly connections: number;
  readonly exchanges: number;
  readonly refusedConnections: number;
  readonly unreadableRequests: number;
  readonly upstreams: readonly { readonly id: string; readonly breaker: BreakerState }[];
  readonly barrier: ReturnType<WriteGate['status']>;
};

/** The proxy itself, in whatever thread it is made: holds connections, reads no store, writes no log. */
export type ReverseProxy = {
  /** @throws the error of `listen`, with its code */
  start(): Promise<{ readonly port: number }>;
  /** Takes over the whole state; exchanges of keys that are gone end now. */
  update(state: GatewayState): void;
  readonly gate: WriteGate;
  status(): ProxyStatus;
  /** Grows with each connection that comes, also with one that is refused. */
  arrivals(): number;
  /** Accepts nothing more, waits for what is under way for `drainMs` at most, then ends it. */
  stop(): Promise<void>;
};

/** What one connection may have under way at a time; a client that sends more without reading is none. */
const mostPipelined = 16;
const expirySweepMs = 1_000;
const keepAliveMs = 65_000;
const longestHeadBytes = 32 * 1024;

export function createProxy(options: {
  settings: GatewaySettings;
  state: GatewayState;
  quota: AskedQuota | undefined;
  observe(observation: Observation): void;
  now?: () => number;
}): ReverseProxy {
  const { settings, quota, observe } = options;
  const now = options.now ?? Date.now;
  let table: Table = createTable(options.state);
  const agents = createAgents();
  const gate = createWriteGate(now);
  const subjectOf = createSubjectReader();
  const active = new Set<Exchange>();
  const perSocket = new WeakMap<Socket, number>();
  /** Connections whose last request was turned away: its answer is whole, whatever still comes. */
  const turnedAway = new WeakSet<Socket>();
  const via = `ragwarden-${randomBytes(4).toString('hex')}`;
  const isTrusted = trustedProxies(settings.trustedProxies);
  const deps: RelayDeps = {
    settings,
    agents,
    via,
    now,
    isTrusted: (address) => isTrusted(plainAddress(address)),
  };
  let arrivals = 0;
  let refusedConnections = 0;
  let unreadableRequests = 0;

  const finish = (exchange: Exchange): void => {
    if (!active.delete(exchange)) return;
    const { admitted, request, reader } = exchange;
    exchange.closed?.();
    perSocket.set(request.socket, (perSocket.get(request.socket) ?? 1) - 1);
    exchange.cut = undefined;
    const totalMs = sinceMs(exchange);
    const tell = (reading: Reading | undefined): void => {
      const observation = observationOf(exchange, reading, totalMs);
      exchange.observed = observation;
      if (exchange.reservation !== null) quota?.settle(exchange.reservation, observation);
      observe(observation);
    };
    if (admitted?.route.writes && admitted.targetId !== null && exchange.reader !== undefined)
      gate.end(gateOf(admitted));
    const reading = reader?.end();
    if (reading instanceof Promise) reading.then(tell, () => tell(undefined));
    else tell(reading);
  };

  const turnAway = (
    exchange: Exchange,
    outcome: Outcome,
    problem: AppError,
    headers: Readonly<Record<string, string>> = {},
  ): void => {
    exchange.outcome = outcome;
    exchange.reason = problem.code.slice(problem.code.indexOf('/') + 1);
    turnedAway.add(exchange.request.socket);
    refuse(exchange.request, exchange.response, problem, headers);
  };

  const handle = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void => {
    const exchange = openExchange(request, response, now());
    const { socket } = request;
    const running = (perSocket.get(socket) ?? 0) + 1;
    perSocket.set(socket, running);
    turnedAway.delete(socket);
    active.add(exchange);
    response.on('close', () => finish(exchange));
    if (running > mostPipelined) {
      exchange.outcome = 'refused_route';
      exchange.reason = 'pipelined';
      socket.destroy();
      return;
    }
    try {
      if (active.size > settings.maxConnections)
        throw new Refused(new AppError('gateway/busy', 'Try again in a moment.', { retryAfterSeconds: 1 }));
      const admitted = admit(request, table, settings, exchange.atMs);
      exchange.admitted = admitted;
      exchange.subject = admitted.key?.subject ?? subjectOf(request.headers.authorization);
      if (request.headers.via?.includes(via))
        throw new Refused(new AppError('gateway/loop', 'An upstream of the gateway leads back to the gateway.'));
      passGate(exchange, admitted, expectsContinue);
    } catch (err) {
      if (err instanceof Refused) turnAway(exchange, err.outcome, err.problem);
      else
        turnAway(exchange, 'refused_route', new AppError('internal/unexpected', 'The gateway failed.', { cause: err }));
    }
  };

  /** Writes wait while their target is held; then the quota; then the upstream. */
  const passGate = (exchange: Exchange, admitted: Admitted, expectsContinue: boolean): void => {
    const held = admitted.route.writes
      ? gate.admit(gateOf(admitted), () => passGate(exchange, admitted, expectsContinue))
      : undefined;
    if (held === undefined) {
      passQuota(exchange, admitted, expectsContinue);
      return;
    }
    if (held === 'full' || settings.whileHeld === 'refuse') {
      if (typeof held === 'object') held.leave();
      const retryAfterSeconds = Math.max(1, gate.heldForMs(gateOf(admitted)) / 1_000);
      const detail = 'A recovery point is being taken. Send the request again in a moment.';
      turnAway(exchange, 'refused_barrier', new AppError('gateway/writes-held', detail, { retryAfterSeconds }));
      return;
    }
    exchange.response.once('close', () => held.leave());
  };

  const passQuota = (exchange: Exchange, admitted: Admitted, expectsContinue: boolean): void => {
    const { targetId, workspace } = admitted;
    if (quota === undefined || targetId === null) {
      forward(exchange, admitted, expectsContinue);
      return;
    }
    const length = exchange.request.headers['content-length'];
    const question = {
      door: admitted.door,
      targetId,
      workspace: workspace ?? '',
      subject: exchange.subject,
      keyId: admitted.key?.id ?? null,
      operation: admitted.route.operation,
      writes: admitted.route.writes,
      requestBytes: length === undefined ? null : Number(length),
    };
    if (!quota.concerns(question)) {
      forward(exchange, admitted, expectsContinue);
      return;
    }
    const late = (reservation: string): void => {
      if (exchange.observed === undefined) exchange.reservation = reservation;
      else quota.settle(reservation, exchange.observed);
    };
    quota.decide(question, late).then(
      (answer) => {
        if (answer.granted) exchange.reservation = answer.reservation;
        // It left while the question was asked; a reservation is settled all the same.
        if (!active.has(exchange)) {
          if (exchange.reservation !== null)
            quota.settle(exchange.reservation, observationOf(exchange, undefined, sinceMs(exchange)));
        } else if (answer.granted) forward(exchange, admitted, expectsContinue);
        else refuseQuota(exchange, answer);
      },
      () => {
        if (active.has(exchange)) forward(exchange, admitted, expectsContinue);
      },
    );
  };

  const refuseQuota = (exchange: Exchange, answer: Extract<QuotaAnswer, { granted: false }>): void => {
    const { limit, remaining, resetSeconds, retryAfterSeconds, detail, policy, windowSeconds, why } = answer;
    const code = why === 'unavailable' ? 'quota/unavailable' : 'quota/exceeded';
    turnAway(
      exchange,
      'refused_quota',
      new AppError(code, detail, retryAfterSeconds === null ? {} : { retryAfterSeconds }),
      {
        // Both spellings: the draft of the IETF, and what most clients look for.
        ...(policy === null || limit === null || remaining === null
          ? {}
          : {
              ratelimit: `"${policy}";r=${remaining}${resetSeconds === null ? '' : `;t=${Math.ceil(resetSeconds)}`}`,
              'ratelimit-policy': `"${policy}";q=${limit}${windowSeconds === null ? '' : `;w=${windowSeconds}`}`,
            }),
        ...(limit === null ? {} : { 'ratelimit-limit': String(limit) }),
        ...(remaining === null ? {} : { 'ratelimit-remaining': String(remaining) }),
        ...(resetSeconds === null ? {} : { 'ratelimit-reset': String(Math.ceil(resetSeconds)) }),
      },
    );
  };

  const forward = (exchange: Exchange, admitted: Admitted, expectsContinue: boolean): void => {
    const { breaker, id, lens } = admitted.destination;
    const nowMs = now();
    if (!breaker.admits(nowMs)) {
      exchange.outcome = 'upstream_unreachable';
      exchange.reason = 'breaker-open';
      refuse(exchange.request, exchange.response, unreachable(id, breaker.retryInMs(nowMs)));
      return;
    }
    const reader = lens.open(admitted.head, admitted.route);
    exchange.reader = reader;
    if (admitted.route.writes) gate.begin(gateOf(admitted));
    if (expectsContinue) exchange.response.writeContinue();
    relay(exchange, admitted, reader, deps, findOverrides(table.state.overrides, admitted));
  };

  /** Whoever writes through a provider's door writes to no target. */
  const gateOf = ({ door, targetId }: Admitted): string => (door === 'llm' ? '' : (targetId ?? ''));

  const server: Server = createServer({
    insecureHTTPParser: false,
    // Looked at in admission.ts, so that the answer is a problem as all others.
    requireHostHeader: false,
    maxHeaderSize: longestHeadBytes,
    headersTimeout: settings.headersTimeoutMs,
    // Bodies take as long as they take; silence in them is bounded in relay.ts.
    requestTimeout: 0,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: Math.min(1_000, settings.headersTimeoutMs),
    noDelay: true,
  });
  server.maxHeadersCount = 0;
  server.maxConnections = settings.maxConnections;
  server.on('request', (request, response) => handle(request, response, false));
  server.on('checkContinue', (request, response) => handle(request, response, true));
  server.on('checkExpectation', (request, response) => handle(request, response, false));
  server.on('drop', () => {
    arrivals += 1;
    refusedConnections += 1;
  });
  // Told as what it is, not as a closed connection.
  server.on('connect', (_request, socket) => {
    unreadableRequests += 1;
    socket.on('error', () => undefined);
    socket.end(rawProblem(new AppError('request/method-not-allowed', 'CONNECT is not offered here.')));
  });
  server.on('clientError', (err: Error & { code?: string }, socket) => {
    unreadableRequests += 1;
    // In the midst of an answer a second one would be read as a part of it.
    if (!socket.writable || (perSocket.get(socket as Socket) ?? 0) > 0) {
      if (turnedAway.has(socket as Socket)) (socket as Socket).destroySoon();
      else socket.destroy();
      return;
    }
    socket.end(rawProblem(unreadable(err)));
    setTimeout(() => socket.destroy(), 1_000).unref();
  });

  const endExchangesOf = (isOver: (exchange: Exchange) => boolean, reason: string): void => {
    for (const exchange of active) {
      if (exchange.admitted?.key === undefined || !isOver(exchange)) continue;
      exchange.outcome ??= 'refused_key';
      exchange.reason ??= reason;
      if (exchange.cut === undefined) exchange.response.destroy();
      else exchange.cut();
    }
  };
  let sweep: NodeJS.Timeout | undefined;
  let connections = 0;
  server.on('connection', (socket) => {
    arrivals += 1;
    connections += 1;
    socket.on('close', () => {
      connections -= 1;
    });
  });

  return {
    gate,
    async start() {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host: settings.host, port: settings.port }, () => resolve());
      });
      sweep = setInterval(() => {
        const nowMs = now();
        endExchangesOf(
          ({ admitted }) => (admitted?.key?.expiresMs ?? Number.POSITIVE_INFINITY) <= nowMs,
          'key-expired',
        );
      }, expirySweepMs);
      sweep.unref();
      // A listener on a TCP port has an address of this kind.
      return { port: (server.address() as AddressInfo).port };
    },
    update(state) {
      table = createTable(state, table);
      const ids = new Set(state.keys.map((key) => key.id));
      endExchangesOf(({ admitted }) => !ids.has(admitted?.key?.id ?? ''), 'key-revoked');
    },
    arrivals: () => arrivals,
    status: () => ({
      connections,
      exchanges: active.size,
      refusedConnections,
      unreadableRequests,
      upstreams: table.all.map(({ id, breaker }) => ({ id, breaker: breaker.state() })),
      barrier: gate.status(),
    }),
    async stop() {
      clearInterval(sweep);
      gate.stop();
      if (server.listening) {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        server.closeIdleConnections();
        const late = setTimeout(() => server.closeAllConnections(), settings.drainMs);
        await closed;
        clearTimeout(late);
      }
      agents.close();
    },
  };
}
