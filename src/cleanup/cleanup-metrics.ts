import type { MetricRegistry } from '../metrics/index.ts';
import type { CleanupStore } from './cleanup-store.ts';
import type { CleanupRun } from './run.ts';

/** On `/metrics`: what runs did, and what lies in the quarantine. */
export function createCleanupMetrics(registry: MetricRegistry, store: CleanupStore): { note(run: CleanupRun): void } {
  const runs = registry.counter({
    name: 'ragwarden_cleanup_runs_total',
    help: 'Cleanups that ended, by strategy and outcome.',
    labels: ['strategy', 'outcome'],
  });
  const items = registry.counter({
    name: 'ragwarden_cleanup_items_total',
    help: 'Items of cleanups, by what became of them.',
    labels: ['strategy', 'result'],
  });
  const bytes = registry.counter({
    name: 'ragwarden_cleanup_freed_bytes_total',
    help: 'Bytes that cleanups took away; those in the quarantine still lie on the disk.',
    labels: ['strategy'],
  });
  const entries = registry.gauge({
    name: 'ragwarden_cleanup_quarantine_entries',
    help: 'What was taken away and can be undone.',
  });
  const held = registry.gauge({
    name: 'ragwarden_cleanup_quarantine_bytes',
    help: 'Bytes in the quarantine, as far as they are known.',
  });
  registry.collector({
    name: 'cleanup',
    sets: [entries, held],
    async collect() {
      const totals = await store.heldTotals();
      entries.set(totals.entries);
      held.set(totals.bytes);
    },
  });
  return {
    note(run) {
      runs.labels(run.strategy, run.outcome ?? 'error').inc();
      items.labels(run.strategy, 'cleaned').inc(run.cleaned);
      items.labels(run.strategy, 'skipped').inc(run.skipped);
      items.labels(run.strategy, 'failed').inc(run.failed);
      bytes.labels(run.strategy).inc(run.bytesFreed);
    },
  };
}
