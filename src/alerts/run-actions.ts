import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { type ActionOutcome, type ActionRunners, findRunner } from './action.ts';
import type { FiredAlert } from './alert-history.ts';
import type { AlertStore } from './alert-store.ts';
import type { RuleCatalogue } from './rule-catalogue.ts';
import { titleOf } from './tell-changes.ts';

/** One that waited longer than this, for whatever reason, is not what anybody expects any more. */
const staleMs = 900_000;

/**
 * Does what fired alerts ask for: at most once each, never more often than the rule says, and nothing at all while it is dry. What it is
 * about to do is on disk before it is done, so that a kill leaves it known as begun and not to be repeated.
 */
export function createActionRuns(deps: {
  store: AlertStore;
  rules: Pick<RuleCatalogue, 'find'>;
  runners: ActionRunners;
  db: Pick<Database, 'unit'>;
  events: EventRecorder;
  clock: Clock;
  log: Logger;
}): { runDue(): Promise<void> } {
  const { store, rules, runners, db, events, clock, log } = deps;

  const note = async (alert: FiredAlert, outcome: ActionOutcome): Promise<void> => {
    await db.unit(async (tx) => {
      await store.setAction(tx, alert.id, outcome);
      if (outcome.state === 'running') return;
      const acted = outcome.state === 'begun' || outcome.state === 'failed' || outcome.state === 'unknown';
      await events.record(tx, {
        type: acted ? 'alert.action' : 'alert.action-not-taken',
        severity: outcome.state === 'failed' || outcome.state === 'unavailable' ? 'warning' : 'info',
        ...(outcome.operationId === null ? {} : { operationId: outcome.operationId }),
        message: `${titleOf(alert.rule, alert.labels)}: ${outcome.kind}: ${outcome.detail}`,
        data: { alert_id: alert.id, rule: alert.rule, action: outcome.kind, mode: outcome.mode, state: outcome.state },
      });
      await events.audit(tx, {
        actor: `alert:${alert.rule}`,
        action: `alerts.action.${outcome.kind}`,
        object: alert.id,
        outcome: outcome.state === 'begun' ? 'done' : outcome.state === 'failed' ? 'failed' : 'refused',
        data: { mode: outcome.mode, state: outcome.state, detail: outcome.detail, operation_id: outcome.operationId },
      });
    });
  };

  const runOne = async (alert: FiredAlert, outcome: ActionOutcome): Promise<void> => {
    const nowMs = clock.now();
    const end = (state: ActionOutcome['state'], detail: string, operationId: string | null = null): Promise<void> =>
      note(alert, { ...outcome, state, detail, operationId, atMs: nowMs });
    if (outcome.state === 'running')
      return end(
        'unknown',
        'ragwarden ended while it was being begun; whether it was is not known, and it is not repeated.',
      );
    const known = await rules.find(alert.rule);
    const wanted = known?.rule.action;
    if (wanted === undefined || wanted.action.kind !== outcome.kind)
      return end('skipped', 'The rule asks for it no more.');
    if (Math.abs(nowMs - outcome.atMs) > staleMs) return end('skipped', 'It waited too long to be done now.');
    const runner = findRunner(runners, wanted.action);
    if (runner === undefined) return end('unavailable', `${wanted.action.kind} is not available here.`);
    if (wanted.mode === 'dry') return end('dry', `Would be done: ${await runner.describe()}`);
    const lastMs = await store.lastActionMs(alert.rule, alert.id);
    if (lastMs !== undefined && nowMs - lastMs < wanted.atMostEveryMs)
      return end(
        'skipped',
        `It was done ${Math.round((nowMs - lastMs) / 1_000)} s ago, and may be done every ${wanted.atMostEveryMs / 1_000} s.`,
      );
    await note(alert, { ...outcome, state: 'running', detail: 'It is being begun.', atMs: nowMs });
    try {
      const { detail, operationId } = await runner.run(`alert ${titleOf(alert.rule, alert.labels)}: ${alert.message}`);
      await end('begun', detail, operationId);
    } catch (err) {
      log.warn({ err, rule: alert.rule, alert: alert.id }, 'the action of an alert failed');
      await end('failed', `It failed: ${describeError(err)}`);
    }
  };

  return {
    async runDue() {
      for (const alert of await store.unfinishedActions()) {
        if (alert.action === null) continue;
        try {
          await runOne(alert, alert.action);
        } catch (err) {
          log.warn({ err, alert: alert.id }, 'what became of an action could not be written down');
        }
      }
    },
  };
}
