import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import type { HttpRequester, HttpResponse } from '../../platform/http-client.ts';
import type { Endpoint } from '../target.ts';

const maxAnswerBytes = 8 * 1024 * 1024;

/**
 * The backend locks a user out, people included, after 5 refused logins in 5 minutes; so seldom do we repeat one that was
 * refused.
 */
const refusedLoginPauseMs = 150_000;

type Init = {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly signal?: AbortSignal;
  /** Instead of that of the connection. */
  readonly timeoutMs?: number;
};

export type LightragConnection = {
  /** One request as it is. @throws as `HttpRequester.request` does */
  send(
    path: string,
    init?: Init & {
      readonly headers?: Record<string, string>;
      readonly body?: string;
      readonly withCredentials?: boolean;
    },
  ): Promise<HttpResponse>;
  /** With key or login, which is done first where it is needed and again when it has expired. `json` is the body. */
  call(path: string, init?: Init & { readonly json?: unknown }): Promise<HttpResponse>;
  /** Logs in unless that is done, or not wanted. */
  prepare(signal?: AbortSignal): Promise<void>;
  /** Why an answer was 401 or 403, as the end of a sentence. */
  describeRefusal(): string;
};

/** One server of the backend, with the credentials that open it. */
export function createLightragConnection(options: {
  endpoint: Endpoint;
  http: HttpRequester;
  clock: Clock;
  /** Read at each call. */
  timeoutMs: number;
}): LightragConnection {
  const { endpoint, http, clock } = options;
  let bearer: string | undefined;

  const credentials = (): Record<string, string> => ({
    ...(endpoint.apiKey === undefined ? {} : { 'x-api-key': endpoint.apiKey }),
    ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
  });

  const send: LightragConnection['send'] = (path, init = {}) =>
    http.request({
      url: `${endpoint.url}${path}`,
      method: init.method ?? 'GET',
      headers: { accept: 'application/json', ...(init.withCredentials ? credentials() : {}), ...init.headers },
      timeoutMs: init.timeoutMs ?? options.timeoutMs,
      maxBytes: maxAnswerBytes,
      ...(init.body === undefined ? {} : { body: init.body }),
      ...(init.signal === undefined ? {} : { signal: init.signal }),
    });

  const wantsLogin = endpoint.username !== undefined && endpoint.password !== undefined;
  let loggingIn: Promise<void> | undefined;
  let refusedUntil = Number.NEGATIVE_INFINITY;

  const login = async (signal?: AbortSignal): Promise<void> => {
    if (clock.monotonic() < refusedUntil) return;
    const form = new URLSearchParams({ username: endpoint.username ?? '', password: endpoint.password ?? '' });
    const response = await send('/login', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
      ...(signal ? { signal } : {}),
    });
    const token = z.object({ access_token: z.string() }).safeParse(parseJson(response));
    if (response.status === 200 && token.success) bearer = token.data.access_token;
    else if (response.status >= 400 && response.status < 500) {
      const retryAfterMs = 1000 * Number(response.headers['retry-after'] ?? 0);
      refusedUntil =
        clock.monotonic() + Math.max(refusedLoginPauseMs, Number.isFinite(retryAfterMs) ? retryAfterMs : 0);
    }
  };

  /** Several calls that find themselves without a token share one login. */
  const logInOnce = (signal?: AbortSignal): Promise<void> => {
    loggingIn ??= login(signal).finally(() => {
      loggingIn = undefined;
    });
    return loggingIn;
  };

  const call: LightragConnection['call'] = async (path, { json, ...init } = {}) => {
    if (wantsLogin && bearer === undefined) await logInOnce(init.signal);
    const sent = bearer;
    const written = {
      ...init,
      withCredentials: true,
      ...(json === undefined ? {} : { body: JSON.stringify(json), headers: { 'content-type': 'application/json' } }),
    };
    let response = await send(path, written);
    if (response.status === 401 && wantsLogin && sent !== undefined) {
      if (bearer === sent) bearer = undefined;
      if (bearer === undefined) await logInOnce(init.signal);
      response = await send(path, written);
    }
    const renewed = response.headers['x-new-token'];
    if (renewed !== undefined && bearer !== undefined) bearer = renewed;
    return response;
  };

  const describeRefusal = (): string => {
    if (clock.monotonic() < refusedUntil) return `the backend refuses the login of ${endpoint.username}.`;
    if (endpoint.apiKey !== undefined) return 'the backend does not accept the API key.';
    return 'the backend wants an API key (LIGHTRAG_API_KEY) or a login.';
  };

  return {
    send,
    call,
    async prepare(signal) {
      if (wantsLogin && bearer === undefined) await logInOnce(signal);
    },
    describeRefusal,
  };
}

/** Undefined for what is no JSON; the schema that reads it says so. */
export function parseJson(response: HttpResponse): unknown {
  try {
    return response.json();
  } catch {
    return undefined;
  }
}
