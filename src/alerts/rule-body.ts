import type { AlertRuleBody } from '../config/index.ts';
import type { Aggregation } from '../metrics/index.ts';
import type { AlertAction, RuleAction } from './action.ts';
import type { AlertRule, Anomaly, LabelMatcher, SeriesChoice } from './alert-rule.ts';

const defaults = {
  windowMs: 300_000,
  durationMs: 300_000,
  atMostEveryMs: 3_600_000,
  baselineSeconds: 7 * 86_400,
} as const;
const ms = (seconds: number): number => Math.round(seconds * 1_000);

/** A rule as it works, from a rule as it is written. The form has made sure that it does not contradict itself. */
export function ruleOf(body: AlertRuleBody): AlertRule {
  const durationMs = body.duration_seconds === undefined ? defaults.durationMs : ms(body.duration_seconds);
  const aggregation: Aggregation = body.aggregation ?? 'last';
  const { metricName, labels } = choiceOf(body);
  // Each field written out: an object that is spread into lies in two pieces, and this one is read for each rule at each evaluation.
  return {
    name: body.name,
    description: body.description ?? '',
    metricName,
    labels,
    aggregation,
    windowMs: body.window_seconds === undefined ? defaults.windowMs : ms(body.window_seconds),
    groupBy: body.group_by,
    divideBy: body.divide_by && choiceOf(body.divide_by),
    measure: body.measure ?? 'value',
    forecastMs: ms(body.forecast_seconds ?? 0),
    anomaly: body.measure === 'anomaly' ? anomalyOf(body) : undefined,
    condition: body.condition,
    threshold: body.threshold ?? 0,
    durationMs,
    resolveThreshold: body.resolve_threshold,
    resolveDurationMs: body.resolve_duration_seconds === undefined ? durationMs : ms(body.resolve_duration_seconds),
    noData: body.no_data ?? 'keep',
    dampsFlapping: body.flap_damping ?? true,
    severity: body.severity ?? 'warning',
    enabled: body.enabled ?? true,
    tags: body.tags ?? {},
    runbookUrl: body.runbook_url,
    receivers: body.receivers,
    action: body.action && actionOf(body.action),
  };
}

const anomalyOf = (body: AlertRuleBody): Anomaly => ({
  baselineMs: ms(body.baseline_seconds ?? defaults.baselineSeconds),
  seasonMs: body.season_seconds === undefined ? undefined : ms(body.season_seconds),
  direction: body.direction ?? 'both',
  leastDifference: body.least_difference ?? 0,
});

type WrittenLabels = NonNullable<AlertRuleBody['labels']>;

const choiceOf = (written: { metric_name: string; labels?: WrittenLabels | undefined }): SeriesChoice => ({
  metricName: written.metric_name,
  labels: Object.fromEntries(Object.entries(written.labels ?? {}).map(([name, value]) => [name, matcherOf(value)])),
});

const listOf = (value: string | string[]): readonly string[] => (typeof value === 'string' ? [value] : value);

const matcherOf = (value: WrittenLabels[string]): LabelMatcher =>
  typeof value === 'string' || Array.isArray(value) ? { anyOf: listOf(value) } : { noneOf: listOf(value.not) };

function actionOf(written: NonNullable<AlertRuleBody['action']>): RuleAction {
  return {
    action: actionItself(written),
    mode: written.mode ?? 'dry',
    atMostEveryMs:
      written.at_most_every_seconds === undefined ? defaults.atMostEveryMs : ms(written.at_most_every_seconds),
  };
}

function actionItself(written: NonNullable<AlertRuleBody['action']>): AlertAction {
  switch (written.kind) {
    case 'run-cleanup-task':
      return { kind: written.kind, taskId: written.task_id };
    case 'take-recovery-point':
      return { kind: written.kind, targetId: written.target_id };
    case 'pause-inserts':
      return { kind: written.kind, targetId: written.target_id, forSeconds: written.for_seconds };
    case 'throttle-workspace':
      return {
        ...{ kind: written.kind, targetId: written.target_id, workspace: written.workspace },
        ...{ requestsPerMinute: written.requests_per_minute, forSeconds: written.for_seconds },
      };
    default:
      return written satisfies never;
  }
}

/** What decides which label sets there are: another one begins with alerts of its own. */
export const selectionOf = (rule: AlertRule): string =>
  JSON.stringify([
    ...[rule.metricName, rule.labels, rule.aggregation, rule.windowMs, rule.groupBy, rule.divideBy],
    ...[rule.measure, rule.forecastMs, rule.condition],
    // Left out where there is none: what stands on disk from before there were any goes on.
    ...(rule.anomaly === undefined ? [] : [rule.anomaly.seasonMs ?? null, rule.anomaly.direction]),
  ]);
