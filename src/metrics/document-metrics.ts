import type { Counter, Gauge, Histogram, MetricRegistry } from './registry.ts';

/**
 * The seven families whose names other people's dashboards already use; written exactly so. `target` is the watched installation,
 * `replica` the place it is copied to. A family for which nothing is known yet shows HELP and TYPE and no sample.
 */
export type DocumentMetrics = {
  /** Recovery points that came to exist; `outcome` is `success` or `partial`. A run that failed made none. */
  readonly backupSnapshots: Counter<readonly ['target', 'outcome']>;
  /** Bytes protected by the newest recovery point, before deduplication. */
  readonly backupSizeBytes: Gauge<readonly ['target']>;
  readonly replicationLagSeconds: Gauge<readonly ['target', 'replica']>;
  readonly replicationErrors: Counter<readonly ['target', 'replica']>;
  /** Sets `recovery_points_total` and `ragwarden_recovery_points`, which are the same number under two names. */
  setRecoveryPoints(target: string, points: number): void;
  /** The two metrics behind `setRecoveryPoints`, for the collector that owns them. */
  readonly recoveryPoints: readonly [Gauge<readonly ['target']>, Gauge<readonly ['target']>];
  readonly healthCheckFailures: Counter<readonly ['target', 'check']>;
  /** How long a check took that was answered; of the document's registry, where it has another prefix. */
  readonly healthCheckDurationSeconds: Histogram<readonly ['target', 'check']>;
  /** Seconds; `route` is the pattern, never the path; `status` is the class, `2xx`. */
  readonly requestDurationSeconds: Histogram<readonly ['method', 'route', 'status']>;
};

export function createDocumentMetrics(registry: MetricRegistry): DocumentMetrics {
  // Untyped: the number of kept points falls when old ones are forgotten, yet its name ends like a counter's.
  const total = registry.unknown({
    name: 'recovery_points_total',
    help: 'Recovery points that exist now; falls when old ones are forgotten. See ragwarden_recovery_points.',
    labels: ['target'],
  });
  const gauge = registry.gauge({
    name: 'ragwarden_recovery_points',
    help: 'Recovery points that exist now.',
    labels: ['target'],
  });
  return {
    backupSnapshots: registry.counter({
      name: 'backup_snapshots_total',
      help: 'Recovery points made since ragwarden started.',
      labels: ['target', 'outcome'],
    }),
    backupSizeBytes: registry.gauge({
      name: 'backup_size_bytes',
      help: 'Bytes protected by the newest recovery point, before deduplication.',
      unit: 'bytes',
      labels: ['target'],
    }),
    replicationLagSeconds: registry.gauge({
      name: 'replication_lag_seconds',
      help: 'How far a replica is behind the newest recovery point.',
      unit: 'seconds',
      labels: ['target', 'replica'],
    }),
    replicationErrors: registry.counter({
      name: 'replication_errors_total',
      help: 'Transfers to a replica that failed since ragwarden started.',
      labels: ['target', 'replica'],
    }),
    recoveryPoints: [total, gauge],
    setRecoveryPoints(target, points) {
      total.labels(target).set(points);
      gauge.labels(target).set(points);
    },
    healthCheckFailures: registry.counter({
      name: 'health_check_failures_total',
      help: 'Health checks that did not pass since ragwarden started.',
      labels: ['target', 'check'],
    }),
    healthCheckDurationSeconds: registry.histogram({
      name: 'ragwarden_health_check_duration_seconds',
      help: 'Time a health check took until it was answered.',
      unit: 'seconds',
      labels: ['target', 'check'],
    }),
    requestDurationSeconds: registry.histogram({
      name: 'request_duration_seconds',
      help: 'Time from a request to the end of its answer.',
      unit: 'seconds',
      labels: ['method', 'route', 'status'],
    }),
  };
}

/** `204` → `2xx`; anything that is no status is `other`. */
export const statusClass = (status: number): string =>
  status >= 100 && status < 600 ? `${Math.floor(status / 100)}xx` : 'other';
