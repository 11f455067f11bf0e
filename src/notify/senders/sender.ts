import type { Clock } from '../../platform/clock.ts';
import type { HttpRequester, HttpResponse } from '../../platform/http-client.ts';
import type { Delivery, SendResult } from '../delivery.ts';
import type { Receiver } from '../receiver.ts';

/** What a way out is given. It bounds itself by the receiver's time limit. */
export type SendContext = {
  /** Guarded where the receiver was made over the API. */
  readonly http: HttpRequester;
  /** The address of a mail server that will be dialled; undefined: whatever its name means. @throws AppError `outgoing/refused-address` */
  readonly admit: ((host: string, port: number) => Promise<string>) | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

export type ReceiverOf<Kind extends Receiver['kind']> = Extract<Receiver, { kind: Kind }>;

/** Never rejects but with the signal's reason, and with what `requireSecret` and the client throw. */
export type Send<Kind extends Receiver['kind']> = (
  receiver: ReceiverOf<Kind>,
  delivery: Delivery,
  context: SendContext,
) => Promise<SendResult>;

const longestQuote = 200;

/** What an HTTP answer means for a delivery. */
export function resultOf(answer: HttpResponse, nowMs: number): SendResult {
  const { status, headers } = answer;
  if (status >= 200 && status < 300) return { outcome: 'sent', status, error: null };
  if (status === 410) return { outcome: 'gone', status, error: 'it answered 410: it is gone for good' };
  if (status >= 300 && status < 400)
    return {
      outcome: 'failed',
      status,
      error: `it answered ${status}, a redirect${placeOf(headers.location)}, which is not followed`,
    };
  const said = answer
    .text()
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .toWellFormed();
  const quote = said === '' ? '' : `: ${said.length > longestQuote ? `${said.slice(0, longestQuote)}…` : said}`;
  return {
    outcome: 'failed',
    status,
    error: `it answered ${status}${quote}`,
    retryAfterMs: retryAfterMs(headers['retry-after'], nowMs),
  };
}

/** The origin only: the rest may be somebody's secret. */
function placeOf(location: string | undefined): string {
  const url = location === undefined ? null : URL.parse(location);
  return url ? ` to ${url.origin}` : '';
}

/** Seconds, or a date (RFC 9110). */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1_000;
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}

/** Answers are read for their status and a word; more is not wanted. */
export const mostAnswerBytes = 64 * 1024;
