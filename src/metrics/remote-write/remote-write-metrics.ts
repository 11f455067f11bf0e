import type { Clock } from '../../platform/clock.ts';
import type { MetricRegistry } from '../registry.ts';
import type { QueueState } from './segment-queue.ts';

/** What is counted of one store. */
export type StoreMetrics = {
  sent(samples: number): void;
  dropped(reason: string, samples: number): void;
  /** An attempt that did not get through. */
  failed(): void;
  succeeded(atMs: number): void;
  watch(read: () => QueueState): void;
};

/** The families of remote write, in the registry that it writes: a store that is reached shows how well it is. */
export function createRemoteWriteMetrics(options: {
  registry: MetricRegistry;
  clock: Clock;
}): (store: string) => StoreMetrics {
  const { registry, clock } = options;
  const sent = registry.counter({
    name: 'ragwarden_remote_write_sent_samples_total',
    help: 'Samples that the store took.',
    labels: ['store'],
  });
  const dropped = registry.counter({
    name: 'ragwarden_remote_write_dropped_samples_total',
    help: 'Samples that never reached the store, by reason: queue-full, refused, damaged, low-disk, not-queued.',
    labels: ['store', 'reason'],
  });
  const failed = registry.counter({
    name: 'ragwarden_remote_write_failed_requests_total',
    help: 'Requests that the store did not take: it was away, asked to wait, or refused.',
    labels: ['store'],
  });
  const gauge = (name: string, help: string, unit?: string) =>
    registry.gauge({ name: `ragwarden_remote_write_${name}`, help, ...(unit ? { unit } : {}), labels: ['store'] });
  const lag = gauge('lag_seconds', 'Age of the oldest samples that wait to be sent; 0 when none do.', 'seconds');
  const waiting = gauge('queued_samples', 'Samples that wait to be sent.');
  const bytes = gauge('queue_bytes', 'Bytes of the queue on disk.', 'bytes');
  const success = gauge('last_success_timestamp_seconds', 'When the store last took samples.', 'seconds');
  const watched: { readonly store: string; readonly read: () => QueueState }[] = [];
  registry.collector({
    name: 'remote write',
    sets: [lag, waiting, bytes],
    collect() {
      for (const { store, read } of watched) {
        const state = read();
        lag.labels(store).set(state.oldestMs === undefined ? 0 : Math.max(0, clock.now() - state.oldestMs) / 1_000);
        waiting.labels(store).set(state.samples);
        bytes.labels(store).set(state.bytes);
      }
    },
  });
  return (store) => {
    // There from the start, so that a first loss is seen as growth.
    sent.labels(store);
    failed.labels(store);
    return {
      sent: (samples) => sent.labels(store).inc(samples),
      dropped: (reason, samples) => dropped.labels(store, reason).inc(samples),
      failed: () => failed.labels(store).inc(),
      succeeded: (atMs) => success.labels(store).set(atMs / 1_000),
      watch: (read) => watched.push({ store, read }),
    };
  };
}
