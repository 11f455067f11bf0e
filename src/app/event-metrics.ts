import type { EventRecorder, NewEvent } from '../events/index.ts';
import type { MetricRegistry } from '../metrics/index.ts';
import type { Operations } from '../operations/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Tx } from '../platform/database/index.ts';
import type { Inspections, TargetInspection, WatchedTarget } from '../targets/index.ts';

const restoreBuckets = [1, 5, 15, 30, 60, 120, 300, 600, 1_800, 3_600];

/**
 * Families that are named in the documents and count what events tell.
 */
export type EventMetrics = {
  /** Shows the counters of a target from zero on: else the first failure would begin a series, which no alert takes for growth. */
  begin(target: string): void;
  /** Counts an event once it is on disk. */
  count(event: NewEvent): void;
};

export function createEventMetrics(options: {
  registry: MetricRegistry;
  operations: Operations;
  clock: Clock;
}): EventMetrics {
  const { registry, operations, clock } = options;
  const counter = <const L extends readonly string[]>(name: string, help: string, ...labels: L) =>
    registry.counter({ name: `ragwarden_${name}`, help, labels });
  const errors = counter('backup_errors_total', 'Recovery points that could not be taken.', 'target');
  const validations = counter('recovery_validations_total', 'Rehearsed restores that ended.', 'target');
  const invalid = counter('recovery_validation_failures_total', 'Rehearsed restores that did not pass.', 'target');
  const restores = registry.histogram({
    name: 'ragwarden_backup_restore_duration_seconds',
    help: 'Time from the order to restore until the backend was back.',
    unit: 'seconds',
    labels: ['target', 'outcome'],
    buckets: restoreBuckets,
  });

  const timeRestore = async (target: string, outcome: string, operationId: string | undefined): Promise<void> => {
    const operation = operationId === undefined ? undefined : await operations.find(operationId);
    if (operation) restores.labels(target, outcome).observe((clock.now() - operation.createdMs) / 1_000);
  };

  return {
    begin(target) {
      for (const one of [errors, validations, invalid]) one.labels(target).inc(0);
    },
    count({ type, targetId, operationId, data }) {
      const target = targetId ?? '';
      if (type === 'backup.point-failed') errors.labels(target).inc();
      else if (type === 'recovery.drill-ended') {
        validations.labels(target).inc();
        if (data?.verdict !== 'passed') invalid.labels(target).inc();
      } else if (data?.state === 'beside') return;
      else if (type === 'restore.finished' || type === 'restore.rolled-back')
        // A figure that cannot be looked up is left out.
        timeRestore(target, type === 'restore.finished' ? 'success' : 'error', operationId ?? undefined).catch(
          () => undefined,
        );
    },
  };
}

/** The same recorder, whose events are counted after their commit. */
export const countingEvents = (events: EventRecorder, count: (event: NewEvent) => void): EventRecorder => ({
  audit: (tx, entry) => events.audit(tx, entry),
  record(tx: Tx, event) {
    tx.afterCommit(() => count(event));
    return events.record(tx, event);
  },
});

/** What was counted in the graph, whichever backend keeps it; what it does not have, or nobody counted, is undefined. */
export function countsOfGraph(found: TargetInspection | undefined): {
  readonly entities: number | undefined;
  readonly relations: number | undefined;
  readonly communities: number | undefined;
} {
  const counts = found?.kind === 'lightrag' ? found.report.audit.counts : found?.report.counts;
  return found?.kind === 'graphrag'
    ? { entities: counts?.entities, relations: counts?.relationships, communities: counts?.communities }
    : { entities: counts?.graph_nodes, relations: counts?.graph_edges, communities: undefined };
}

export function registerGraphMetrics(
  registry: MetricRegistry,
  options: { targets: readonly WatchedTarget[]; inspections: Inspections },
): void {
  const gauge = (name: string, help: string) => registry.gauge({ name: `ragwarden_${name}`, help, labels: ['target'] });
  const graphs = gauge('graphs', 'Graphs of a target: one per workspace.');
  const entities = gauge('graph_entities', 'Entities in the graph, as last counted in its file.');
  const relations = gauge('graph_relations', 'Relations in the graph, as last counted in its file.');
  registry.collector({
    name: 'graphs',
    sets: [graphs, entities, relations],
    collect() {
      for (const { target } of options.targets) {
        graphs.labels(target.id).set(Math.max(1, target.workspaces.length));
        const counted = countsOfGraph(options.inspections.lastOf(target.id));
        if (counted.entities !== undefined) entities.labels(target.id).set(counted.entities);
        if (counted.relations !== undefined) relations.labels(target.id).set(counted.relations);
      }
    },
  });
}
