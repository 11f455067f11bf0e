/**
 * closed (all pass) → open after `failuresToOpen` connections in a row that did not come about → after a pause one request
 * may try (probing) → closed again, or open for twice as long. Only what never reached the upstream counts: an answer,
 * whatever it says, shows that it is there.
 */
type State = 'closed' | 'open' | 'probing';

/** `unknown`: all pass, and the last one that did has not shown that the upstream is there; nobody asked yet, or it failed. */
export type BreakerState = State | 'unknown';

export type Breaker = {
  /** Whether this request may go to the upstream. One that was let through tells how it went. */
  admits(nowMs: number): boolean;
  connected(): void;
  /** @returns whether it opened, or stayed open */
  failed(nowMs: number): boolean;
  /** Let through, but ended before it showed anything. */
  unknown(): void;
  state(): BreakerState;
  /** Milliseconds until the next try; 0 when one may be made now. */
  retryInMs(nowMs: number): number;
};

const failuresToOpen = 5;
const firstPauseMs = 500;
const longestPauseMs = 5_000;

export function createBreaker(): Breaker {
  let failures = 0;
  let pauseMs = 0;
  let untilMs = 0;
  let state: State = 'closed';
  let isThere = false;
  return {
    admits(nowMs) {
      if (state === 'closed') return true;
      if (state === 'probing' || nowMs < untilMs) return false;
      state = 'probing';
      return true;
    },
    connected() {
      isThere = true;
      failures = 0;
      pauseMs = 0;
      state = 'closed';
    },
    failed(nowMs) {
      isThere = false;
      failures += 1;
      if (failures < failuresToOpen && state === 'closed') return false;
      // Several that were under way may fail after it opened: they make the pause no longer.
      if (state !== 'open') pauseMs = pauseMs === 0 ? firstPauseMs : Math.min(pauseMs * 2, longestPauseMs);
      state = 'open';
      untilMs = nowMs + pauseMs;
      return true;
    },
    unknown() {
      if (state === 'probing') state = 'open';
    },
    state: () => (state === 'closed' && !isThere ? 'unknown' : state),
    retryInMs: (nowMs) => (state === 'closed' ? 0 : Math.max(0, untilMs - nowMs)),
  };
}
