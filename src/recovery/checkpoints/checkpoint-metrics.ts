import type { MetricRegistry } from '../../metrics/index.ts';
import { type CheckpointCause, checkpointCauses } from './checkpoint.ts';

export type CheckpointMetrics = {
  show(facts: { byCause: Readonly<Record<CheckpointCause, number>>; lastMs: ReadonlyMap<string, number> }): void;
};

export function createCheckpointMetrics(registry: MetricRegistry): CheckpointMetrics {
  const there = registry.gauge({
    name: 'ragwarden_recovery_checkpoints',
    help: 'Checkpoints that there are, by cause: made by somebody (manual) or by themselves (scheduled).',
    labels: ['cause'],
  });
  const last = registry.gauge({
    name: 'ragwarden_recovery_checkpoint_last_timestamp_seconds',
    help: 'When a checkpoint of the target was last made by itself, in seconds since 1970; absent before the first.',
    unit: 'seconds',
    labels: ['target'],
  });
  return {
    show({ byCause, lastMs }) {
      for (const cause of checkpointCauses) there.labels(cause).set(byCause[cause]);
      for (const [targetId, atMs] of lastMs) last.labels(targetId).set(atMs / 1_000);
    },
  };
}
