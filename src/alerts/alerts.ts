import type { AlertRuleBody } from '../config/index.ts';
import type { EventRecorder } from '../events/index.ts';
import type { CurrentValues, MetricHistory } from '../metrics/index.ts';
import type { Notifier } from '../notify/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError } from '../platform/errors.ts';
import type { Leases } from '../platform/leases.ts';
import type { Logger } from '../platform/logging.ts';
import type { ActionRunners } from './action.ts';
import { notificationKey } from './alert.ts';
import { type AlertEvaluation, createAlertEvaluation } from './alert-evaluation.ts';
import type { FiredAlert } from './alert-history.ts';
import { type AlertStore, createAlertStore } from './alert-store.ts';
import { createRuleCatalogue, type RuleCatalogue } from './rule-catalogue.ts';
import { createActionRuns } from './run-actions.ts';

export type Alerts = {
  readonly store: AlertStore;
  readonly rules: RuleCatalogue;
  readonly evaluation: AlertEvaluation;
  readonly runners: ActionRunners;
  /** In numbers, as of the last evaluation and of the history. */
  numbers(): Promise<{ firing: number; rules: number; triggered: number; evaluationMs: number | null }>;
  /** Ends repeats and escalation of one that fires. @throws AppError `alerts/unknown-alert` */
  acknowledge(id: string, by: string, note: string | null): Promise<FiredAlert>;
};

/** Puts rules, evaluation, actions and history together. */
export function createAlerts(options: {
  fileRules: readonly AlertRuleBody[];
  defaultRules: readonly AlertRuleBody[];
  runners: ActionRunners;
  history: Pick<MetricHistory, 'view'>;
  /** Undefined where other processes have series too, which only the store knows. */
  current: CurrentValues | undefined;
  /** Undefined where nobody else can be the evaluator. */
  leases: Leases | undefined;
  instance: string;
  intervalMs: number;
  db: Database;
  events: EventRecorder;
  notifier: Notifier;
  clock: Clock;
  log: Logger;
}): Alerts {
  const { db, events, notifier, clock, log, runners } = options;
  const store = createAlertStore(db);
  const rules = createRuleCatalogue({ ...options, store });
  const actions = createActionRuns({ store, rules, runners, db, events, clock, log });
  const evaluation = createAlertEvaluation({ ...options, store, catalogue: rules, runActions: actions.runDue });
  return {
    ...{ store, rules, evaluation, runners },
    numbers: async () => ({
      firing: await store.countHistory({ open: true }),
      rules: (await rules.load()).filter(({ rule }) => rule.enabled).length,
      triggered: await store.countHistory({}),
      evaluationMs: evaluation.lastFacts()?.durationMs ?? null,
    }),
    async acknowledge(id, by, note) {
      const nowMs = clock.now();
      const alert = await store.find(id);
      await db.unit(async (tx) => {
        if (alert === undefined || !(await store.acknowledge(tx, id, { atMs: nowMs, by, note })))
          throw new AppError(
            'alerts/unknown-alert',
            `No alert "${id}" fires now. \`ragwarden alerts list\` shows those that do.`,
          );
        await notifier.acknowledge(tx, notificationKey(alert.rule, alert.fingerprint), by, note);
        await events.audit(tx, {
          ...{ actor: by, action: 'alerts.acknowledge', object: id, outcome: 'done' },
          data: { rule: alert.rule, labels: alert.labels, note },
        });
        await events.record(tx, {
          ...{ type: 'alert.acknowledged', severity: 'info', message: `${by} looks after ${alert.rule}.` },
          data: { alert_id: id, rule: alert.rule, note },
        });
      });
      const now = await store.find(id);
      if (now === undefined) throw new AppError('alerts/unknown-alert', `The alert "${id}" is gone.`);
      return now;
    },
  };
}
