import type { Counter, DocumentMetrics, Gauge, MetricRegistry } from '../metrics/index.ts';
import type { Overview } from './overview.ts';

export type ReplicationMetrics = {
  show(overview: Overview): void;
  count(facts: {
    readonly targetId: string;
    readonly replicaId: string;
    readonly outcome: 'success' | 'error';
    readonly bytes: number | null;
  }): void;
  countPruned(facts: { readonly replicaId: string; readonly freedBytes: number | null }): void;
};

type OfReplica = readonly ['target', 'replica'];

export function createReplicationMetrics(
  registry: MetricRegistry,
  document: Pick<DocumentMetrics, 'replicationLagSeconds' | 'replicationErrors'>,
): ReplicationMetrics {
  const gauge = (name: string, help: string, unit?: string): Gauge<OfReplica> =>
    registry.gauge({
      ...{ name: `ragwarden_replication_${name}`, help, labels: ['target', 'replica'] },
      ...(unit === undefined ? {} : { unit }),
    });
  const missing = gauge('missing_points', 'Verified recovery points that a replica does not hold.');
  const missingBytes = gauge('missing_bytes', 'What those points take in the repository.', 'bytes');
  const copies = gauge('copies', 'Recovery points that a replica holds.');
  const newest = gauge(
    'newest_copy_timestamp_seconds',
    'When the newest point that a replica holds was taken, since the Unix epoch.',
    'seconds',
  );
  const up: Gauge<readonly ['replica']> = registry.gauge({
    name: 'ragwarden_replication_target_up',
    help: '1 while a replica is healthy, 0.5 while something about it is wrong, 0 while it cannot be reached.',
    labels: ['replica'],
  });
  const damaged: Gauge<readonly ['replica']> = registry.gauge({
    name: 'ragwarden_replication_target_damaged',
    help: '1 while damage was found at a replica that was not healed, else 0.',
    labels: ['replica'],
  });
  const met: Gauge<readonly ['target']> = registry.gauge({
    name: 'ragwarden_replication_placement_met',
    help: '1 while the copies lie where the placement rule wants them, else 0. Absent without a rule.',
    labels: ['target'],
  });
  const operations: Counter<readonly ['target', 'replica', 'outcome']> = registry.counter({
    name: 'ragwarden_replication_operations_total',
    help: 'Transfers to a replica since ragwarden started.',
    labels: ['target', 'replica', 'outcome'],
  });
  const bytes: Counter<OfReplica> = registry.counter({
    name: 'ragwarden_replication_bytes_transferred_total',
    help: 'Bytes that transfers added at a replica, where that can be told.',
    labels: ['target', 'replica'],
  });
  const pruned: Gauge<readonly ['replica']> = registry.gauge({
    name: 'ragwarden_replication_pruned_timestamp_seconds',
    help: 'When the last prune that freed what nothing needs at a replica began, since the Unix epoch. Absent before the first.',
    unit: 'seconds',
    labels: ['replica'],
  });
  const freed: Counter<readonly ['replica']> = registry.counter({
    name: 'ragwarden_replication_freed_bytes_total',
    help: 'Bytes that pruning freed at a replica since ragwarden started, where that was told.',
    labels: ['replica'],
  });
  const pruneFailures: Gauge<readonly ['replica']> = registry.gauge({
    name: 'ragwarden_replication_prune_failures',
    help: 'How often in a row freeing what nothing needs failed at a replica; 0 after one that ended well.',
    labels: ['replica'],
  });
  let shown: (readonly [string, string])[] = [];
  let known = new Set<string>();
  const upWords = { healthy: 1, degraded: 0.5, unreachable: 0, unknown: undefined } as const;

  return {
    show({ replicas, placement }) {
      const now: (readonly [string, string])[] = [];
      for (const { replica, state, targets } of replicas) {
        const word = upWords[state.status];
        // What is offline is not asked to be up.
        if (word === undefined || !replica.enabled || replica.offline) up.remove(replica.id);
        else up.labels(replica.id).set(word);
        if (state.prunedMs === null) pruned.remove(replica.id);
        else pruned.labels(replica.id).set(state.prunedMs / 1_000);
        if (!replica.enabled || replica.kind === 'ragwarden') pruneFailures.remove(replica.id);
        else pruneFailures.labels(replica.id).set(state.pruneFailures);
        damaged.labels(replica.id).set(state.findings.length > 0 ? 1 : 0);
        if (!replica.enabled) continue;
        for (const one of targets) {
          const labels = [one.targetId, replica.id] as const;
          now.push(labels);
          if (one.lagMs === null || replica.offline) document.replicationLagSeconds.remove(...labels);
          else document.replicationLagSeconds.labels(...labels).set(one.lagMs / 1_000);
          missing.labels(...labels).set(one.points);
          missingBytes.labels(...labels).set(one.bytes);
          copies.labels(...labels).set(one.copies);
          if (one.newestThereMs === null) newest.remove(...labels);
          else newest.labels(...labels).set(one.newestThereMs / 1_000);
          // From zero on: else the first failure would begin a series, which no alert takes for growth.
          document.replicationErrors.labels(...labels).inc(0);
          bytes.labels(...labels).inc(0);
        }
      }
      for (const labels of shown.filter((one) => !now.some((other) => other[0] === one[0] && other[1] === one[1])))
        for (const metric of [document.replicationLagSeconds, missing, missingBytes, copies, newest])
          metric.remove(...labels);
      const ids = new Set(replicas.map(({ replica }) => replica.id));
      for (const id of known)
        if (!ids.has(id)) for (const metric of [up, damaged, pruned, pruneFailures]) metric.remove(id);
      [shown, known] = [now, ids];
      for (const one of placement) met.labels(one.targetId).set(one.met ? 1 : 0);
    },
    count({ targetId, replicaId, outcome, bytes: moved }) {
      operations.labels(targetId, replicaId, outcome).inc();
      if (outcome === 'error') document.replicationErrors.labels(targetId, replicaId).inc();
      if (moved !== null) bytes.labels(targetId, replicaId).inc(moved);
    },
    countPruned({ replicaId, freedBytes }) {
      if (freedBytes !== null) freed.labels(replicaId).inc(freedBytes);
    },
  };
}
