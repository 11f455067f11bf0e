import { expect, test } from 'vitest';
import { createDocumentMetrics, createMetricRegistry } from '../metrics/index.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import type { Overview } from './overview.ts';
import { freshState, type Replica } from './replica.ts';
import { createReplicationMetrics } from './replication-metrics.ts';

test('shows lag, copies, transfers and bytes as they are, and nothing of a place that is gone', async () => {
  const registry = createMetricRegistry({ clock: createFakeClock() });
  const metrics = createReplicationMetrics(registry, createDocumentMetrics(registry));
  const lines = async (): Promise<string[]> => {
    await registry.collect();
    return registry
      .families()
      .filter(({ definition }) => definition.name.includes('replication_'))
      .flatMap((family) =>
        family
          .slotsInOrder()
          .filter((slot) => family.present[slot] !== 0)
          .map(
            (slot) =>
              `${family.definition.name} ${(family.labelValuesOf(slot) ?? []).join(' ')} ${family.values[slot]}`,
          ),
      );
  };
  const overview = (replicas: Overview['replicas']): Overview => ({
    ...{ atMs: 0, enabled: true, paused: null, refused: [], newest: [], replicas },
    placement: [{ targetId: 'a', met: false, copies: 1, zones: 1, offline: false, missing: ['x'] }],
  });
  const far = {
    // Of a place, what the figures look at.
    replica: { id: 'far', enabled: true, offline: false } as Replica,
    state: { ...freshState, status: 'healthy' as const, prunedMs: 9_000, pruneFailures: 3 },
    targets: [
      {
        ...{ targetId: 'a', copies: 3, lagMs: 90_000, points: 2, bytes: 700 },
        ...{ newestThereMs: 5_000, newestTherePointId: 'p' },
      },
    ],
  };
  metrics.show(overview([far]));
  metrics.count({ targetId: 'a', replicaId: 'far', outcome: 'success', bytes: 100 });
  metrics.count({ targetId: 'a', replicaId: 'far', outcome: 'error', bytes: null });
  metrics.countPruned({ replicaId: 'far', freedBytes: 40 });
  metrics.countPruned({ replicaId: 'far', freedBytes: null });
  expect(await lines()).toEqual(
    expect.arrayContaining([
      'ragwarden_replication_freed_bytes_total far 40',
      'ragwarden_replication_pruned_timestamp_seconds far 9',
      'ragwarden_replication_prune_failures far 3',
      'replication_lag_seconds a far 90',
      'replication_errors_total a far 1',
      'ragwarden_replication_operations_total a far success 1',
      'ragwarden_replication_operations_total a far error 1',
      'ragwarden_replication_bytes_transferred_total a far 100',
      'ragwarden_replication_copies a far 3',
      'ragwarden_replication_missing_points a far 2',
      'ragwarden_replication_missing_bytes a far 700',
      'ragwarden_replication_target_up far 1',
      'ragwarden_replication_target_damaged far 0',
      'ragwarden_replication_placement_met a 0',
    ]),
  );
  metrics.show(overview([]));
  expect((await lines()).filter((line) => /lag_seconds|copies|target_up|damaged|pruned/.test(line))).toEqual([]);
});
