import type { EventRecorder } from '../events/index.ts';
import type { Idempotency, Operation, OperationContext, Operations, Settlers } from '../operations/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError } from '../platform/errors.ts';
import { newId, type RandomSource } from '../platform/ids.ts';
import type { Logger } from '../platform/logging.ts';
import { attemptCleanup, type Limits } from './attempt.ts';
import type { Tally } from './carry-out.ts';
import type { CleanupStore } from './cleanup-store.ts';
import { type CleanupPlan, type Facts, mostKept, planValidMs } from './plan.ts';
import type { Quarantine } from './quarantine.ts';
import type { CleanupRun, RunCause } from './run.ts';
import { createRunSettler } from './settle-run.ts';
import { createSlots } from './slots.ts';
import type { AnyStrategy } from './strategy.ts';
import { createStrategyList, type StrategyList } from './strategy-list.ts';
import { createUndo, type TargetFolder, type Undo } from './undo.ts';

export type RunOptions = Limits & {
  readonly requestedBy: string;
  readonly cause?: RunCause;
  readonly taskId?: string;
  /** The greater the sooner a place is given; 0 to 3. */
  readonly urgency?: number;
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

export type Cleanup = {
  readonly strategies: StrategyList;
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
  readonly undo: Undo['undo'];
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
  /** Whose folders files may come back to. */
  targets(): readonly TargetFolder[];
  onRun?(run: CleanupRun): void;
}): Cleanup {
  const { store, quarantine, operations, db, events, clock, log, settings } = options;
  const strategies = createStrategyList(options.strategies);
  const undo = createUndo({ store, quarantine, operations, db, events, targets: options.targets });
  const slots = createSlots(() => settings().maxConcurrent);
  const underWay = new Set<string>();
  const keyOf = (strategy: string, params: Facts): string => `${strategy} ${JSON.stringify(params)}`;

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

  const runInOperation = async (
    context: OperationContext,
    what: { strategy: AnyStrategy; params: Facts; planId: string | null },
    given: RunOptions,
    onLeft: (working: Promise<void>) => void,
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
        const ended = await attemptCleanup(
          { run, strategy: what.strategy, params: what.params, context, limits: given },
          {
            ...{ quarantine, clock, settings: settings() },
            findPressure: waitsOutPressure(given) ? options.findPressure : undefined,
            findPlan: async (signal) => {
              if (what.planId !== null) return requirePlan(what.planId);
              const plan = {
                ...(await findPlan(what.strategy, what.params, given.requestedBy, signal)),
                runId: run.id,
              };
              if (plan.items.length > 0) await db.unit((tx) => store.insertPlan(tx, plan));
              return plan;
            },
          },
        );
        onLeft(ended.working);
        await finish(ended.run, given, context.id);
        if (ended.failure === undefined) {
          if (ended.run.outcome === 'partial') context.markPartial();
          return resultOf(ended.run, ended.tally.notes);
        }
        if (context.signal.aborted || attempt >= most || ended.gaveUp) throw ended.failure;
        log.warn({ err: ended.failure, strategy: run.strategy, attempt }, 'a cleanup failed and will be tried again');
        void context.phase('waiting to try again');
        await clock.sleep(given.retryDelayMs ?? 0, context.signal);
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
    let working: Promise<void> = Promise.resolve();
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
            return await runInOperation(context, what, given, (left) => {
              working = left;
            });
          } finally {
            // Its target is given free with the end of the operation: not while its backend is still being started.
            if (targetId !== undefined) await working;
            // What was given up and still runs keeps its place: nothing overlaps itself.
            void working.then(settle);
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

  return {
    strategies,
    async plan({ strategy: name, params, requestedBy }) {
      const strategy = strategies.require(name);
      const checked = strategies.checkParams(name, params);
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
      return begin({ strategy: strategies.require(plan.strategy), params: plan.params, planId }, given);
    },
    run: async ({ strategy: name, params }, given) =>
      begin({ strategy: strategies.require(name), params: strategies.checkParams(name, params), planId: null }, given),
    async countItems(name, params) {
      const context = { signal: AbortSignal.timeout(120_000), nowMs: clock.now() };
      return (await strategies.require(name).find(strategies.checkParams(name, params), context)).items.length;
    },
    isUnderWay: (strategy, params) => underWay.has(keyOf(strategy, params)),
    get underWay() {
      return slots.taken;
    },
    get queued() {
      return slots.waiting;
    },
    undo: undo.undo,
    settlers: { 'cleanup.run': createRunSettler(options), 'cleanup.undo': undo.settle },
    quarantine,
  };
}

/** Whoever asked for it waits, and what is urgent is urgent because something is short. */
const waitsOutPressure = ({ urgency = 1, cause = 'manual' }: RunOptions): boolean => urgency < 2 && cause !== 'manual';

const resultOf = (run: CleanupRun, notes: Tally['notes']): RunResult => ({
  ...{ run_id: run.id, plan_id: run.planId, strategy: run.strategy, outcome: run.outcome ?? '', message: run.message },
  ...{ cleaned: run.cleaned, skipped: run.skipped, failed: run.failed, left_over: run.leftOver },
  ...{ bytes_freed: run.bytesFreed, attempt: run.attempt, notes },
});
