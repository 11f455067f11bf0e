import type { MetricRegistry } from '../metrics/index.ts';
import type { AttemptSeen, Notify } from '../notify/index.ts';
import type { Clock } from '../platform/clock.ts';

const latencyBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What became of notifications. Kinds instead of receivers in the histogram: receivers come and go. */
export function createNotifyMetrics(registry: MetricRegistry, clock: Clock) {
  const attempts = registry.counter({
    name: 'ragwarden_notify_attempts_total',
    help: 'Attempts to notify a receiver by outcome: sent, failed (tried again), or dead for the last one of a dead letter.',
    labels: ['receiver', 'outcome'],
  });
  const latency = registry.histogram({
    name: 'ragwarden_notify_attempt_duration_seconds',
    help: 'Time a receiver took to take a notification, or to fail.',
    unit: 'seconds',
    labels: ['kind'],
    buckets: latencyBuckets,
  });
  const pending = registry.gauge({
    name: 'ragwarden_notify_pending',
    help: 'Notifications that wait to be sent, those that are tried again included.',
  });
  const oldest = registry.gauge({
    name: 'ragwarden_notify_oldest_pending_seconds',
    help: 'How long the oldest of them waits; 0 while none does.',
    unit: 'seconds',
  });
  return {
    noteAttempt({ receiverId, kind, outcome, latencyMs }: AttemptSeen): void {
      attempts.labels(receiverId, outcome).inc();
      latency.labels(kind).observe(latencyMs / 1_000);
    },
    /** From zero on: else the first dead letter would begin a series, which no alert takes for growth. */
    begin(receiverIds: readonly string[]): void {
      for (const id of receiverIds)
        for (const outcome of ['sent', 'failed', 'dead']) attempts.labels(id, outcome).inc(0);
    },
    follow({ outbox }: Pick<Notify, 'outbox'>): void {
      registry.collector({
        name: 'notify',
        sets: [pending, oldest],
        async collect() {
          const backlog = await outbox.backlog();
          pending.set(backlog.pending);
          oldest.set(backlog.oldestMs === null ? 0 : Math.max(0, clock.now() - backlog.oldestMs) / 1_000);
        },
      });
    },
  };
}
