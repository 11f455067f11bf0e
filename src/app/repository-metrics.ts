import { type UpkeepKind, type UpkeepState, upkeepKinds } from '../backup/index.ts';
import type { MetricRegistry } from '../metrics/index.ts';

/** Per operation, because one may fail for weeks while the others go on. What never succeeded has no sample. */
export function registerRepositoryMetrics(
  registry: MetricRegistry,
  read: () => readonly UpkeepState[],
): { failed(kind: UpkeepKind): void } {
  const success = registry.gauge({
    name: 'ragwarden_repository_last_success_timestamp_seconds',
    help: 'When forgetting, pruning or checking the repository last succeeded, since the Unix epoch.',
    unit: 'seconds',
    labels: ['operation'],
  });
  const late = registry.gauge({
    name: 'ragwarden_repository_late',
    help: '1 when the last success is older than twice the interval and a day, else 0.',
    labels: ['operation'],
  });
  const failures = registry.counter({
    name: 'ragwarden_repository_failures_total',
    help: 'Runs that failed since ragwarden started.',
    labels: ['operation'],
  });
  for (const kind of upkeepKinds) failures.labels(kind).inc(0);
  registry.collector({
    name: 'repository',
    sets: [success, late],
    collect() {
      for (const state of read()) {
        late.labels(state.kind).set(state.late ? 1 : 0);
        if (state.lastSuccessMs !== null) success.labels(state.kind).set(state.lastSuccessMs / 1_000);
      }
    },
  });
  return { failed: (kind) => failures.labels(kind).inc() };
}
