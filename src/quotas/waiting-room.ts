import type { Clock } from '../platform/clock.ts';

/**
 * Where uses wait until a quota has room: one line per quota and bucket, in the order of coming; only the first one asks again.
 * Bounded in number and in time.
 */
export type WaitingRoom = {
  /** False: there was no place, or no room came about in time. */
  wait(key: string, attempt: () => Promise<boolean>, maxMs: number): Promise<boolean>;
  waiting(): number;
  stop(): void;
};

const askAgainMs = 200;
const mostInLine = 200;
const mostInAll = 1_000;

export function createWaitingRoom(clock: Pick<Clock, 'monotonic' | 'sleep'>): WaitingRoom {
  const lines = new Map<string, { count: number; last: Promise<void> }>();
  const stopping = new AbortController();
  let inAll = 0;
  return {
    async wait(key, attempt, maxMs) {
      const line = lines.get(key) ?? { count: 0, last: Promise.resolve() };
      if (line.count >= mostInLine || inAll >= mostInAll || stopping.signal.aborted) return false;
      lines.set(key, line);
      line.count += 1;
      inAll += 1;
      const before = line.last;
      let leave = (): void => undefined;
      line.last = new Promise<void>((resolve) => {
        leave = resolve;
      });
      const deadline = clock.monotonic() + maxMs;
      const timer = new AbortController();
      const signal = AbortSignal.any([timer.signal, stopping.signal]);
      try {
        let first = false;
        const turn = before.then(() => {
          first = true;
        });
        await Promise.race([turn, clock.sleep(maxMs, signal).catch(() => undefined)]);
        timer.abort();
        while (first && !stopping.signal.aborted) {
          if (await attempt()) return true;
          const left = deadline - clock.monotonic();
          if (left <= 0) return false;
          await clock.sleep(Math.min(askAgainMs, left), stopping.signal);
        }
        return false;
      } catch (err) {
        if (stopping.signal.aborted) return false;
        throw err;
      } finally {
        timer.abort();
        // Whoever is behind still waits for those before.
        void before.then(leave);
        line.count -= 1;
        inAll -= 1;
        if (line.count === 0 && lines.get(key) === line) lines.delete(key);
      }
    },
    waiting: () => inAll,
    stop: () => stopping.abort(),
  };
}

/**
 * The slow lane beyond a limit: one use after the other, evenly spaced. Of one process; several have one each.
 * @see https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
 */
export function createSlowLane(now: () => number): {
  /** When it may pass, epoch milliseconds; undefined when that is later than `untilMs`. */
  enter(key: string, perMinute: number, amount: number, untilMs: number): number | undefined;
} {
  const next = new Map<string, number>();
  const mostLanes = 10_000;
  return {
    enter(key, perMinute, amount, untilMs) {
      const nowMs = now();
      const atMs = Math.max(nowMs, next.get(key) ?? 0);
      if (atMs > untilMs) return undefined;
      if (next.size >= mostLanes) for (const [one, ms] of next) if (ms <= nowMs) next.delete(one);
      next.set(key, atMs + (60_000 / perMinute) * amount);
      return atMs;
    },
  };
}
