import type { MetricRegistry, Recorder } from '../metrics/index.ts';
import { resourceTypes } from './resource.ts';
import type { ResourceRegistry } from './resource-registry.ts';

/** Records `resource_count` and `resource_leaks` by type, of each type from its first resource on. */
export function createResourceMetrics(options: {
  recorder: Recorder;
  registry: MetricRegistry;
  resources: Pick<ResourceRegistry, 'totals'>;
}): void {
  const { recorder, registry, resources } = options;
  const count = recorder.gauge({ name: 'resource_count' });
  const leaks = recorder.gauge({ name: 'resource_leaks' });
  const seen = new Set<string>();
  registry.collector({
    name: 'resources',
    // Written by handles that keep each value, as the other metrics that are there from the start.
    sets: [],
    collect() {
      const { byType, leaksByType } = resources.totals();
      for (const type of resourceTypes) {
        if (byType[type] > 0) seen.add(type);
        if (!seen.has(type)) continue;
        count.labels({ type }).set(byType[type]);
        leaks.labels({ type }).set(leaksByType[type]);
      }
    },
  });
}
