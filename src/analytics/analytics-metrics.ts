import type { MetricRegistry } from '../metrics/index.ts';
import type { Analytics } from './analytics.ts';
import { patternTypes } from './pattern.ts';
import { priorities } from './recommendation.ts';

/** What the last look saw, nothing before the first one; and what is found or open at present, as the state has it. */
export function registerAnalyticsMetrics(
  registry: MetricRegistry,
  analytics: Pick<Analytics, 'lastLook' | 'counts'>,
): void {
  const patterns = registry.gauge({
    name: 'ragwarden_analytics_patterns',
    help: 'Patterns that are found in series of metrics at present; those that all instances share at the one that speaks for them.',
    labels: ['pattern_type'],
  });
  const open = registry.gauge({
    name: 'ragwarden_analytics_recommendations',
    help: 'Recommendations that are open; those that all instances share at the one that speaks for them.',
    labels: ['priority'],
  });
  const series = registry.gauge({
    name: 'ragwarden_analytics_series',
    help: 'Series that the last look at them took in.',
  });
  const took = registry.gauge({
    name: 'ragwarden_analytics_look_seconds',
    help: 'How long the last look took, others working meanwhile.',
    unit: 'seconds',
  });
  registry.collector({
    name: 'analytics',
    sets: [patterns, open, series, took],
    async collect() {
      const look = analytics.lastLook();
      if (look) {
        series.set(look.series);
        took.set(look.tookMs / 1_000);
      }
      const known = await analytics.counts();
      for (const type of patternTypes)
        patterns.labels(type).set(known.patterns.find((one) => one.type === type)?.count ?? 0);
      for (const [rank, priority] of priorities.entries())
        open.labels(priority).set(known.open.find((one) => one.priority === rank)?.count ?? 0);
    },
  });
}
