import { readdir } from 'node:fs/promises';
import { z } from 'zod';
import type { EventRecorder } from '../events/index.ts';
import type { Idempotency, Operation, OperationContext, Operations, Settlers } from '../operations/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError, describeError, systemCode } from '../platform/errors.ts';
import { newId, type RandomSource } from '../platform/ids.ts';
import type { Logger } from '../platform/logging.ts';
import { carryOutPlan, describeTally, type Tally } from './carry-out.ts';
import type { CleanupStore } from './cleanup-store.ts';
import { type Budget, type CleanupPlan, type Facts, mostKept, noBudget, planValidMs } from './plan.ts';
import type { Quarantine } from './quarantine.ts';
import type { CleanupRun, RunCause } from './run.ts';
import { createSlots } from './slots.ts';
import type { AnyStrategy } from './strategy.ts';

export type RunOptions = {
  readonly requestedBy: string;
  readonly cause?: RunCause;
  readonly taskId?: string;
  /** The greater the sooner a place is given; 0 to 3. */
  readonly urgency?: number;
  readonly budget?: Budget;
  readonly onlyContained?: boolean;
  readonly timeoutMs?: number;
  /** Of the whole run, after it failed. */
  readonly retries?: number;
  readonly retryDelayMs?: number;
  readonly idempotency?: Idempotency | undefined;
  /** Runs with each end, after it stands in the history. */
  onEnd?(run: CleanupRun): Promise<void> | void;
  /** Once, when nothing of it runs any more, or it never began. */
  onSettled?(): void;
};

export type CleanupSettings = {
  readonly maxConcurrent: number;
  readonly batchSize: number;
  readonly quarantineMs: number;
};

export type StrategyFacts = Pick<AnyStrategy, 'name' | 'about' | 'undo'> & {
  readonly noUndo: string | null;
  /** Why it cannot work here; null: it can. */
  readonly missing: string | null;
  readonly added: boolean;
};

export type Cleanup = {
  strategies(): readonly StrategyFacts[];
  /** @throws AppError `conflict/state` when the name is taken */
  addStrategy(strategy: AnyStrategy): void;
  removeStrategy(name: string): void;
  hasStrategy(name: string): boolean;
  /** Parameters as the strategy takes them, with its defaults. @throws AppError `cleanup/unknown-strategy`, `request/invalid` */
  checkParams(strategy: string, params: unknown): Facts;
  /** Looks and writes the plan down; nothing is touched. */
  plan(request: { strategy: string; params: unknown; requestedBy: string }): Promise<CleanupPlan>;
  requirePlan(id: string): Promise<CleanupPlan>;
  /** Carries out a plan that was shown. @throws AppError `cleanup/plan-stale`, `conflict/state` when it was carried out already */
  runPlan(planId: string, options: RunOptions): Promise<Operation>;
  /** Plans and carries out. @throws AppError `operation/busy` while the same is under way */
  run(request: { strategy: string; params: unknown }, options: RunOptions): Promise<Operation>;
  /** How much a run would take now; nothing is written down. */
  countItems(strategy: string, params: unknown): Promise<number>;
  isUnderWay(strategy: string, params: Facts): boolean;
  readonly underWay: number;
  readonly queued: number;
  /** Brings back what a run took away, or single entries. */
  undo(
    what: { runId?: string | undefined; entryIds?: readonly string[] | undefined },
    requestedBy: string,
    idempotency?: Idempotency,
  ): Promise<Operation>;
  readonly settlers: Settlers;
  readonly quarantine: Quarantine;
};

export type RunResult = {
  run_id: string;
  plan_id: string | null;
  strategy: string;
  outcome: string;
  message: string;
  cleaned: number;
  skipped: number;
  failed: number;
  left_over: number;
  bytes_freed: number;
  attempt: number;
  notes: { what: string; why: string }[];
};

/** Longer than that nobody waits for a strategy that was told to stop. */
const stopGraceMs = 5_000;
const parallelItems = 10;
const mostUndone = 10_000;

/** Plans, runs, the quarantine: what every strategy has in common. */
export function createCleanup(options: {
  strategies: readonly AnyStrategy[];
  store: CleanupStore;
  quarantine: Quarantine;
  quarantineFolder: string;
  operations: Operations;
  db: Database;
  events: EventRecorder;
  clock: Clock;
  random: RandomSource;
  log: Logger;
  settings(): CleanupSettings;
  findPressure?(): string | undefined;
  onRun?(run: CleanupRun): void;
}): Cleanup {
  const { store, quarantine, operations, db, events, clock, log, settings } = options;
  const strategies = new Map(options.strategies.map((one) => [one.name, one]));
  const added = new Set<string>();
  const slots = createSlots(() => settings().maxConcurrent);
  const underWay = new Set<string>();
  const keyOf = (strategy: string, params: Facts): string => `${strategy} ${JSON.stringify(params)}`;

  const requireStrategy = (name: string): AnyStrategy => {
    const found = strategies.get(name);
    if (found) return found;
    throw new AppError(
      'cleanup/unknown-strategy',
      `There is no way to clean up "${name.slice(0, 100)}". There are: ${[...strategies.keys()].join(', ')}.`,
    );
  };
  const checkParams = (name: string, params: unknown): Facts => {
    const parsed = requireStrategy(name).params.safeParse(params ?? {});
    if (parsed.success) return parsed.data as Facts; // each strategy's parameters are facts
    throw new AppError('request/invalid', `These parameters do not suit ${name}.`, {
      violations: parsed.error.issues.map(({ path, message }) => ({
        at: ['params', ...path.map(String)].join('.'),
        message,
      })),
    });
  };

  const findPlan = async (
    strategy: AnyStrategy,
    params: Facts,
    requestedBy: string,
    signal: AbortSignal,
  ): Promise<CleanupPlan> => {
    const nowMs = clock.now();
    const found = await strategy.find(params, { signal, nowMs });
    const plan: CleanupPlan = {
      ...{ id: newId('plan', nowMs, options.random), strategy: strategy.name, params, undo: strategy.undo },
      ...{ items: found.items, kept: found.kept.slice(0, mostKept), complete: found.complete },
      ...{ createdMs: nowMs, requestedBy, runId: null },
    };
    return plan;
  };

  /** One try: its plan, its carrying out, its line in the history. */
  const attemptOnce = async (attempt: {
    run: CleanupRun;
    strategy: AnyStrategy;
    params: Facts;
    planId: string | null;
    given: RunOptions;
    context: OperationContext;
  }): Promise<{ run: CleanupRun; tally: Tally; plan: CleanupPlan }> => {
    const { strategy, params, given, context } = attempt;
    const limit = new AbortController();
    const timer = new AbortController();
    const { timeoutMs } = given;
    if (timeoutMs !== undefined)
      void clock.sleep(timeoutMs, timer.signal).then(
        () =>
          limit.abort(
            new AppError('cleanup/timeout', `It took longer than ${Math.round(timeoutMs / 1_000)} s and was stopped.`),
          ),
        () => undefined,
      );
    const signal = AbortSignal.any([limit.signal, context.signal]);
    const work = async (): Promise<{ tally: Tally; plan: CleanupPlan }> => {
      void context.phase('planning');
      let plan: CleanupPlan;
      if (attempt.planId === null) {
        plan = { ...(await findPlan(strategy, params, given.requestedBy, signal)), runId: attempt.run.id };
        if (plan.items.length > 0) await db.unit((tx) => store.insertPlan(tx, plan));
      } else plan = await requirePlan(attempt.planId);
      void context.phase('carrying out');
      const open = await quarantine.open(attempt.run.id, strategy.name, settings().quarantineMs);
      try {
        const tally = await carryOutPlan({
          ...{ plan, strategy, quarantine: open, clock, batchSize: settings().batchSize },
          budget: given.budget ?? noBudget,
          onlyContained: given.onlyContained ?? false,
          context: {
            ...{ signal, log: context.log, parallel: parallelItems, nowMs: clock.now() },
            phase: (name) => void context.phase(name),
          },
          // Whoever asked for it waits, and what is urgent is urgent because something is short.
          ...((given.urgency ?? 1) < 2 && (given.cause ?? 'manual') !== 'manual' && options.findPressure
            ? { findPressure: options.findPressure }
            : {}),
          onProgress: (now) =>
            context.progress({
              ...{ filesDone: now.cleaned + now.skipped + now.failed, filesTotal: plan.items.length },
              bytesDone: now.bytesFreed,
            }),
        });
        return { tally, plan };
      } finally {
        open.close();
      }
    };
    const working = work();
    try {
      const { tally, plan } = await Promise.race([working, stopped(signal, working)]);
      if (signal.aborted && tally.leftOver + tally.failed > 0) throw signal.reason;
      return {
        ...{ tally, plan },
        run: {
          ...attempt.run,
          ...{ planId: plan.items.length > 0 ? plan.id : attempt.planId, finishedMs: clock.now() },
          ...{ outcome: tally.failed > 0 ? 'partial' : 'success', message: describeTally(tally, plan) },
          ...{ cleaned: tally.cleaned, skipped: tally.skipped, failed: tally.failed, leftOver: tally.leftOver },
          ...{ bytesFreed: tally.bytesFreed },
        },
      };
    } finally {
      timer.abort();
    }
  };

  /** Rejects when a strategy that was told to stop does not; what still runs of it keeps its place. */
  const stopped = async (signal: AbortSignal, working: Promise<unknown>): Promise<never> => {
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
    throw signal.reason;
  };

  const runInOperation = async (
    context: OperationContext,
    what: { strategy: AnyStrategy; params: Facts; planId: string | null },
    given: RunOptions,
  ): Promise<RunResult> => {
    void context.phase('waiting');
    const giveBack = await slots.take(given.urgency ?? 1, context.signal);
    try {
      const most = 1 + (given.retries ?? 0);
      for (let attempt = 1; ; attempt += 1) {
        const run: CleanupRun = {
          ...{ id: attempt === 1 ? context.id : `${context.id}.${attempt}`, taskId: given.taskId ?? null },
          ...{ strategy: what.strategy.name, planId: what.planId, cause: given.cause ?? 'manual' },
          ...{ startedBy: given.requestedBy, startedMs: clock.now(), finishedMs: null, outcome: null, message: '' },
          ...{ cleaned: 0, skipped: 0, failed: 0, leftOver: 0, bytesFreed: 0, attempt, error: null },
        };
        await db.unit((tx) => store.insertRun(tx, run));
        try {
          const ended = await attemptOnce({ ...what, run, given, context });
          await finish(ended.run, given, context.id);
          if (ended.run.outcome === 'partial') context.markPartial();
          return resultOf(ended.run, ended.tally.notes);
        } catch (err) {
          const error = describeError(err);
          const cancelled = context.signal.aborted;
          const failed: CleanupRun = {
            ...run,
            ...{ finishedMs: clock.now(), outcome: cancelled ? 'cancelled' : 'error', message: error, error },
          };
          await finish(failed, given, context.id);
          if (cancelled || attempt >= most) throw err;
          log.warn({ err, strategy: what.strategy.name, attempt }, 'a cleanup failed and will be tried again');
          void context.phase('waiting to try again');
          await clock.sleep(given.retryDelayMs ?? 0, context.signal);
        }
      }
    } finally {
      giveBack();
    }
  };

  const finish = async (run: CleanupRun, given: RunOptions, operationId: string): Promise<void> => {
    await db.unit(async (tx) => {
      await store.finishRun(tx, run);
      const telling = run.outcome === 'error' || run.outcome === 'partial' || run.cleaned > 0;
      if (telling)
        await events.record(tx, {
          type: run.outcome === 'error' ? 'cleanup.failed' : 'cleanup.finished',
          severity: run.outcome === 'error' ? 'error' : run.outcome === 'partial' ? 'warning' : 'info',
          operationId,
          message: `Cleanup ${run.taskId ?? run.strategy}: ${run.message}`,
          data: {
            ...{ strategy: run.strategy, task_id: run.taskId, cleaned: run.cleaned, skipped: run.skipped },
            ...{ failed: run.failed, bytes_freed: run.bytesFreed, cause: run.cause },
          },
        });
    });
    options.onRun?.(run);
    await given.onEnd?.(run);
  };

  const begin = async (
    what: { strategy: AnyStrategy; params: Facts; planId: string | null },
    given: RunOptions,
  ): Promise<Operation> => {
    const { strategy, params, planId } = what;
    const key = keyOf(strategy.name, params);
    const token = newId('try', clock.now(), options.random);
    const settle = (): void => {
      underWay.delete(key);
      given.onSettled?.();
    };
    if (underWay.has(key)) {
      given.onSettled?.();
      throw new AppError('operation/busy', `The same cleanup (${strategy.name}) is under way already.`);
    }
    underWay.add(key);
    let begun = false;
    try {
      // A task of something that is not there has nothing to do, which is a success; whoever asks for it is told.
      const missing = given.taskId === undefined ? strategy.missing?.() : undefined;
      if (missing !== undefined)
        throw new AppError('feature/disabled', `${strategy.name} cannot work here: ${missing}`);
      const targetId = strategy.target?.(params);
      const operation = await operations.start({
        kind: 'cleanup.run',
        input: { strategy: strategy.name, params, planId, taskId: given.taskId ?? null, token },
        requestedBy: given.requestedBy,
        ...(given.idempotency ? { idempotency: given.idempotency } : {}),
        ...(targetId === undefined ? {} : { targetId }),
        run: async (context) => {
          begun = true;
          try {
            if (planId !== null && !(await db.unit((tx) => store.claimPlan(tx, planId, context.id))))
              throw new AppError('conflict/state', `The plan ${planId} was carried out already. Make a new one.`);
            return await runInOperation(context, what, given);
          } finally {
            settle();
          }
        },
      });
      // The same request once more: its first operation goes on, and nothing of ours was begun.
      if ((operation.input as { token?: string }).token !== token) {
        settle();
        return operation;
      }
      await db.unit((tx) =>
        events.audit(tx, {
          ...{ actor: given.requestedBy, action: 'cleanup.run', object: operation.id, outcome: 'done' },
          data: { strategy: strategy.name, params, plan_id: planId, task_id: given.taskId ?? null },
        }),
      );
      return operation;
    } catch (err) {
      if (!begun) settle();
      throw err;
    }
  };

  const requirePlan = async (id: string): Promise<CleanupPlan> => {
    const plan = await store.findPlan(id);
    if (plan) return plan;
    throw new AppError('cleanup/unknown-plan', `There is no plan ${id.slice(0, 100)}.`);
  };

  const undo: Cleanup['undo'] = async ({ runId, entryIds }, requestedBy, idempotency) => {
    const found =
      entryIds === undefined
        ? await store.listEntries({ runId, state: 'held', limit: mostUndone })
        : await Promise.all(
            entryIds.map(async (id) => {
              const entry = await store.findEntry(id);
              if (entry) return entry;
              throw new AppError(
                'cleanup/unknown-entry',
                `The quarantine holds nothing of the id ${id.slice(0, 100)}.`,
              );
            }),
          );
    if (entryIds === undefined && found.length === 0)
      throw new AppError('cleanup/unknown-entry', `The quarantine holds nothing of run ${runId?.slice(0, 100)}.`);
    const over = found.find(({ state }) => state !== 'held');
    if (over) throw new AppError('conflict/state', `${over.what} is ${over.state} already.`);
    const operation = await operations.start({
      kind: 'cleanup.undo',
      input: { runId: runId ?? null, entryIds: entryIds ? [...entryIds] : null },
      requestedBy,
      ...(idempotency ? { idempotency } : {}),
      async run(context) {
        await context.phase('bringing back');
        const { undone, failed } = await quarantine.undo(found, context.signal);
        if (failed.length > 0) context.markPartial();
        if (undone.length > 0)
          await db.unit((tx) =>
            events.record(tx, {
              ...{ type: 'cleanup.undone', severity: failed.length > 0 ? 'warning' : 'info', operationId: context.id },
              message: `${undone.length} of ${found.length} came back from the quarantine.`,
              data: { run_id: runId ?? null, undone: undone.length, failed: failed.length },
            }),
          );
        context.signal.throwIfAborted();
        const [first] = failed;
        if (undone.length === 0 && first) throw new AppError('conflict/state', `Nothing came back: ${first.why}`);
        return {
          undone: undone.length,
          failed: failed.slice(0, 100).map(({ entry, why }) => ({ id: entry.id, what: entry.what, why })),
        };
      },
    });
    await db.unit((tx) =>
      events.audit(tx, {
        ...{ actor: requestedBy, action: 'cleanup.undo', object: runId ?? entryIds?.[0] ?? '', outcome: 'done' },
        data: { entries: found.length, operation_id: operation.id },
      }),
    );
    return operation;
  };

  const settleRun = async (operation: Operation) => {
    let found = 0;
    // Each try has a journal of its own.
    const names = await readdir(options.quarantineFolder).catch((err: unknown) => {
      if (systemCode(err) === 'ENOENT') return [];
      throw err;
    });
    for (const name of names)
      if (name === operation.id || name.startsWith(`${operation.id}.`)) found += await quarantine.settleRun(name);
    const message =
      found === 0
        ? 'A cleanup was interrupted; what it had taken away is listed in the quarantine, the rest is where it was.'
        : `A cleanup was interrupted; ${found} that it had just taken away are listed in the quarantine now and can be undone.`;
    for (const run of await store.listRuns({ limit: 50 }))
      if (run.outcome === null && (run.id === operation.id || run.id.startsWith(`${operation.id}.`)))
        await db.unit((tx) =>
          store.finishRun(tx, { ...run, finishedMs: clock.now(), outcome: 'error', message, error: 'interrupted' }),
        );
    return { message, data: { found_in_quarantine: found } };
  };

  return {
    strategies: () =>
      [...strategies.values()].map((one) => ({
        ...{ name: one.name, about: one.about, undo: one.undo, noUndo: one.noUndo ?? null },
        ...{ missing: one.missing?.() ?? null, added: added.has(one.name) },
      })),
    addStrategy(strategy) {
      if (!/^[a-z][a-z0-9-]{0,62}$/.test(strategy.name))
        throw new AppError('request/invalid', 'The name of a strategy is lower-case letters, digits and dashes.');
      if (strategies.has(strategy.name))
        throw new AppError('conflict/state', `There is a strategy "${strategy.name}" already.`);
      strategies.set(strategy.name, strategy);
      added.add(strategy.name);
    },
    removeStrategy(name) {
      if (added.delete(name)) strategies.delete(name);
    },
    hasStrategy: (name) => strategies.has(name),
    checkParams,
    async plan({ strategy: name, params, requestedBy }) {
      const strategy = requireStrategy(name);
      const checked = checkParams(name, params);
      const missing = strategy.missing?.();
      if (missing !== undefined) throw new AppError('feature/disabled', `${name} cannot work here: ${missing}`);
      const plan = await findPlan(strategy, checked, requestedBy, AbortSignal.timeout(120_000));
      await db.unit((tx) => store.insertPlan(tx, plan));
      return plan;
    },
    requirePlan,
    async runPlan(planId, given) {
      const plan = await requirePlan(planId);
      if (plan.runId !== null)
        throw new AppError('conflict/state', `The plan was carried out by ${plan.runId}. Make a new one.`);
      if (clock.now() - plan.createdMs > planValidMs)
        throw new AppError('cleanup/plan-stale', 'The plan is more than an hour old. Make a new one.');
      return begin({ strategy: requireStrategy(plan.strategy), params: plan.params, planId }, given);
    },
    run: async ({ strategy: name, params }, given) =>
      begin({ strategy: requireStrategy(name), params: checkParams(name, params), planId: null }, given),
    async countItems(name, params) {
      const context = { signal: AbortSignal.timeout(120_000), nowMs: clock.now() };
      return (await requireStrategy(name).find(checkParams(name, params), context)).items.length;
    },
    isUnderWay: (strategy, params) => underWay.has(keyOf(strategy, params)),
    get underWay() {
      return slots.taken;
    },
    get queued() {
      return slots.waiting;
    },
    undo,
    settlers: {
      'cleanup.run': settleRun,
      // What came back is known by looking; the next undo finds the rest.
      'cleanup.undo': async (operation) => {
        const input = undoInput.safeParse(operation.input);
        const entries = input.success
          ? input.data.entryIds
            ? (await Promise.all(input.data.entryIds.map((id) => store.findEntry(id)))).filter(
                (one) => one !== undefined,
              )
            : await store.listEntries({ runId: input.data.runId ?? '', state: 'held', limit: mostUndone })
          : [];
        const held = entries.filter(({ state }) => state === 'held');
        const { undone } = await quarantine.undo(held, AbortSignal.timeout(60_000));
        return {
          message: `Bringing back was interrupted; ${undone.length} of ${held.length} that were left came back now.`,
        };
      },
    },
    quarantine,
  };
}

const undoInput = z.object({ runId: z.string().nullable(), entryIds: z.array(z.string()).nullable() });

const resultOf = (run: CleanupRun, notes: Tally['notes']): RunResult => ({
  ...{ run_id: run.id, plan_id: run.planId, strategy: run.strategy, outcome: run.outcome ?? '', message: run.message },
  ...{ cleaned: run.cleaned, skipped: run.skipped, failed: run.failed, left_over: run.leftOver },
  ...{ bytes_freed: run.bytesFreed, attempt: run.attempt, notes },
});
