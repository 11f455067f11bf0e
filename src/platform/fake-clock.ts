import type { Clock } from './clock.ts';

export type FakeClock = Clock & {
  /** Moves time forward and wakes, in order, everyone whose sleep is over. Resolves once they had their turn. */
  advance(ms: number): Promise<void>;
  /** How many sleep at this moment; a test that polls this knows when the other side waits. */
  sleeping(): number;
};

type Sleeper = { readonly wakeAt: number; readonly wake: () => void };

/** Test support: a clock that only moves when told to. Wall and monotonic time move together. */
export function createFakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
  let nowMs = startMs;
  const sleepers = new Set<Sleeper>();

  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  return {
    now: () => nowMs,
    monotonic: () => nowMs - startMs,
    sleeping: () => sleepers.size,
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) {
          reject(signal.reason);
          return;
        }
        const onAbort = (): void => {
          sleepers.delete(sleeper);
          reject(signal?.reason);
        };
        const sleeper: Sleeper = {
          wakeAt: nowMs + ms,
          wake: () => {
            signal?.removeEventListener('abort', onAbort);
            resolve();
          },
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        sleepers.add(sleeper);
      });
    },
    async advance(ms) {
      const until = nowMs + ms;
      for (;;) {
        const next = [...sleepers].sort((a, b) => a.wakeAt - b.wakeAt)[0];
        if (!next || next.wakeAt > until) break;
        nowMs = Math.max(nowMs, next.wakeAt);
        sleepers.delete(next);
        next.wake();
        await settled();
      }
      nowMs = until;
      await settled();
    },
  };
}
