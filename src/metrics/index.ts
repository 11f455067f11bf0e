/**
 * Metrics: families of series, recorded through handles, shown on `/metrics`, kept over time. Table: `metric_block`. Invariants: a value is measured or absent, never
 * invented; series with different labels never share a value; recording never throws and never waits.
 */
export { createDocumentMetrics, type DocumentMetrics, statusClass } from './document-metrics.ts';
export { createMetricHistory, type MetricHistory, type SeriesSamples } from './history.ts';
export { createMetricsHandler, type MetricsHandler } from './metrics-routes.ts';
export { createProcessMetrics, setBuildInfo } from './process-metrics.ts';
export {
  type Collector,
  type Counter,
  createMetricRegistry,
  type Gauge,
  type Histogram,
  type MetricRegistry,
} from './registry.ts';
export { boundedSamples } from './sample-growth.ts';
export type { CounterHandle, GaugeHandle, HistogramHandle } from './series.ts';
