import { expect, test } from 'vitest';
import type { NewEvent } from '../events/index.ts';
import { createMetricRegistry, type MetricRegistry } from '../metrics/index.ts';
import type { Operations } from '../operations/index.ts';
import { systemClock } from '../platform/clock.ts';
import type { Inspections, WatchedTarget } from '../targets/index.ts';
import { createEventMetrics, registerGraphMetrics } from './event-metrics.ts';

const nowMs = Date.UTC(2026, 0, 5);
const clock = { ...systemClock, now: () => nowMs };

/** Every series of a family that has a value, by its labels; of a histogram its sum. */
async function shown(registry: MetricRegistry, name: string): Promise<[labels: string, value: number][]> {
  await registry.collect();
  const family = registry.families().find(({ definition }) => definition.name === `ragwarden_${name}`);
  if (family === undefined) throw new Error(`there is no ragwarden_${name}`);
  return family
    .slotsInOrder()
    .filter((slot) => family.present[slot] !== 0)
    .map((slot) => [(family.labelValuesOf(slot) ?? []).join(' '), family.values[slot] ?? Number.NaN]);
}

function eventMetrics() {
  const registry = createMetricRegistry({ clock });
  const find = async (id: string) => (id === 'op_1' ? { createdMs: nowMs - 42_000 } : undefined);
  // Of an operation only its begin is asked for.
  const { count, begin } = createEventMetrics({ registry, clock, operations: { find } as unknown as Operations });
  const tell = (type: NewEvent['type'], more: Partial<NewEvent> = {}) =>
    count({ type, severity: 'info', message: 'm', targetId: 'a', ...more });
  return { registry, tell, begin };
}

test('the counters of a target are shown from zero on, so that the first failure is growth', async () => {
  const { registry, tell, begin } = eventMetrics();
  begin('a');
  for (const name of ['backup_errors_total', 'recovery_validations_total', 'recovery_validation_failures_total'])
    expect(await shown(registry, name)).toEqual([['a', 0]]);
  tell('backup.point-failed');
  expect(await shown(registry, 'backup_errors_total')).toEqual([['a', 1]]);
});

test('points that failed and drills that ended are counted, the latter by whether they passed', async () => {
  const { registry, tell } = eventMetrics();
  tell('backup.point-failed');
  tell('backup.point-failed', { targetId: 'b' });
  tell('backup.point-taken');
  for (const verdict of ['passed', 'failed', 'error']) tell('recovery.drill-ended', { data: { verdict } });
  expect(await shown(registry, 'backup_errors_total')).toEqual([
    ['a', 1],
    ['b', 1],
  ]);
  expect(await shown(registry, 'recovery_validations_total')).toEqual([['a', 3]]);
  expect(await shown(registry, 'recovery_validation_failures_total')).toEqual([['a', 2]]);
});

test('a restore is timed from the order to its end, by how it ended; one whose order is not known is left out', async () => {
  const { registry, tell } = eventMetrics();
  tell('restore.finished', { operationId: 'op_1' });
  tell('restore.rolled-back', { operationId: 'op_1' });
  tell('restore.finished', { operationId: 'op_2' });
  tell('restore.finished');
  await expect.poll(() => shown(registry, 'backup_restore_duration_seconds')).toHaveLength(2);
  expect(await shown(registry, 'backup_restore_duration_seconds')).toEqual([
    ['a error', 42],
    ['a success', 42],
  ]);
});

test('graphs are one per workspace, their entities and relations as last counted, absent where nobody counted', async () => {
  const registry = createMetricRegistry({ clock });
  const target = (id: string, workspaces: string[]) => ({ target: { id, workspaces } });
  const found: Record<string, unknown> = {
    a: { kind: 'lightrag', report: { audit: { counts: { graph_nodes: 90, graph_edges: 120 } } } },
    c: { kind: 'graphrag', report: { counts: { entities: 3, relationships: 2 } } },
  };
  // What an inspection holds besides its counts is not looked at.
  registerGraphMetrics(registry, {
    targets: [target('a', ['', 'x', 'y']), target('b', []), target('c', [])] as unknown as WatchedTarget[],
    inspections: { lastOf: (id: string) => found[id] } as unknown as Inspections,
  });
  expect(await shown(registry, 'graphs')).toEqual([
    ['a', 3],
    ['b', 1],
    ['c', 1],
  ]);
  expect(await shown(registry, 'graph_entities')).toEqual([
    ['a', 90],
    ['c', 3],
  ]);
  expect(await shown(registry, 'graph_relations')).toEqual([
    ['a', 120],
    ['c', 2],
  ]);
});
