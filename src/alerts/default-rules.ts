import type { AlertRuleBody } from '../config/index.ts';

/** Thresholds of the settings, percent; the rules follow them as they stood at the start. */
export type HostLimits = {
  readonly warning: { readonly cpuPercent: number; readonly memoryPercent: number; readonly diskPercent: number };
  readonly critical: { readonly cpuPercent: number; readonly memoryPercent: number; readonly diskPercent: number };
};

const minutes = 60;
/** How requests end when it is the fault of the backend. */
const failures = ['hidden_error', 'rate_limited', 'upstream_error', 'upstream_unreachable', 'upstream_broken'];

/** A rule with its page of docs/runbooks. */
const rule = (runbook: string, body: AlertRuleBody): AlertRuleBody => ({
  ...body,
  runbook_url: `docs/runbooks/${runbook}.md`,
});

/**
 * What ragwarden itself knows to be wrong, as rules. What is not measured here (no target, no drills, no replicas) has no series and
 * therefore no alerts. A hysteresis of a few percent keeps what sits at its threshold from coming and going.
 */
export const createDefaultRules = ({ warning, critical }: HostLimits): readonly AlertRuleBody[] => [
  ...hostRules(warning, critical),
  rule('slow-answers', {
    ...{ name: 'search_slow', metric_name: 'traffic_duration_ms', labels: { operation: 'search' } },
    ...{ description: '95 of 100 searches should end within 200 ms.', aggregation: 'p95', window_seconds: 5 * minutes },
    ...{ group_by: ['target'], condition: 'gt', threshold: 200, duration_seconds: 10 * minutes, no_data: 'resolve' },
  }),
  rule('slow-answers', {
    ...{ name: 'query_slow', metric_name: 'traffic_duration_ms', labels: { operation: 'query' } },
    ...{ description: '95 of 100 queries should end within 3 s.', aggregation: 'p95', window_seconds: 5 * minutes },
    ...{ group_by: ['target'], condition: 'gt', threshold: 3_000, duration_seconds: 10 * minutes, no_data: 'resolve' },
  }),
  rule('slow-answers', {
    ...{ name: 'query_slower_than_usual', metric_name: 'traffic_duration_ms', labels: { operation: 'query' } },
    description: '95 of 100 queries take far longer than they did over the last seven days.',
    ...{ measure: 'anomaly', aggregation: 'p95', window_seconds: 15 * minutes, group_by: ['target'] },
    ...{ direction: 'above', least_difference: 500, condition: 'gt', threshold: 6, resolve_threshold: 3 },
    ...{ duration_seconds: 15 * minutes, no_data: 'resolve', severity: 'info' },
  }),
  rule('slow-api', {
    ...{ name: 'api_slow', metric_name: 'request_duration_ms', aggregation: 'p95', window_seconds: 5 * minutes },
    ...{ description: "95 of 100 requests to ragwarden's own API should end within 500 ms.", group_by: ['instance'] },
    ...{ condition: 'gt', threshold: 500, duration_seconds: 10 * minutes, no_data: 'resolve' },
  }),
  rule('backend-errors', {
    ...{ name: 'backend_errors', metric_name: 'traffic_exchanges', labels: { outcome: failures } },
    ...{ description: 'More than 5 of 100 requests to the backend fail.', aggregation: 'increase' },
    ...{ window_seconds: 10 * minutes, group_by: ['target'], divide_by: { metric_name: 'traffic_exchanges' } },
    ...{ condition: 'gt', threshold: 0.05, resolve_threshold: 0.02, duration_seconds: 5 * minutes, no_data: 'resolve' },
    severity: 'error',
  }),
  rule('backend-offline', {
    ...{ name: 'target_offline', metric_name: 'ragwarden_target_up', condition: 'lt', threshold: 1 },
    ...{ description: 'The backend does not answer.', duration_seconds: 2 * minutes, severity: 'critical' },
  }),
  rule('stuck-documents', {
    ...{ name: 'documents_stuck', metric_name: 'ragwarden_documents_stuck', condition: 'gt', threshold: 0 },
    description: 'Documents are unfinished and do not go on by themselves.',
  }),
  rule('stuck-documents', {
    ...{ name: 'pipeline_standstill', metric_name: 'ragwarden_pipeline_standstill', condition: 'gt', threshold: 0 },
    ...{ description: 'Unfinished work of the backend stands still.', severity: 'error' },
  }),
  rule('canary-failed', {
    ...{
      name: 'canary_failed',
      metric_name: 'ragwarden_canary_passed',
      condition: 'lt',
      threshold: 1,
      duration_seconds: 0,
    },
    ...{
      description: 'The planted document does not come back: the backend answers, and not rightly.',
      severity: 'error',
    },
  }),
  rule('tuning-drift', {
    ...{ name: 'tuning_drift', metric_name: 'ragwarden_tuning_drift', condition: 'gt', threshold: 0 },
    // Whoever sets a value and applies it does both within minutes.
    ...{ description: 'The backend does not run with what was set.', duration_seconds: 15 * minutes },
  }),
  ...recoveryRules,
  ...ownRules,
];

const hostRules = (warning: HostLimits['warning'], critical: HostLimits['critical']): readonly AlertRuleBody[] =>
  (
    [
      ['cpu', 'system_cpu_percent', 'cpuPercent', 'CPU use of the host'],
      ['memory', 'system_memory_percent', 'memoryPercent', 'Memory use of the host'],
      ['disk', 'system_disk_usage_percent', 'diskPercent', 'Use of the file system with the data'],
    ] as const
  ).flatMap(([what, metric_name, key, about]) =>
    (['warning', 'critical'] as const).map((severity) => {
      const threshold = (severity === 'warning' ? warning : critical)[key];
      return rule(what === 'disk' ? 'disk-full' : 'host-busy', {
        ...{ name: severity === 'warning' ? `high_${what}_usage` : `critical_${what}_usage`, metric_name, severity },
        ...{
          description: `${about} is high.`,
          condition: 'gt',
          threshold,
          resolve_threshold: Math.max(0, threshold - 3),
        },
        ...{ duration_seconds: 5 * minutes },
      });
    }),
  );

const recoveryRules: readonly AlertRuleBody[] = [
  rule('disk-full', {
    ...{ name: 'disk_fills', metric_name: 'system_disk_usage_percent', measure: 'forecast', severity: 'warning' },
    ...{ description: 'As it went over six hours, the file system with the data is full within a day.' },
    ...{ window_seconds: 6 * 3_600, forecast_seconds: 86_400, condition: 'gte', threshold: 100 },
    ...{ resolve_threshold: 97, duration_seconds: 30 * minutes },
  }),
  rule('objective-missed', {
    ...{ name: 'rpo_missed', metric_name: 'ragwarden_recovery_rpo_seconds', severity: 'critical' },
    description: 'The newest good recovery point is older than the objective: more would be lost than is accepted.',
    divide_by: { metric_name: 'ragwarden_recovery_rpo_objective_seconds' },
    ...{ condition: 'gt', threshold: 1 },
  }),
  rule('objective-missed', {
    ...{ name: 'rto_missed', metric_name: 'ragwarden_recovery_rto_forecast_seconds', severity: 'warning' },
    description: 'A restore of what there is now would take longer than is accepted.',
    divide_by: { metric_name: 'ragwarden_recovery_rto_objective_seconds' },
    ...{ condition: 'gt', threshold: 1 },
  }),
  rule('backup-failed', {
    ...{
      name: 'backup_failed',
      metric_name: 'ragwarden_backup_errors_total',
      aggregation: 'increase',
      severity: 'error',
    },
    ...{ description: 'A recovery point could not be taken.', window_seconds: 3_600, group_by: ['target'] },
    ...{ condition: 'gt', threshold: 0, duration_seconds: 0 },
  }),
  rule('backup-failed', {
    ...{ name: 'backup_partial', metric_name: 'ragwarden_recovery_point_missing_parts', severity: 'warning' },
    description: 'The newest recovery point lacks something that the target has.',
    ...{ condition: 'gt', threshold: 0 },
  }),
  rule('zone-lost', {
    ...{ name: 'failover_failed', metric_name: 'ragwarden_recovery_failovers_total', aggregation: 'increase' },
    ...{ labels: { outcome: ['partial', 'failed'] }, window_seconds: 3_600, group_by: ['target'] },
    ...{ description: 'A failover went back, or ended with something amiss at the other place.' },
    ...{ condition: 'gt', threshold: 0, duration_seconds: 0, severity: 'error' },
  }),
  rule('failed-drill', {
    ...{ name: 'drill_failed', metric_name: 'ragwarden_recovery_validation_failures_total', severity: 'error' },
    ...{ description: 'A rehearsed restore did not pass.', aggregation: 'increase', window_seconds: 3_600 },
    ...{ group_by: ['target'], condition: 'gt', threshold: 0, duration_seconds: 0 },
  }),
  rule('failed-drill', {
    ...{ name: 'drill_overdue', metric_name: 'ragwarden_drill_overdue', condition: 'gt', threshold: 0 },
    description: 'No rehearsed restore has passed for too long.',
  }),
  rule('replication-behind', {
    ...{ name: 'replication_lag', metric_name: 'replication_lag_seconds', condition: 'gt', threshold: 3_600 },
    description: 'A replica is behind the newest recovery point.',
  }),
  rule('replication-target-lost', {
    ...{
      name: 'replication_target_down',
      metric_name: 'ragwarden_replication_target_up',
      condition: 'lt',
      threshold: 0.5,
    },
    ...{ description: 'A place that points are copied to cannot be reached.', duration_seconds: 900 },
  }),
  rule('replication-heal', {
    ...{ name: 'replication_target_damaged', metric_name: 'ragwarden_replication_target_damaged', condition: 'gt' },
    ...{ threshold: 0, severity: 'error', duration_seconds: 0 },
    description: 'What lies at a place that points are copied to is damaged.',
  }),
  rule('replication-placement', {
    ...{ name: 'replication_placement', metric_name: 'ragwarden_replication_placement_met', condition: 'lt' },
    ...{ threshold: 1, severity: 'error', duration_seconds: 900 },
    description: 'The copies of the newest recovery point do not lie where the placement rule wants them.',
  }),
  rule('replication-prune', {
    ...{ name: 'replication_prune_failing', metric_name: 'ragwarden_replication_prune_failures', condition: 'gt' },
    ...{ threshold: 2, duration_seconds: 0 },
    description: 'Space at a place that points are copied to could not be freed, three times in a row or more.',
  }),
  rule('repository-upkeep-late', {
    ...{ name: 'repository_late', metric_name: 'ragwarden_repository_late', condition: 'gt', threshold: 0 },
    description: 'Forgetting, pruning or checking the repository has not succeeded for too long.',
  }),
  rule('repository-locked', {
    ...{ name: 'repository_fails', metric_name: 'ragwarden_repository_failures_total', aggregation: 'increase' },
    ...{
      description: 'Upkeep of the repository failed; a stale lock is the most common cause.',
      window_seconds: 6 * 3_600,
    },
    ...{ group_by: ['operation'], condition: 'gt', threshold: 0, duration_seconds: 0, severity: 'error' },
  }),
];

const ownRules: readonly AlertRuleBody[] = [
  rule('part-unhealthy', {
    // Not from there on: what is worse is the alert below, and one part in one state is one alert.
    ...{ name: 'part_degraded', metric_name: 'ragwarden_health_state', condition: 'eq', threshold: 2 },
    ...{ description: 'A health check is degraded.', duration_seconds: 10 * minutes },
  }),
  rule('part-unhealthy', {
    ...{ name: 'part_unhealthy', metric_name: 'ragwarden_health_state', condition: 'gte', threshold: 3 },
    ...{ description: 'A health check says unhealthy or critical.', duration_seconds: 2 * minutes, severity: 'error' },
  }),
  rule('gateway-down', {
    ...{
      name: 'gateway_down',
      metric_name: 'ragwarden_gateway_up',
      condition: 'lt',
      threshold: 1,
      severity: 'critical',
    },
    ...{ description: 'The gateway does not listen: whoever goes through it waits.', duration_seconds: minutes },
  }),
  rule('gateway-down', {
    ...{ name: 'upstream_unreached', metric_name: 'ragwarden_gateway_upstream_reached', condition: 'lt', threshold: 1 },
    ...{ description: 'The gateway cannot reach what it leads to.', duration_seconds: 2 * minutes, severity: 'error' },
  }),
  rule('quotas', {
    ...{ name: 'quota_used_up', metric_name: 'ragwarden_quota_denials_total', aggregation: 'increase' },
    ...{ description: 'A quota is used up and turns uses away.', window_seconds: 10 * minutes, group_by: ['instance'] },
    ...{ condition: 'gt', threshold: 0, duration_seconds: 0, severity: 'info' },
  }),
  rule('quotas', {
    ...{ name: 'quota_denial_rate', metric_name: 'ragwarden_quota_denials_total', aggregation: 'increase' },
    ...{ description: 'Quotas turn away more than 20 of 100 uses.', window_seconds: 10 * minutes },
    ...{ group_by: ['instance'], divide_by: { metric_name: 'ragwarden_quota_checks_total' } },
    ...{ condition: 'gt', threshold: 0.2, resolve_threshold: 0.1, duration_seconds: 10 * minutes, no_data: 'resolve' },
  }),
  rule('quotas', {
    ...{ name: 'quota_ledger_lost', metric_name: 'ragwarden_quota_ledger_lost', condition: 'gt', threshold: 0 },
    ...{ description: 'The ledger of the quotas does not answer.', duration_seconds: minutes, severity: 'error' },
  }),
  rule('own-work-late', {
    ...{ name: 'event_loop_late', metric_name: 'nodejs_eventloop_lag_max_seconds', condition: 'gt', threshold: 0.5 },
    ...{ description: 'ragwarden itself answers late.', duration_seconds: 10 * minutes },
  }),
  rule('own-work-late', {
    ...{ name: 'samples_lost', metric_name: 'ragwarden_metrics_lost_samplings_total', aggregation: 'increase' },
    ...{ description: 'Samples were given up because they could not be stored.', window_seconds: 10 * minutes },
    ...{ group_by: ['instance'], condition: 'gt', threshold: 0, duration_seconds: 0, severity: 'error' },
  }),
  rule('own-work-late', {
    ...{ name: 'evaluations_missed', metric_name: 'ragwarden_alert_evaluations_missed_total', aggregation: 'increase' },
    ...{ description: 'Alert rules were not evaluated in time.', window_seconds: 10 * minutes, group_by: ['instance'] },
    ...{ condition: 'gt', threshold: 1, duration_seconds: 0 },
  }),
];
