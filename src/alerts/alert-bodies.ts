import { z } from 'zod';
import { alertRuleBody } from '../config/index.ts';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import type { ActionOutcome } from './action.ts';
import type { Alert } from './alert.ts';
import type { RuleStatus } from './alert-evaluation.ts';
import type { FiredAlert } from './alert-history.ts';
import { type AlertRule, conditions, describeCondition, ruleOrigins } from './alert-rule.ts';
import type { Backtest } from './backtest.ts';
import type { KnownRule } from './rule-catalogue.ts';

const severity = z.enum(['info', 'warning', 'error', 'critical']);
const labels = z.record(z.string(), z.string());
const number = z.number().nullable();
const instant = z.iso.datetime();
const instantOrNull = instant.nullable();

export const ruleSchema = z
  .object({
    ...alertRuleBody.shape,
    description: z.string(),
    severity,
    enabled: z.boolean(),
    duration_seconds: z.number(),
    tags: labels,
    origin: z.enum(ruleOrigins).describe('`file` counts more than `api`, and that more than `default`.'),
    shelved: z.array(z.enum(ruleOrigins)).describe('Origins of rules of this name that do not count.'),
    says: z.string().describe('The condition as a sentence.'),
    revision: z.number().int(),
    updated_at: instantOrNull,
    updated_by: z.string().nullable(),
    status: z
      .object({
        evaluated_at: instantOrNull,
        label_sets: z.number().int().describe('That had a value; 0 may mean that there is no such metric.'),
        pending: z.number().int(),
        firing: z.number().int(),
        error: z.string().nullable(),
      })
      .nullable()
      .describe('Of the last evaluation here; null before the first one, and of a rule that is switched off.'),
  })
  .meta({ id: 'KnownAlertRule' });
export type KnownAlertRuleBody = z.infer<typeof ruleSchema>;

export function ruleBody(
  { rule, body, origin, shelved, revision, updatedMs, updatedBy }: KnownRule,
  status: RuleStatus | undefined,
  alerts: readonly Alert[],
): KnownAlertRuleBody {
  return {
    ...body,
    ...{ description: rule.description, severity: rule.severity, enabled: rule.enabled, tags: { ...rule.tags } },
    ...{ duration_seconds: rule.durationMs / 1_000, origin, shelved: [...shelved], says: describeCondition(rule) },
    ...{ revision, updated_at: isoInstantOrNull(updatedMs), updated_by: updatedBy },
    status:
      status === undefined
        ? null
        : {
            evaluated_at: isoInstantOrNull(status.evaluatedAtMs),
            ...{ label_sets: status.readings, error: status.error },
            pending: alerts.filter(({ phase }) => phase === 'pending').length,
            firing: alerts.filter(({ phase }) => phase === 'firing').length,
          },
  };
}

const actionSchema = z
  .object({
    kind: z.string(),
    mode: z.enum(['dry', 'run']),
    state: z.enum(['due', 'running', 'dry', 'begun', 'failed', 'skipped', 'unavailable', 'unknown']),
    detail: z.string(),
    operation_id: z.string().nullable(),
    at: instant,
  })
  .nullable();

const actionBody = (outcome: ActionOutcome | null): z.infer<typeof actionSchema> =>
  outcome && {
    ...{ kind: outcome.kind, mode: outcome.mode, state: outcome.state, detail: outcome.detail },
    ...{ operation_id: outcome.operationId, at: isoInstant(outcome.atMs) },
  };

export const alertSchema = z
  .object({
    alert_id: z.string(),
    rule_name: z.string(),
    metric_name: z.string(),
    state: z.enum(['pending', 'active', 'acknowledged', 'suppressed', 'resolved']),
    severity,
    condition: z.enum(conditions),
    threshold: number,
    current_value: number.describe('As last measured.'),
    worst_value: number.describe('The furthest from the threshold while it went on.'),
    message: z.string().describe('Why it fired, or what it is pending for.'),
    labels,
    tags: labels.describe('Of the rule.'),
    pending_at: instant.describe('When the condition began to hold.'),
    triggered_at: instantOrNull.describe('When it fired; null while pending.'),
    resolved_at: instantOrNull,
    resolved_reason: z.string().nullable(),
    flapping: z.boolean().describe('It comes and goes, and is held until it is calm.'),
    acknowledged_at: instantOrNull,
    acknowledged_by: z.string().nullable(),
    acknowledged_note: z.string().nullable(),
    silenced_by: z.array(z.string()).describe('Ids of the silences that hold it back.'),
    action: actionSchema.describe('What the rule had done, or would have.'),
  })
  .meta({ id: 'Alert' });
export type AlertBody = z.infer<typeof alertSchema>;

export function firedBody(one: FiredAlert, silencedBy: readonly string[] = []): AlertBody {
  const open = one.acknowledged ? 'acknowledged' : silencedBy.length > 0 ? 'suppressed' : 'active';
  return {
    ...{ alert_id: one.id, rule_name: one.rule, metric_name: one.metricName, severity: one.severity },
    state: one.resolvedAtMs === null ? open : 'resolved',
    ...{ condition: one.condition, threshold: one.threshold, current_value: one.value, worst_value: one.worst },
    ...{ message: one.message, labels: { ...one.labels }, tags: { ...one.tags }, pending_at: isoInstant(one.sinceMs) },
    ...{ triggered_at: isoInstant(one.firedAtMs), resolved_at: isoInstantOrNull(one.resolvedAtMs) },
    ...{ resolved_reason: one.resolvedReason, flapping: one.flapping },
    acknowledged_at: isoInstantOrNull(one.acknowledged?.atMs ?? null),
    ...{ acknowledged_by: one.acknowledged?.by ?? null, acknowledged_note: one.acknowledged?.note ?? null },
    ...{ silenced_by: [...silencedBy], action: actionBody(one.action) },
  };
}

export const pendingBody = (rule: AlertRule, alert: Alert): AlertBody => ({
  ...{ alert_id: alert.id, rule_name: rule.name, metric_name: rule.metricName, state: 'pending' },
  ...{ severity: rule.severity, condition: rule.condition, current_value: alert.value, worst_value: alert.worst },
  threshold: rule.condition === 'absent' ? null : rule.threshold,
  message: `${describeCondition(rule)}: for ${Math.floor(alert.heldMs / 1_000)} of ${rule.durationMs / 1_000} s`,
  ...{ labels: { ...alert.labels }, tags: { ...rule.tags }, pending_at: isoInstant(alert.sinceMs) },
  ...{ triggered_at: null, resolved_at: null, resolved_reason: null, flapping: false, acknowledged_at: null },
  ...{ acknowledged_by: null, acknowledged_note: null, silenced_by: [], action: null },
});

export const backtestSchema = z
  .object({
    rule_name: z.string(),
    says: z.string(),
    from: instant,
    to: instant,
    step_seconds: z.number().describe('Between two evaluations.'),
    evaluations: z.number().int(),
    label_sets: z.number().int(),
    fired: z.number().int().describe('How often it would have fired.'),
    fired_seconds: z.number().describe('For how long altogether.'),
    pending_only: z.number().int().describe('How often it would have been pending and not fired.'),
    too_many_label_sets: z.boolean(),
    firings: z.array(
      z.object({
        labels,
        pending_at: instant,
        triggered_at: instant,
        resolved_at: instantOrNull.describe('Null: it would fire still.'),
        seconds: z.number(),
        worst_value: number,
        flapping: z.boolean(),
        reason: z.string(),
      }),
    ),
    firings_left_out: z.number().int().describe('Of those, the earliest are not listed.'),
    now: z.object({
      readings: z
        .array(z.object({ labels, value: z.number(), matches: z.boolean() }))
        .describe('What it measures now; at most 100.'),
      label_sets: z.number().int(),
      matching: z.number().int(),
    }),
    value: z
      .object({ value: z.number(), matches: z.boolean() })
      .nullable()
      .describe('Whether the value that was given meets the condition.'),
    notes: z.array(z.string()),
  })
  .meta({ id: 'AlertBacktest' });

export type AlertBacktestBody = z.infer<typeof backtestSchema>;

const mostFirings = 1_000;

export function backtestBody(
  test: Backtest,
): Pick<
  z.infer<typeof backtestSchema>,
  | 'from'
  | 'to'
  | 'step_seconds'
  | 'evaluations'
  | 'label_sets'
  | 'fired'
  | 'fired_seconds'
  | 'pending_only'
  | 'too_many_label_sets'
  | 'firings'
  | 'firings_left_out'
> {
  const secondsOf = (firing: Backtest['firings'][number]): number =>
    ((firing.resolvedAtMs ?? test.toMs) - firing.firedAtMs) / 1_000;
  return {
    ...{ from: isoInstant(test.fromMs), to: isoInstant(test.toMs), step_seconds: test.stepMs / 1_000 },
    ...{ evaluations: test.evaluations, label_sets: test.series, fired: test.firings.length },
    fired_seconds: test.firings.reduce((sum, one) => sum + secondsOf(one), 0),
    ...{ pending_only: test.cleared, too_many_label_sets: test.capped },
    firings: test.firings.slice(-mostFirings).map((one) => ({
      ...{
        labels: { ...one.labels },
        pending_at: isoInstant(one.pendingAtMs),
        triggered_at: isoInstant(one.firedAtMs),
      },
      ...{ resolved_at: isoInstantOrNull(one.resolvedAtMs), seconds: secondsOf(one), worst_value: one.worst },
      ...{ flapping: one.flapping, reason: one.reason },
    })),
    firings_left_out: Math.max(0, test.firings.length - mostFirings),
  };
}
