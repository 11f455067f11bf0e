import type { MetricRegistry } from '../metrics/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { FolderSizes, Inspections, WatchedTarget } from '../targets/index.ts';

/** Gauges about the watched backends, read from what was last seen. A backend that was not seen has no numbers. */
export function registerTargetMetrics(
  registry: MetricRegistry,
  options: {
    targets: readonly WatchedTarget[];
    sizes: FolderSizes;
    inspections: Pick<Inspections, 'lastOf'>;
    clock: Clock;
  },
): void {
  const up = registry.gauge({
    name: 'ragwarden_target_up',
    help: '1 when the backend answered its last probe, else 0.',
    labels: ['target'],
  });
  const latency = registry.gauge({
    name: 'ragwarden_target_health_latency_seconds',
    help: 'Time the backend took to answer its last health call.',
    unit: 'seconds',
    labels: ['target'],
  });
  const documents = registry.gauge({
    name: 'ragwarden_target_documents',
    help: 'Documents by status, as the backend counts them.',
    labels: ['target', 'status'],
  });
  const bytes = registry.gauge({
    name: 'ragwarden_target_store_bytes',
    help: 'Bytes of the plain files of a store.',
    unit: 'bytes',
    labels: ['target', 'store'],
  });
  const observed = registry.gauge({
    name: 'ragwarden_target_observed_timestamp_seconds',
    help: 'When the backend was last probed, since the Unix epoch.',
    unit: 'seconds',
    labels: ['target'],
  });
  const running = registry.gauge({
    name: 'ragwarden_target_index_running',
    help: '1 while a run of GraphRAG works on the index, else 0.',
    labels: ['target'],
  });
  const failed = registry.gauge({
    name: 'ragwarden_target_index_failed',
    help: '1 when the last run of GraphRAG failed or did not end, else 0.',
    labels: ['target'],
  });
  const runtime = registry.gauge({
    name: 'ragwarden_target_index_duration_seconds',
    help: 'Time that the last run of GraphRAG took; absent until one has ended.',
    unit: 'seconds',
    labels: ['target'],
  });
  const rows = registry.gauge({
    name: 'ragwarden_target_table_rows',
    help: 'Rows of a table of GraphRAG, as the table itself says.',
    labels: ['target', 'table'],
  });
  registry.collector({
    name: 'targets',
    sets: [up, latency, documents, bytes, observed, running, failed, runtime, rows],
    collect() {
      for (const watched of options.targets) {
        const { id } = watched.target;
        const seen = watched.observation();
        for (const size of options.sizes.sizes(id)) bytes.labels(id, size.store).set(size.bytes);
        const found = options.inspections.lastOf(id);
        if (found?.kind === 'graphrag')
          for (const [table, count] of Object.entries(found.report.counts)) rows.labels(id, table).set(count);
        if (seen?.run) {
          running.labels(id).set(seen.run.state === 'running' ? 1 : 0);
          failed.labels(id).set(seen.run.state === 'failed' || seen.run.state === 'unfinished' ? 1 : 0);
          if (seen.run.runtimeMs !== undefined) runtime.labels(id).set(seen.run.runtimeMs / 1000);
        }
        if (!seen) continue;
        up.labels(id).set(seen.reachable ? 1 : 0);
        observed.labels(id).set(seen.atMs / 1000);
        if (seen.reachable && seen.latencyMs !== undefined) latency.labels(id).set(seen.latencyMs / 1000);
        for (const [status, count] of Object.entries(seen.documents ?? {})) documents.labels(id, status).set(count);
      }
    },
  });
}
