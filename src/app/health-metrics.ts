import type { Health, HealthReport, HealthWord } from '../health/index.ts';
import type { MetricRegistry } from '../metrics/index.ts';

/** Of the documents: 1 is well, 0.5 is not quite, 0 is not. What was not looked at has no sample. */
const shares: Readonly<Partial<Record<HealthWord, number>>> = { healthy: 1, degraded: 0.5, unhealthy: 0, critical: 0 };

/** Ordered, so that a rule may say `>= 3`. */
const states: Readonly<Record<HealthWord, number>> = { healthy: 0, unknown: 1, degraded: 2, unhealthy: 3, critical: 4 };

const verdictState = ({ can }: HealthReport['answer']): number =>
  states[can === undefined ? 'unknown' : can ? 'healthy' : 'unhealthy'];

export function registerHealthMetrics(registry: MetricRegistry, health: Health): void {
  const status = registry.gauge({
    name: 'ragwarden_component_health_status',
    help: '1 healthy, 0.5 degraded, 0 unhealthy or critical, by check; absent while it is not known.',
    labels: ['component'],
  });
  const state = registry.gauge({
    name: 'ragwarden_health_state',
    help: '0 healthy, 1 unknown, 2 degraded, 3 unhealthy, 4 critical, by check; overall, and whether the backend can answer and ingest (0, 1 or 3).',
    labels: ['service'],
  });
  registry.collector({
    name: 'health',
    sets: [status, state],
    collect() {
      const report = health.report();
      for (const { name, result } of report.checks) {
        const share = shares[result.status];
        if (share !== undefined) status.labels(name).set(share);
        state.labels(name).set(states[result.status]);
      }
      state.labels('overall').set(states[report.status]);
      state.labels('can answer').set(verdictState(report.answer));
      state.labels('can ingest').set(verdictState(report.ingest));
    },
  });
}
