import type { Clock } from './clock.ts';
import { describeError } from './errors.ts';
import type { Part } from './lifecycle.ts';
import type { Logger } from './logging.ts';

export type ReconcilerState = {
  readonly name: string;
  readonly intervalMs: number;
  readonly runs: number;
  readonly failures: number;
  readonly lastStartedAt: number | null;
  readonly lastFinishedAt: number | null;
  readonly lastError: string | null;
  readonly running: boolean;
  /** Between `start` and `stop`; a job that nobody started is never late. */
  readonly active: boolean;
  readonly startedAt: number | null;
  /** A run that takes longer counts as stuck. */
  readonly runLimitMs: number;
};

export type Reconciler = Part & {
  /** Asks for a run soon; many asks before the next run are one run. */
  wake(): void;
  /** Runs once now (or joins the run that is under way and runs again after it) and resolves when that run is over. */
  runOnce(): Promise<void>;
  /** From now on; the waiting begins anew, without a run of its own. */
  setIntervalMs(ms: number): void;
  state(): ReconcilerState;
};

/**
 * Background work: woken by a timer and by a signal, takes no input, compares wanted with actual, never overlaps itself.
 * A failed run is logged and counted; the next run is the retry.
 */
export function createReconciler(options: {
  name: string;
  intervalMs: number;
  /** First run directly after start (default), or only after one interval. */
  runAtStart?: boolean;
  /** Default five minutes. Only for work that waits for something long. */
  runLimitMs?: number;
  run(signal: AbortSignal): Promise<void>;
  clock: Clock;
  log: Logger;
}): Reconciler {
  const { name, clock, log } = options;
  let intervalMs = options.intervalMs;
  let startedAt: number | null = null;
  let runs = 0;
  let failures = 0;
  let lastStartedAt: number | null = null;
  let lastFinishedAt: number | null = null;
  let lastError: string | null = null;
  let current: Promise<void> | undefined;
  let again: Promise<void> | undefined;
  let wakeUp: (() => void) | undefined;
  let pendingWake = false;
  const abort = new AbortController();
  let loop: Promise<void> | undefined;

  const runNow = async (): Promise<void> => {
    lastStartedAt = clock.now();
    try {
      await options.run(abort.signal);
      lastError = null;
    } catch (err) {
      if (!abort.signal.aborted) {
        failures += 1;
        lastError = describeError(err);
        log.warn({ job: name, err }, 'background run failed');
      }
    } finally {
      runs += 1;
      lastFinishedAt = clock.now();
    }
  };

  const runOnce = (): Promise<void> => {
    if (abort.signal.aborted) return current ?? Promise.resolve();
    if (!current) {
      current = runNow().finally(() => {
        current = undefined;
      });
      return current;
    }
    again ??= current.then(() => {
      again = undefined;
      return runOnce();
    });
    return again;
  };

  /** True when a run is due, false when the interval was changed and the waiting begins anew. */
  const sleepOrWake = async (): Promise<boolean> => {
    if (pendingWake) {
      pendingWake = false;
      return true;
    }
    const waited = intervalMs;
    const timer = new AbortController();
    const woken = new Promise<void>((resolve) => {
      wakeUp = resolve;
    });
    const slept = clock.sleep(intervalMs, AbortSignal.any([timer.signal, abort.signal])).catch(() => undefined);
    await Promise.race([woken, slept]);
    wakeUp = undefined;
    timer.abort();
    const due = pendingWake || waited === intervalMs;
    pendingWake = false;
    return due;
  };

  return {
    name,
    start() {
      startedAt ??= clock.now();
      loop ??= (async () => {
        if (options.runAtStart !== false && !abort.signal.aborted) await runOnce();
        while (!abort.signal.aborted) {
          const due = await sleepOrWake();
          if (due) await runOnce();
        }
      })();
    },
    async stop() {
      abort.abort();
      await loop;
      await current;
      await again;
    },
    wake() {
      pendingWake = true;
      wakeUp?.();
    },
    runOnce,
    setIntervalMs(ms) {
      if (ms === intervalMs) return;
      intervalMs = ms;
      wakeUp?.();
    },
    state: () => ({
      name,
      intervalMs,
      runs,
      failures,
      lastStartedAt,
      lastFinishedAt,
      lastError,
      running: current !== undefined,
      active: startedAt !== null && !abort.signal.aborted,
      startedAt,
      runLimitMs: options.runLimitMs ?? 300_000,
    }),
  };
}
