import type { Clock } from '../../platform/clock.ts';
import { describeError } from '../../platform/errors.ts';
import type { HttpRequester } from '../../platform/http-client.ts';
import { endpointHeaders, type StoreEndpoint } from '../store-endpoint.ts';

/**
 * What became of a write request. `refused`: the store will never take it, so sending it again is in vain. `later`: it may;
 * `afterMs` is how long the store wants to be left alone.
 */
export type Sent =
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'later'; readonly reason: string; readonly afterMs: number | undefined };

const mostAnswerBytes = 65_536;
/** A store that names a date far away has a wrong clock, or somebody else answers for it. */
const longestRetryAfterMs = 600_000;

/** One attempt; never rejects but when `signal` aborts. @see https://prometheus.io/docs/specs/prw/remote_write_spec/ */
export async function sendWriteRequest(
  deps: { readonly http: HttpRequester; readonly clock: Clock; readonly signal: AbortSignal },
  endpoint: StoreEndpoint,
  body: Uint8Array,
): Promise<Sent> {
  try {
    const { status, headers, text } = await deps.http.request({
      url: endpoint.url,
      method: 'POST',
      headers: {
        ...(await endpointHeaders(endpoint)),
        'content-type': 'application/x-protobuf',
        'content-encoding': 'snappy',
        'x-prometheus-remote-write-version': '0.1.0',
      },
      body,
      timeoutMs: endpoint.timeoutMs,
      maxBytes: mostAnswerBytes,
      signal: deps.signal,
    });
    if (status >= 200 && status < 300) return { kind: 'taken' };
    const said = text().trim().replace(/\s+/g, ' ').slice(0, 200);
    const reason = said === '' ? `it answered ${status}` : `it answered ${status}: ${said}`;
    // A redirect is not followed: it tells that another address is meant, and the samples are not at fault.
    if (status >= 400 && status < 500 && status !== 429) return { kind: 'refused', reason };
    return { kind: 'later', reason, afterMs: readRetryAfter(headers['retry-after'], deps.clock.now()) };
  } catch (err) {
    if (deps.signal.aborted) throw err;
    return { kind: 'later', reason: describeError(err), afterMs: undefined };
  }
}

/** Seconds or a date (RFC 9110). */
export function readRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined || header.trim() === '') return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(header) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), longestRetryAfterMs);
}
