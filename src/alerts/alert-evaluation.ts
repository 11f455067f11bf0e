import type { EventRecorder } from '../events/index.ts';
import type { CurrentValues, MetricHistory } from '../metrics/index.ts';
import type { Notifier } from '../notify/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database/index.ts';
import { AppError, describeError } from '../platform/errors.ts';
import type { Lease, Leases } from '../platform/leases.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import { type Alert, noState, type RuleState } from './alert.ts';
import type { AlertRule } from './alert-rule.ts';
import type { AlertStore } from './alert-store.ts';
import { type BoundRule, bindRules } from './bind-rules.ts';
import { type AlertChange, decideAlerts, evaluationStep } from './decide-alerts.ts';
import type { Reading } from './reading.ts';
import type { KnownRule, RuleCatalogue } from './rule-catalogue.ts';
import { tellChanges } from './tell-changes.ts';

/** What the last evaluation knew of a rule. */
export type RuleStatus = {
  /** Null: it never could be. */
  readonly evaluatedAtMs: number | null;
  /** Sets of labels that had a value. */
  readonly readings: number;
  readonly error: string | null;
};

export type EvaluationFacts = {
  readonly rules: number;
  readonly failed: number;
  readonly durationMs: number;
  readonly atMs: number;
  /** Intervals that passed without one, since the one before. */
  readonly missed: number;
};

export type AlertEvaluation = {
  readonly job: Reconciler;
  /** Of each rule, as this process last evaluated it; empty in one that leaves it to another. */
  status(rule: string): RuleStatus | undefined;
  /** What is pending and firing, by rule, as last decided here. */
  alerts(): ReadonlyMap<string, readonly Alert[]>;
  lastFacts(): EvaluationFacts | undefined;
  /** Undefined before the first evaluation; false: another instance does it. */
  isEvaluator(): boolean | undefined;
  /** The instance that evaluates, ours included; undefined when nobody does. */
  evaluator(): Promise<string | undefined>;
  onEvaluated(listener: (facts: EvaluationFacts) => void): void;
};

const leaseName = 'alert evaluation';
/** What is measured moves with every evaluation; it is written with changes, and now and then. */
const settledForMs = 3_600_000;

/** Evaluates all rules every so often: one instance of the fleet, all rules against the same samples, what changed in one unit of work. */
export function createAlertEvaluation(options: {
  catalogue: RuleCatalogue;
  store: AlertStore;
  history: Pick<MetricHistory, 'view'>;
  /** Undefined where other processes have series too. */
  current: CurrentValues | undefined;
  /** Undefined where nobody else can be. */
  leases: Leases | undefined;
  instance: string;
  intervalMs: number;
  db: Pick<Database, 'unit'>;
  events: EventRecorder;
  notifier: Notifier;
  /** Does what rules ask for; called when something of it may be due. */
  runActions(): Promise<void>;
  clock: Clock;
  log: Logger;
}): AlertEvaluation {
  const { catalogue, store, history, current, leases, instance, db, events, notifier, clock, log } = options;
  let bound: readonly BoundRule[] | undefined;
  let boundRules: readonly KnownRule[] | undefined;
  let lease: Lease | undefined;
  let evaluator: boolean | undefined;
  let facts: EvaluationFacts | undefined;
  let lastMonotonic: number | undefined;
  const listeners: ((facts: EvaluationFacts) => void)[] = [];

  /** Whether this process evaluates. Without it what is known here grows old and is read anew later. */
  const holdLease = async (): Promise<boolean> => {
    if (leases === undefined) return true;
    if (lease !== undefined && (await leases.renew(lease))) return true;
    bound = undefined;
    // An earlier life of this instance may still hold it.
    lease = (await leases.acquire(leaseName)) ?? (await leases.takeOver(leaseName, instance));
    return lease !== undefined;
  };

  const evaluate = async (signal: AbortSignal): Promise<void> => {
    evaluator = await holdLease();
    if (!evaluator) return;
    const began = clock.monotonic();
    const at = { nowMs: clock.now(), intervalMs: job.state().intervalMs };
    const rules = await catalogue.load();
    const loaded = bound === undefined;
    const writes: ((tx: Tx) => Promise<void>)[] = [];
    if (bound === undefined || rules !== boundRules) {
      const next = await bindRules({ store, current }, rules, bound);
      for (const { rule, selection, state, changes } of next.ended)
        writes.push((tx) => writeState(tx, rule, selection, state, changes, at.nowMs));
      bound = next.bound;
    }
    // Made when the first question is asked: most rules ask none.
    let made: Pick<MetricHistory, 'query'> | undefined;
    const view: Pick<MetricHistory, 'query'> = {
      query(request) {
        made ??= history.view();
        return made.query(request);
      },
    };
    const commits: (() => void)[] = [];
    let failed = 0;
    let asksForAction = loaded;
    for (const one of bound) {
      if (signal.aborted) return;
      // Most are known at once: a wait for each would cost more than the rule.
      const found = readOne(one, view, at.nowMs);
      const readings = found instanceof Promise ? await found : found;
      if (readings === undefined) {
        failed += 1;
        continue;
      }
      const stepMs = evaluationStep(one.lastMs, at.nowMs, at.intervalMs);
      const { state, changes } = decideAlerts(one.rule, readings, one.state, { nowMs: at.nowMs, stepMs });
      if (state === one.state) continue;
      const written = changes.length > 0 || isWorthWriting(one.stored, state);
      if (written) writes.push((tx) => writeState(tx, one.rule, one.selection, state, changes, at.nowMs));
      asksForAction ||= one.rule.action !== undefined && changes.some(({ kind }) => kind === 'firing');
      commits.push(() => {
        one.state = state;
        if (written) one.stored = state;
      });
    }
    if (writes.length > 0)
      await db.unit(async (tx) => {
        // Whoever was held up for longer than its lease must not write over what another has decided since.
        if (lease !== undefined && !(await leases?.renew(lease, tx)))
          throw new AppError('operation/lease-lost', 'Another instance evaluates the alert rules now.');
        for (const write of writes) await write(tx);
      });
    // Only what is on disk is so: what could not be written is decided again, from the same state, and the time counts then.
    boundRules = rules;
    for (const commit of commits) commit();
    for (const one of bound) if (one.error === null) one.lastMs = at.nowMs;
    const missed =
      lastMonotonic === undefined ? 0 : Math.max(0, Math.round((began - lastMonotonic) / at.intervalMs) - 1);
    lastMonotonic = began;
    facts = { rules: bound.length, failed, missed, durationMs: clock.monotonic() - began, atMs: at.nowMs };
    for (const listener of listeners) listener(facts);
    if (asksForAction) await options.runActions();
  };

  /** Undefined: nothing is known of it, so nothing changes. */
  const readOne = (
    one: BoundRule,
    view: Pick<MetricHistory, 'query'>,
    nowMs: number,
  ): readonly Reading[] | undefined | Promise<readonly Reading[] | undefined> => {
    try {
      const found = one.reader.read(view, nowMs);
      if (!(found instanceof Promise)) return took(one, found);
      return found.then(
        (readings) => took(one, readings),
        (err: unknown) => broke(one, err),
      );
    } catch (err) {
      return broke(one, err);
    }
  };

  const took = (one: BoundRule, readings: readonly Reading[]): readonly Reading[] => {
    one.readings = readings.length;
    one.error = null;
    return readings;
  };
  const broke = (one: BoundRule, err: unknown): undefined => {
    const error = describeError(err);
    if (one.error !== error) log.warn({ rule: one.rule.name, err }, 'an alert rule cannot be evaluated');
    one.readings = 0;
    one.error = error;
  };

  const writeState = async (
    tx: Tx,
    rule: AlertRule,
    selection: string,
    state: RuleState,
    changes: readonly AlertChange[],
    nowMs: number,
  ): Promise<void> => {
    if (state === noState) await store.deleteState(tx, rule.name);
    else await store.putState(tx, rule.name, selection, state);
    await tellChanges({ store, events, notifier }, tx, rule, changes, nowMs);
  };

  const job = createReconciler({
    name: 'alert evaluation',
    intervalMs: options.intervalMs,
    // What is looked up first must be there: at once nothing would have a value yet.
    runAtStart: false,
    ...{ clock, log, run: evaluate },
  });
  return {
    job: {
      ...job,
      async stop() {
        await job.stop?.();
        if (lease !== undefined) await leases?.release(lease).catch(() => undefined);
        lease = undefined;
      },
    },
    status(rule) {
      const one = bound?.find(({ rule: { name } }) => name === rule);
      return one === undefined || (one.lastMs === null && one.error === null)
        ? undefined
        : { evaluatedAtMs: one.lastMs, readings: one.readings, error: one.error };
    },
    alerts: () => new Map((bound ?? []).map(({ rule, state }) => [rule.name, state.alerts])),
    lastFacts: () => facts,
    isEvaluator: () => evaluator,
    evaluator: async () => (leases === undefined ? instance : leases.holder(leaseName)),
    onEvaluated(listener) {
      listeners.push(listener);
    },
  };
}

/** Time that is counted has to outlive a restart; a value that moves has not. */
function isWorthWriting(stored: RuleState, state: RuleState): boolean {
  if (stored.capped !== state.capped || stored.alerts.length !== state.alerts.length) return true;
  return state.alerts.some((alert, at) => {
    const before = stored.alerts[at];
    return (
      before === undefined ||
      before.id !== alert.id ||
      before.phase !== alert.phase ||
      before.heldMs !== alert.heldMs ||
      before.calmMs !== alert.calmMs ||
      (alert.lastDataMs ?? 0) - (before.lastDataMs ?? 0) > settledForMs
    );
  });
}
