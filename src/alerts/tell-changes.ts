import type { EventRecorder, NewEvent } from '../events/index.ts';
import type { Notification, Notifier } from '../notify/index.ts';
import type { Tx } from '../platform/database/index.ts';
import type { ActionOutcome } from './action.ts';
import { type Alert, notificationKey } from './alert.ts';
import type { FiredAlert } from './alert-history.ts';
import type { AlertRule } from './alert-rule.ts';
import type { AlertStore } from './alert-store.ts';
import type { AlertChange } from './decide-alerts.ts';
import type { Labels } from './reading.ts';

/** Writes down what changed of one rule, tells the log of events, and tells people. All in the unit of the change. */
export async function tellChanges(
  deps: { store: AlertStore; events: EventRecorder; notifier: Notifier },
  tx: Tx,
  rule: AlertRule,
  changes: readonly AlertChange[],
  nowMs: number,
): Promise<void> {
  const { store, events, notifier } = deps;
  for (const change of changes) {
    if (change.kind === 'capped' || change.kind === 'uncapped') {
      await events.record(tx, {
        type: change.kind === 'capped' ? 'alert.rule-capped' : 'alert.rule-uncapped',
        severity: change.kind === 'capped' ? 'warning' : 'info',
        message: `Alert rule "${rule.name}": ${change.reason}`,
        data: { rule: rule.name, matching: change.matching },
      });
      await notifier.tell(tx, cappedNotification(rule, change, nowMs));
    } else if (change.kind === 'firing') {
      const fired = firedAlert(rule, change.alert, change.reason, nowMs);
      await store.fire(tx, fired);
      await events.record(tx, eventOf(rule, change, nowMs));
      await notifier.tell(tx, notificationOf(rule, change, nowMs));
    } else if (change.kind === 'resolved') {
      const { id, value, worst } = change.alert;
      await store.resolve(tx, id, { atMs: nowMs, reason: change.reason, value, worst });
      await events.record(tx, eventOf(rule, change, nowMs));
      await notifier.tell(tx, notificationOf(rule, change, nowMs));
    }
  }
}

const due = (rule: AlertRule, nowMs: number): ActionOutcome | null =>
  rule.action
    ? {
        ...{
          kind: rule.action.action.kind,
          mode: rule.action.mode,
          state: 'due',
          detail: 'It will be done in a moment.',
        },
        ...{ operationId: null, atMs: nowMs },
      }
    : null;

const firedAlert = (rule: AlertRule, alert: Alert, message: string, nowMs: number): FiredAlert => ({
  ...{ id: alert.id, rule: rule.name, fingerprint: alert.fingerprint, labels: alert.labels },
  ...{ metricName: rule.metricName, condition: rule.condition, severity: rule.severity, tags: rule.tags },
  threshold: rule.condition === 'absent' ? null : rule.threshold,
  ...{ sinceMs: alert.sinceMs, firedAtMs: alert.firedAtMs ?? nowMs, resolvedAtMs: null, message },
  ...{ resolvedReason: null, value: alert.value, worst: alert.worst, flapping: alert.flapping },
  ...{ acknowledged: null, action: due(rule, nowMs) },
});

type Told = Extract<AlertChange, { readonly alert: Alert }>;

/** As `memory_high {target="sample"}`; `instance` is left out of titles, where there is one only. */
export function titleOf(rule: string, labels: Labels): string {
  const shown = Object.entries(labels).filter(([name]) => name !== 'instance');
  return shown.length === 0 ? rule : `${rule} {${shown.map(([name, value]) => `${name}="${value}"`).join(', ')}}`;
}

function eventOf(rule: AlertRule, { kind, alert, reason }: Told, nowMs: number): NewEvent {
  const { target, workspace } = alert.labels;
  return {
    type: kind === 'firing' ? 'alert.firing' : 'alert.resolved',
    severity: kind === 'firing' ? rule.severity : 'info',
    ...(target === undefined ? {} : { targetId: target }),
    ...(workspace === undefined ? {} : { workspace }),
    message: `${titleOf(rule.name, alert.labels)} ${kind === 'firing' ? 'fires' : 'is resolved'}: ${reason}`,
    data: {
      ...{ alert_id: alert.id, rule: rule.name, labels: alert.labels, value: alert.value },
      ...(alert.firedAtMs === null || kind === 'firing'
        ? {}
        : { fired_for_seconds: (nowMs - alert.firedAtMs) / 1_000 }),
    },
  };
}

function notificationOf(rule: AlertRule, { kind, alert, reason }: Told, nowMs: number): Notification {
  const description = rule.description === '' ? '' : `${rule.description}\n`;
  return {
    key: notificationKey(rule.name, alert.fingerprint),
    status: kind === 'firing' ? 'firing' : 'resolved',
    severity: rule.severity,
    title: titleOf(rule.name, alert.labels),
    summary: `${description}${reason}`,
    labels: { ...alert.labels, ...rule.tags, alertname: rule.name, severity: rule.severity },
    annotations: {
      ...{ summary: reason, alert_id: alert.id },
      ...(rule.description === '' ? {} : { description: rule.description }),
      ...(alert.value === null ? {} : { value: String(alert.value) }),
    },
    startsAtMs: alert.firedAtMs ?? alert.sinceMs,
    endsAtMs: kind === 'resolved' ? nowMs : null,
    runbookUrl: rule.runbookUrl ?? null,
    receivers: rule.receivers ?? null,
  };
}

const cappedNotification = (
  rule: AlertRule,
  change: Extract<AlertChange, { readonly matching: number }>,
  nowMs: number,
): Notification => ({
  key: notificationKey(rule.name, 'capped'),
  status: change.kind === 'capped' ? 'firing' : 'resolved',
  severity: 'warning',
  title: `${rule.name} matches too many label sets`,
  summary: change.reason,
  labels: { ...rule.tags, alertname: rule.name, severity: 'warning', overflow: 'true' },
  annotations: { summary: change.reason },
  startsAtMs: nowMs,
  endsAtMs: change.kind === 'uncapped' ? nowMs : null,
  runbookUrl: rule.runbookUrl ?? null,
  receivers: rule.receivers ?? null,
});
