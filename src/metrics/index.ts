/**
 * Metrics: families of series, recorded through handles, shown on `/metrics`, kept over time in ever coarser tiers, asked for by
 * window. Tables: `metric_block`, `metric_definition`, `metric_agent`. Invariants: a value is measured or absent, never invented;
 * series with different labels never share a value; recording never throws and never waits; a damaged block is never read as numbers.
 */
export { agentMetrics } from './agents.ts';
export { type CurrentValues, createCurrentValues } from './current-values.ts';
export { createDocumentMetrics, type DocumentMetrics, statusClass } from './document-metrics.ts';
export type { CounterHandle, GaugeHandle, HistogramHandle } from './handles.ts';
export type { MetricHistory } from './history.ts';
export type { Aggregation, OwnDefinition } from './metric-definition.ts';
export type { QuotaNumbers } from './metric-route-deps.ts';
export { metricRoutes } from './metric-routes.ts';
export { createMetrics, type Metrics } from './metrics.ts';
export { createMetricsHandler, type MetricsHandler } from './metrics-routes.ts';
export { createOldSamples } from './old-samples.ts';
export { createProcessMetrics, setBuildInfo } from './process-metrics.ts';
export type { QueryRequest } from './query.ts';
export { expressPromql } from './read-back/promql.ts';
export { createReadBack } from './read-back/read-back.ts';
export { findStoreName, type StoreName } from './read-back/store-names.ts';
export type { Recorder } from './recorder.ts';
export {
  type Collector,
  type Counter,
  createMetricRegistry,
  type Gauge,
  type Histogram,
  type MetricRegistry,
} from './registry.ts';
export { createRemoteWrite, type RemoteWrite } from './remote-write/remote-write.ts';
export { boundedAgents, boundedSamples } from './sample-growth.ts';
export { createScraper } from './scrape/scraper.ts';
export { endpointHeaders, type StoreEndpoint } from './store-endpoint.ts';
