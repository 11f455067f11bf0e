import { type ReadonlySignal, signal } from '@preact/signals';
import { messageOf } from '../api/client.ts';

/** One route, asked again and again. `value` stays when a later answer fails, and `loadedMs` tells how old it is. */
export type Poll<T> = {
  readonly value: ReadonlySignal<T | undefined>;
  readonly problem: ReadonlySignal<string | undefined>;
  readonly loadedMs: ReadonlySignal<number | undefined>;
  /** Asks now, and resolves when the answer is there; calls while one is under way share the next one. */
  refresh(): Promise<void>;
  start(): void;
  /** Also forgets what was loaded when `forget` is set. */
  stop(options?: { forget: boolean }): void;
};

export type Timers = {
  set(callback: () => void, ms: number): unknown;
  clear(handle: unknown): void;
  now(): number;
};

const browserTimers: Timers = {
  set: (callback, ms) => setTimeout(callback, ms),
  clear: (handle) => clearTimeout(handle as number), // what `set` above gave
  now: () => Date.now(),
};

export function createPoll<T>(options: {
  load(signal: AbortSignal): Promise<T>;
  everyMs(value: T | undefined): number;
  timers?: Timers;
}): Poll<T> {
  const timers = options.timers ?? browserTimers;
  const value = signal<T | undefined>(undefined);
  const problem = signal<string | undefined>(undefined);
  const loadedMs = signal<number | undefined>(undefined);
  let life: AbortController | undefined;
  let timer: unknown;
  let asking: Promise<void> | undefined;
  let again: Promise<void> | undefined;

  const ask = async (current: AbortController): Promise<void> => {
    timers.clear(timer);
    try {
      const loaded = await options.load(current.signal);
      if (current.signal.aborted) return;
      value.value = loaded;
      loadedMs.value = timers.now();
      problem.value = undefined;
    } catch (err) {
      if (current.signal.aborted) return;
      problem.value = messageOf(err);
    }
    timer = timers.set(() => void refresh(), options.everyMs(value.peek()));
  };

  const refresh = (): Promise<void> => {
    const current = life;
    if (!current) return Promise.resolve();
    if (asking) {
      // What is under way may have been answered before the change that the caller wants to see.
      again ??= asking.then(() => {
        again = undefined;
        return refresh();
      });
      return again;
    }
    asking = ask(current).finally(() => {
      asking = undefined;
    });
    return asking;
  };

  return {
    value,
    problem,
    loadedMs,
    refresh,
    start() {
      if (life) return;
      life = new AbortController();
      void refresh();
    },
    stop(how) {
      life?.abort();
      life = undefined;
      timers.clear(timer);
      if (how?.forget) {
        value.value = undefined;
        problem.value = undefined;
        loadedMs.value = undefined;
      }
    },
  };
}
