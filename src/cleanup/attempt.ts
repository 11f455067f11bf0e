import type { OperationContext } from '../operations/index.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, describeError } from '../platform/errors.ts';
import { carryOutPlan, describeTally, newTally, type Tally } from './carry-out.ts';
import { type Budget, type CleanupPlan, type Facts, noBudget } from './plan.ts';
import type { Quarantine } from './quarantine.ts';
import type { CleanupRun } from './run.ts';
import type { AnyStrategy } from './strategy.ts';

/** Longer than that nobody waits for a strategy that was told to stop. */
const stopGraceMs = 5_000;
const parallelItems = 10;

export type Limits = {
  readonly budget?: Budget;
  readonly onlyContained?: boolean;
  readonly timeoutMs?: number;
};

export type Attempted = {
  /** As it goes into the history, whatever became of it. */
  readonly run: CleanupRun;
  readonly tally: Tally;
  /** Why it failed as a whole, or was stopped; undefined: it came to its end. */
  readonly failure: unknown;
  /** What really runs: a strategy that does not stop when it is told to was given up, and goes on. Never rejects. */
  readonly working: Promise<void>;
  readonly gaveUp: boolean;
};

/**
 * One try: its plan, its carrying out, its end. Told to stop, by its time limit or from outside, it finishes what is under way; what
 * went until then is counted, the rest is where it was.
 * @param deps.findPlan looks anew and writes it down where something is to go
 */
export async function attemptCleanup(
  attempt: {
    readonly run: CleanupRun;
    readonly strategy: AnyStrategy;
    readonly params: Facts;
    readonly context: OperationContext;
    readonly limits: Limits;
  },
  deps: {
    findPlan(signal: AbortSignal): Promise<CleanupPlan>;
    readonly quarantine: Quarantine;
    readonly clock: Clock;
    readonly settings: { readonly batchSize: number; readonly quarantineMs: number };
    readonly findPressure: (() => string | undefined) | undefined;
  },
): Promise<Attempted> {
  const { run, strategy, context, limits } = attempt;
  const { clock, quarantine, settings } = deps;
  const limit = createTimeLimit(clock, limits.timeoutMs);
  const signal = AbortSignal.any([limit.signal, context.signal]);
  const tally = newTally();
  let plan: CleanupPlan | undefined;
  const work = async (): Promise<void> => {
    void context.phase('planning');
    const found = await deps.findPlan(signal);
    plan = found;
    void context.phase('carrying out');
    const open = await quarantine.open(run.id, strategy.name, settings.quarantineMs);
    try {
      await carryOutPlan({
        ...{ plan: found, strategy, tally, quarantine: open, clock, batchSize: settings.batchSize },
        budget: limits.budget ?? noBudget,
        onlyContained: limits.onlyContained ?? false,
        context: {
          ...{ signal, log: context.log, parallel: parallelItems, nowMs: clock.now() },
          phase: (name) => void context.phase(name),
        },
        ...(deps.findPressure ? { findPressure: deps.findPressure } : {}),
        onProgress: (now) =>
          context.progress({
            ...{ filesDone: now.cleaned + now.skipped + now.failed, filesTotal: found.items.length },
            bytesDone: now.bytesFreed,
          }),
      });
    } finally {
      open.close();
    }
  };
  let ended = false;
  const working = work().finally(() => {
    ended = true;
  });
  let failure: unknown;
  try {
    await Promise.race([working, giveUp(signal, working, clock)]);
    // What was stopped and had all of it done is done.
    if (signal.aborted && tally.leftOver + tally.failed > 0) failure = signal.reason;
  } catch (err) {
    failure = err;
  } finally {
    limit.end();
  }
  const listed = ended ? await listWhatWent(quarantine, run.id, context) : '';
  const { cleaned, skipped, failed, leftOver, bytesFreed } = tally;
  const counted = plan === undefined ? '' : describeTally(tally, plan);
  const line = {
    ...run,
    ...{ planId: plan !== undefined && plan.items.length > 0 ? plan.id : run.planId, finishedMs: clock.now() },
    ...{ cleaned, skipped, failed, leftOver, bytesFreed },
  };
  const more = { tally, failure, gaveUp: !ended, working: working.catch(() => undefined) };
  if (failure === undefined)
    return { run: { ...line, outcome: failed > 0 ? 'partial' : 'success', message: `${counted}${listed}` }, ...more };
  const error = describeError(failure);
  const outcome = context.signal.aborted ? 'cancelled' : 'error';
  return { run: { ...line, outcome, error, message: `${error}${cleaned > 0 ? ` ${counted}` : ''}${listed}` }, ...more };
}

/** Of a batch that failed in its midst. @returns a sentence for the history, where there is something to say */
async function listWhatWent(quarantine: Quarantine, runId: string, { log }: OperationContext): Promise<string> {
  try {
    const found = await quarantine.settleFailed(runId);
    return found === 0 ? '' : ` ${found} that it had just taken away are listed in the quarantine and can be undone.`;
  } catch (err) {
    log.warn({ err, run: runId }, 'what a failed cleanup took away could not be listed; the next run tries again');
    return ' What it had just taken away is not listed in the quarantine yet; the next cleanup lists it.';
  }
}

function createTimeLimit(clock: Clock, timeoutMs: number | undefined): { signal: AbortSignal; end(): void } {
  const limit = new AbortController();
  const timer = new AbortController();
  if (timeoutMs !== undefined)
    void clock.sleep(timeoutMs, timer.signal).then(
      () =>
        limit.abort(
          new AppError('cleanup/timeout', `It took longer than ${Math.round(timeoutMs / 1_000)} s and was stopped.`),
        ),
      () => undefined,
    );
  return { signal: limit.signal, end: () => timer.abort() };
}

/** Rejects when a strategy that was told to stop does not, after a while. */
async function giveUp(signal: AbortSignal, working: Promise<unknown>, clock: Clock): Promise<void> {
  const over = new AbortController();
  void working.then(
    () => over.abort(),
    () => over.abort(),
  );
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
    over.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await clock.sleep(stopGraceMs, over.signal).catch(() => undefined);
  if (over.signal.aborted) await working;
  else throw signal.reason;
}
