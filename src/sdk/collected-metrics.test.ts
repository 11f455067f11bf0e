import { expect, test } from 'vitest';
import { collectedFamilies, readSamples } from './collected-metrics.ts';

const text = String.raw`# HELP backup_snapshots_total Recovery points.
# TYPE backup_snapshots_total counter
backup_snapshots_total{target="a",outcome="success"} 3
ragwarden_backup_restore_duration_seconds_bucket{target="a \"b\"\\\n,c}",le="+Inf"} 2
ragwarden_backup_restore_duration_seconds_sum{target="a"} 1.5e+2
# TYPE replication_lag_seconds gauge
replication_lag_seconds{target="a",replica="far"} 12
ragwarden_replication_operations_total{target="a",replica="far",outcome="success"} 4
recovery_points_total{target="a"} 7
ragwarden_recovery_rpo_seconds{target="a"} +Inf
ragwarden_drills_total{target="a",kind="drill",verdict="passed"} 1
health_check_failures_total{target="a",check="health"} 2
ragwarden_component_health_status{component="host"} 0.5
ragwarden_graph_entities{target="a"} 90
ragwarden_target_documents{target="a",status="failed"} 1
nodejs_heap_size_used_bytes 5
`;
const namesOf = (family: keyof typeof collectedFamilies) =>
  readSamples(text, collectedFamilies[family]).map(({ name }) => name);

test('each collector has the families of its part, and nothing of another', () => {
  expect(namesOf('backup')).toEqual([
    'backup_snapshots_total',
    'ragwarden_backup_restore_duration_seconds_bucket',
    'ragwarden_backup_restore_duration_seconds_sum',
  ]);
  expect(namesOf('replication')).toEqual(['replication_lag_seconds', 'ragwarden_replication_operations_total']);
  expect(namesOf('recovery')).toEqual([
    'recovery_points_total',
    'ragwarden_recovery_rpo_seconds',
    'ragwarden_drills_total',
  ]);
  expect(namesOf('health')).toEqual([
    'health_check_failures_total',
    'ragwarden_component_health_status',
    'ragwarden_graph_entities',
  ]);
});

test('labels are read as they were before they were written, and numbers too', () => {
  const [, bucket, sum] = readSamples(text, collectedFamilies.backup);
  expect(bucket).toEqual({
    name: 'ragwarden_backup_restore_duration_seconds_bucket',
    labels: { target: 'a "b"\\\n,c}', le: '+Inf' },
    value: 2,
  });
  expect(sum?.value).toBe(150);
  expect(readSamples(text, /rpo/)[0]?.value).toBe(Number.POSITIVE_INFINITY);
  expect(readSamples(text, /^nodejs/)).toEqual([{ name: 'nodejs_heap_size_used_bytes', labels: {}, value: 5 }]);
});
