import type { Clock } from '../../platform/clock.ts';
import { describeError } from '../../platform/errors.ts';
import type { HttpRequester, HttpResponse, OutgoingRequest } from '../../platform/http-client.ts';
import type { CheckResult } from '../health-check.ts';

/** Where something answers over HTTP. Headers may hold secrets, so they are asked for at each look. */
export type HttpPlace = {
  readonly url: string;
  readonly timeoutMs: number;
  headers(): Promise<Readonly<Record<string, string>>>;
};

export type LookDeps = { readonly http: HttpRequester; readonly clock: Clock };

const mostBytes = 2 ** 20;
const slowMs = 2_000;

export type Timed = { readonly answer: HttpResponse; readonly tookMs: number };

/** @param path appended to the path of the place, as `/models` */
export async function ask(
  deps: LookDeps,
  place: HttpPlace,
  request: { readonly path?: string; readonly method?: OutgoingRequest['method']; readonly body?: unknown },
  signal: AbortSignal,
): Promise<Timed> {
  const url = new URL(place.url);
  if (request.path !== undefined) url.pathname = `${url.pathname.replace(/\/$/, '')}${request.path}`;
  const startedMs = deps.clock.monotonic();
  const answer = await deps.http.request({
    url: url.href,
    method: request.method ?? 'GET',
    headers: {
      ...(await place.headers()),
      ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    ...{ timeoutMs: place.timeoutMs, maxBytes: mostBytes, signal },
  });
  return { answer, tookMs: deps.clock.monotonic() - startedMs };
}

export type Look = Omit<CheckResult, 'atMs'>;

/** What could not be reached or asked, in words; never with the query of the URL, which may hold a key. */
export const unreached = (err: unknown): Look => ({
  status: 'unhealthy',
  message: describeError(err),
  checks: { connection: { status: 'unhealthy', response_time: null } },
});

/** What an answer of the wrong status means; undefined when it is one of 2xx. */
export function refusalOf({ answer, tookMs }: Timed): Look | undefined {
  const { status } = answer;
  if (status >= 200 && status < 300) return undefined;
  const message =
    status === 401 || status === 403
      ? `It refuses the credentials (${status}).`
      : status === 429
        ? 'It refuses for now, since too much was asked of it (429).'
        : `It answers ${status}.`;
  return { ...timed(tookMs), status: status === 429 ? 'degraded' : 'unhealthy', message };
}

export function timed(tookMs: number): Pick<Look, 'observedValue' | 'observedUnit' | 'checks'> {
  const ms = Math.round(tookMs * 10) / 10;
  return {
    observedValue: ms,
    observedUnit: 'ms',
    checks: {
      connection: { status: tookMs > slowMs ? 'degraded' : 'healthy', response_time: Math.round(tookMs * 100) / 1e5 },
    },
  };
}

/** It answered as it should; only how long it took is left to be said. */
export const answered = (tookMs: number, message: string): Look =>
  tookMs > slowMs
    ? { ...timed(tookMs), status: 'degraded', message: `It answers, after ${(tookMs / 1_000).toFixed(1)} s.` }
    : { ...timed(tookMs), status: 'healthy', message };

/** Anything over HTTP, by what whoever runs it expects of it. */
export async function lookAtHttp(
  deps: LookDeps,
  place: HttpPlace,
  expected: {
    readonly method: 'GET' | 'HEAD' | 'POST';
    readonly statuses: readonly number[] | undefined;
    readonly text: string | undefined;
  },
  signal: AbortSignal,
): Promise<Look> {
  let seen: Timed;
  try {
    seen = await ask(deps, place, { method: expected.method }, signal);
  } catch (err) {
    return unreached(err);
  }
  const { answer, tookMs } = seen;
  const { statuses, text } = expected;
  if (statuses === undefined ? answer.status < 200 || answer.status > 299 : !statuses.includes(answer.status))
    return { ...timed(tookMs), status: 'unhealthy', message: `It answers ${answer.status}.` };
  if (text !== undefined && !answer.text().includes(text))
    return { ...timed(tookMs), status: 'unhealthy', message: 'It answers, without the text that is expected of it.' };
  return answered(tookMs, `It answers ${answer.status}.`);
}
