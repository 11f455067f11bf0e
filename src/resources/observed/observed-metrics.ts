import type { MetricRegistry } from '../../metrics/index.ts';
import type { Observer } from './observer.ts';

/** `ragwarden_observed_leaks` by subject, measure and level: 1 while it is, and 0 for one that was. */
export function registerObservedMetrics(registry: MetricRegistry, observer: Pick<Observer, 'series'>): void {
  const leaks = registry.gauge({
    name: 'ragwarden_observed_leaks',
    help: 'Growth without end that was seen of a process or a server: 1 while it is suspected or confirmed.',
    labels: ['subject', 'measure', 'level'],
  });
  const seen = new Set<string>();
  registry.collector({
    name: 'observed leaks',
    sets: [leaks],
    collect() {
      for (const { subject, measure, finding } of observer.series()) {
        const name = `${subject}\u0000${measure}`;
        if (finding) seen.add(name);
        if (!seen.has(name)) continue;
        for (const level of ['suspected', 'confirmed'] as const)
          leaks.labels(subject, measure, level).set(finding?.level === level ? 1 : 0);
      }
    },
  });
}
