import type { Clock } from './clock.ts';
import { describeError } from './errors.ts';
import type { Part } from './lifecycle.ts';
import type { Logger } from './logging.ts';
import { createTrouble } from './trouble.ts';

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
  /** Not a fact: how whoever sees the state begins it anew. Absent for what has no loop of its own. */
  readonly restart?: RestartJob;
};

export type RestartOutcome =
  /** It runs again from its beginning; a run that was under way had ended by itself. */
  | 'restarted'
  /** As above, but the run under way was told to give up. */
  | 'aborted'
  /** The run under way has not ended; the job begins anew as soon as it does. */
  | 'waiting'
  /** Nobody started it, or it was stopped for good. */
  | 'inactive';

/**
 * Ends the loop and begins it anew, with a run at once. A run under way is awaited, so that no work is dropped; with `force` it is
 * told to give up first.
 * @param options.waitMs how long a run under way is awaited
 */
export type RestartJob = (options: { readonly waitMs: number; readonly force: boolean }) => Promise<RestartOutcome>;

export type Reconciler = Part & {
  /** Asks for a run soon; many asks before the next run are one run. */
  wake(): void;
  /** Runs once now (or joins the run that is under way and runs again after it) and resolves when that run is over. */
  runOnce(): Promise<void>;
  /** From now on; the waiting begins anew, without a run of its own. */
  setIntervalMs(ms: number): void;
  state(): ReconcilerState;
  restart: RestartJob;
};

/**
 * Background work: woken by a timer and by a signal, takes no input, compares wanted with actual, never overlaps itself.
 * A failed run is counted, and logged as long as that is news; the next run is the retry.
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
  const trouble = createTrouble({ clock, log, fields: { job: name }, what: 'background run' });
  let intervalMs = options.intervalMs;
  let startedAt: number | null = null;
  let runs = 0;
  let failures = 0;
  let lastStartedAt: number | null = null;
  let lastFinishedAt: number | null = null;
  let lastError: string | null = null;
  let current: Promise<void> | undefined;
  let again: Promise<void> | undefined;
  /** By which a sleep can be ended, from one sleep to the next until it was: each new one, and signals made of others, cost more than waiting. */
  let sleeper = new AbortController();
  let asleep = false;
  let pendingWake = false;
  const abort = new AbortController();
  /** Ends the present loop alone. */
  let turn = new AbortController();
  /** Tells the run under way to give up; one for many runs, which all listen to it and to the stop. */
  let giveUp = new AbortController();
  let runSignal = AbortSignal.any([abort.signal, giveUp.signal]);
  let restarting: Promise<void> | undefined;
  let loop: Promise<void> | undefined;

  const runNow = async (): Promise<void> => {
    lastStartedAt = clock.now();
    const given = giveUp.signal;
    try {
      await options.run(runSignal);
      lastError = null;
      trouble.ended();
    } catch (err) {
      if (given.aborted) lastError = 'it was told to begin anew';
      else if (!abort.signal.aborted) {
        failures += 1;
        lastError = describeError(err);
        trouble.failed(err);
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

  const endSleep = (): void => {
    if (asleep) sleeper.abort();
  };

  /** True when a run is due, false when the interval was changed and the waiting begins anew. */
  const sleepOrWake = async (): Promise<boolean> => {
    if (pendingWake) {
      pendingWake = false;
      return true;
    }
    const waited = intervalMs;
    asleep = true;
    await clock.sleep(waited, sleeper.signal).catch(() => {
      sleeper = new AbortController();
    });
    asleep = false;
    const due = pendingWake || waited === intervalMs;
    pendingWake = false;
    return due;
  };

  const begin = async (atOnce: boolean): Promise<void> => {
    const mine = turn.signal;
    const isOver = (): boolean => mine.aborted || abort.signal.aborted;
    if (atOnce && !isOver()) await runOnce();
    while (!isOver()) {
      const due = await sleepOrWake();
      if (due && !isOver()) await runOnce();
    }
  };

  /** One at a time, however many ask. */
  const beginAnew = (): Promise<void> => {
    restarting ??= (async () => {
      turn.abort();
      endSleep();
      await loop;
      await current;
      if (abort.signal.aborted) return;
      turn = new AbortController();
      pendingWake = false;
      startedAt = clock.now();
      loop = begin(true);
    })().finally(() => {
      restarting = undefined;
    });
    return restarting;
  };

  const restart: RestartJob = async ({ waitMs, force }) => {
    if (startedAt === null || abort.signal.aborted) return 'inactive';
    const aborted = force && current !== undefined;
    const anew = beginAnew();
    if (aborted) {
      giveUp.abort();
      giveUp = new AbortController();
      runSignal = AbortSignal.any([abort.signal, giveUp.signal]);
    }
    const waited = new AbortController();
    const late = clock.sleep(waitMs, waited.signal).then(
      () => 'waiting' as const,
      () => 'waiting' as const,
    );
    const outcome = await Promise.race([
      anew.then(() => (aborted ? ('aborted' as const) : ('restarted' as const))),
      late,
    ]);
    waited.abort();
    return outcome;
  };

  return {
    name,
    start() {
      startedAt ??= clock.now();
      loop ??= begin(options.runAtStart !== false);
    },
    restart,
    async stop() {
      abort.abort();
      endSleep();
      await restarting;
      await loop;
      await current;
      await again;
    },
    wake() {
      pendingWake = true;
      endSleep();
    },
    runOnce,
    setIntervalMs(ms) {
      if (ms === intervalMs) return;
      intervalMs = ms;
      endSleep();
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
      restart,
    }),
  };
}
