import type { RehearsalPhase } from '../backup/index.ts';
import type { Counter, Gauge, MetricRegistry } from '../metrics/index.ts';
import type { Drill } from './drill.ts';
import type { TargetRecovery } from './recovery-status.ts';

export type RecoveryMetrics = {
  /** As put together in the background; what is not known is absent. */
  show(status: TargetRecovery): void;
  /** Once for each drill that came to its end. */
  count(drill: Pick<Drill, 'targetId' | 'kind' | 'verdict'>): void;
  showPhases(targetId: string, phases: readonly RehearsalPhase[]): void;
};

export function createRecoveryMetrics(registry: MetricRegistry): RecoveryMetrics {
  const gauge = (name: string, help: string, unit?: string): Gauge<readonly ['target']> =>
    registry.gauge({ name, help, labels: ['target'], ...(unit === undefined ? {} : { unit }) });
  const lastSuccess = gauge(
    'ragwarden_drill_last_success_timestamp_seconds',
    'When the last drill that passed ended, in seconds since 1970; absent when none ever did.',
    'seconds',
  );
  const overdue = gauge(
    'ragwarden_drill_overdue',
    '1 while no drill has passed for two intervals of drill.frequency_seconds, else 0.',
  );
  const rpo = gauge(
    'ragwarden_recovery_rpo_seconds',
    'Age of the newest good recovery point: what would be lost now.',
    'seconds',
  );
  const rpoObjective = gauge('ragwarden_recovery_rpo_objective_seconds', 'Greatest loss accepted.', 'seconds');
  const rto = gauge('ragwarden_recovery_rto_seconds', 'What a restore took in the last drill that passed.', 'seconds');
  const rtoForecast = gauge(
    'ragwarden_recovery_rto_forecast_seconds',
    'The same for the present size of the target.',
    'seconds',
  );
  const rtoObjective = gauge('ragwarden_recovery_rto_objective_seconds', 'Longest restore accepted.', 'seconds');
  const duration: Gauge<readonly ['target', 'phase']> = registry.gauge({
    name: 'ragwarden_drill_duration_seconds',
    help: 'How long each phase of the last drill took, over all components.',
    unit: 'seconds',
    labels: ['target', 'phase'],
  });
  const drills: Counter<readonly ['target', 'kind', 'verdict']> = registry.counter({
    name: 'ragwarden_drills_total',
    help: 'Drills that ended since ragwarden started, by verdict.',
    labels: ['target', 'kind', 'verdict'],
  });
  const set = (metric: Gauge<readonly ['target']>, targetId: string, ms: number | null): void => {
    if (ms === null) metric.remove(targetId);
    else metric.labels(targetId).set(ms / 1000);
  };
  return {
    show({ targetId, rpo: point, rto: time, drill }) {
      set(lastSuccess, targetId, drill.lastPassedMs);
      overdue.labels(targetId).set(drill.overdueSinceMs === null ? 0 : 1);
      set(rpo, targetId, point.measuredMs);
      set(rpoObjective, targetId, point.objectiveMs);
      set(rto, targetId, time.measuredMs);
      set(rtoForecast, targetId, time.forecastMs);
      set(rtoObjective, targetId, time.objectiveMs);
    },
    count({ targetId, kind, verdict }) {
      if (verdict !== null) drills.labels(targetId, kind, verdict).inc();
    },
    showPhases(targetId, phases) {
      const sums = new Map<string, number>();
      for (const { name, ms } of phases) sums.set(name, (sums.get(name) ?? 0) + ms);
      for (const [phase, ms] of sums) duration.labels(targetId, phase).set(ms / 1000);
    },
  };
}
