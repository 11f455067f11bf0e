import type { LlmReading, Outcome } from '../gateway/index.ts';
import { resultOf } from './exchange.ts';

/** Longer than the back-offs of the usual clients, and than most `Retry-After`. */
const withinMs = 120_000;
const mostRemembered = 10_000;

/** Tells a call that repeats a failed one: same provider, model and request within two minutes of the failure. */
export type Retries = {
  isRetry(
    call: Pick<LlmReading, 'provider' | 'model' | 'digest'>,
    outcome: Outcome,
    atMs: number,
    endMs: number,
  ): boolean;
};

export function createRetries(): Retries {
  /** When the call failed last, oldest first. */
  const failed = new Map<string, number>();
  return {
    isRetry({ provider, model, digest }, outcome, atMs, endMs) {
      if (digest === null) return false;
      const key = `${provider}\0${model ?? ''}\0${digest}`;
      const failedMs = failed.get(key);
      failed.delete(key);
      if (resultOf(outcome) === 'failed') {
        if (failed.size >= mostRemembered) failed.delete(failed.keys().next().value ?? '');
        failed.set(key, endMs);
      }
      return failedMs !== undefined && atMs - failedMs <= withinMs;
    },
  };
}
