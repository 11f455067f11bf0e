import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Admitted } from './admission.ts';
import type { ExchangeReader, Reading } from './lens.ts';
import type { Observation, Outcome } from './observation.ts';

/** One request on its way, until the last byte of its answer or the end of its connection. */
export type Exchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Epoch milliseconds. */
  readonly atMs: number;
  /** Monotonic. */
  readonly beganAt: number;
  admitted: Admitted | undefined;
  subject: string | null;
  reader: ExchangeReader | undefined;
  reservation: string | null;
  /** Fields that were put into the body. */
  added: readonly string[];
  requestBytes: number;
  responseBytes: number;
  firstByteMs: number | null;
  /** The answer came to its end. */
  whole: boolean;
  /** Decided already, by whoever ended it. */
  outcome: Outcome | undefined;
  reason: string | null;
  /** Ends it from outside. Set while there is something to end. */
  cut: (() => void) | undefined;
  /** Told once that the connection to the client is over, before anything is concluded from it. */
  closed: (() => void) | undefined;
  observed: Observation | undefined;
};

export function openExchange(request: IncomingMessage, response: ServerResponse, atMs: number): Exchange {
  return {
    request,
    response,
    atMs,
    beganAt: performance.now(),
    admitted: undefined,
    subject: null,
    reader: undefined,
    reservation: null,
    added: [],
    requestBytes: 0,
    responseBytes: 0,
    firstByteMs: null,
    whole: false,
    outcome: undefined,
    reason: null,
    cut: undefined,
    closed: undefined,
    observed: undefined,
  };
}

export const sinceMs = (exchange: Exchange): number => performance.now() - exchange.beganAt;

/** What is seen of an exchange that has ended. */
export function observationOf(exchange: Exchange, reading: Reading | undefined, totalMs: number): Observation {
  const { admitted, response } = exchange;
  const status = response.headersSent ? response.statusCode : 0;
  const readReason = reading?.reason ?? null;
  return {
    door: admitted?.door ?? 'backend',
    atMs: exchange.atMs,
    targetId: admitted?.targetId ?? null,
    workspace: admitted?.workspace ?? null,
    subject: exchange.subject,
    keyId: admitted?.key?.id ?? null,
    operation: reading?.operation ?? admitted?.route.operation ?? 'read',
    route: admitted?.route.route ?? 'other',
    mode: reading?.mode ?? null,
    stream: reading?.stream ?? false,
    status,
    outcome: exchange.outcome ?? reading?.outcome ?? outcomeOf(status),
    reason: exchange.reason ?? readReason,
    requestBytes: exchange.requestBytes,
    responseBytes: exchange.responseBytes,
    firstByteMs: exchange.firstByteMs,
    firstContentMs: reading?.firstContentMs ?? null,
    totalMs,
    trackId: reading?.trackId ?? null,
    llm: reading?.llm ?? null,
    ...(exchange.added.length === 0 ? {} : { added: exchange.added }),
  };
}

function outcomeOf(status: number): Outcome {
  if (status === 0) return 'client_gone';
  if (status === 429) return 'rate_limited';
  if (status >= 500) return 'upstream_error';
  return status >= 400 ? 'client_error' : 'ok';
}
