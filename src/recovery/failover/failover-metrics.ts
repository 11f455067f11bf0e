import { placeIds } from '../../config/index.ts';
import type { Counter, Gauge, MetricRegistry } from '../../metrics/index.ts';
import { answeredAfterMs, type Failover, type PlaceName } from './failover.ts';

export type FailoverMetrics = {
  /** So that the first one is an increase to whoever scrapes. */
  begin(targetId: string): void;
  /** Where the target lives. */
  live(targetId: string, place: PlaceName): void;
  count(failover: Failover): void;
};

export function createFailoverMetrics(registry: MetricRegistry): FailoverMetrics {
  const total: Counter<readonly ['target', 'outcome']> = registry.counter({
    name: 'ragwarden_recovery_failovers_total',
    help: 'Failovers that came to their end since ragwarden started, by how they ended.',
    labels: ['target', 'outcome'],
  });
  const phases: Gauge<readonly ['target', 'phase']> = registry.gauge({
    name: 'ragwarden_recovery_failover_phase_seconds',
    help: 'How long each phase of the last failover took; absent before the first.',
    unit: 'seconds',
    labels: ['target', 'phase'],
  });
  const answered: Gauge<readonly ['target']> = registry.gauge({
    name: 'ragwarden_recovery_failover_seconds',
    help: 'Time from the request of the last failover until the target answered at its other place.',
    unit: 'seconds',
    labels: ['target'],
  });
  const lives: Gauge<readonly ['target', 'place']> = registry.gauge({
    name: 'ragwarden_recovery_active_place',
    help: '1 for the place where a target lives, 0 for its other one.',
    labels: ['target', 'place'],
  });
  return {
    live(targetId, place) {
      for (const id of placeIds) lives.labels(targetId, id).set(id === place ? 1 : 0);
    },
    begin(targetId) {
      for (const outcome of ['succeeded', 'partial', 'failed']) total.labels(targetId, outcome).inc(0);
    },
    count(failover) {
      if (failover.kind !== 'failover') return;
      const { targetId, state, facts } = failover;
      total.labels(targetId, state).inc();
      for (const { name, startedMs, finishedMs } of facts.phases)
        if (finishedMs !== null) phases.labels(targetId, name).set((finishedMs - startedMs) / 1_000);
      const took = answeredAfterMs(failover);
      if (took !== undefined) answered.labels(targetId).set(took / 1_000);
    },
  };
}
