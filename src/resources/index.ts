/**
 * Resources: what programs hold, told by themselves or seen from outside, and which of it nobody seems to hold any more. The registry is in
 * memory, bounded, and whoever holds something tells it again after a restart; what is observed is in the table `resource_observed`. Invariants: a leak is found once, kept up to date and
 * retracted when the resource is used, claimed or gone; growth is confirmed as a leak when the harmless stories are rejected, not because
 * something went up; nothing is freed here, only told.
 */
export { createClaims, type ResourceQuota } from './claims.ts';
export {
  type LeakEvidenceBody,
  type ObservedLeakBody,
  type ObservedSeriesBody,
  observedLeakBody,
} from './observed/observed-bodies.ts';
export { registerObservedMetrics } from './observed/observed-metrics.ts';
export { observedRoutes } from './observed/observed-routes.ts';
export { createObserver, type ObservedSource, type Observer } from './observed/observer.ts';
export { createPostgresSessionsSource } from './observed/postgres-sessions-store.ts';
export { createProcessFinder } from './observed/process-finder.ts';
export { createProcessReader } from './observed/process-reader.ts';
export { createProcessSource } from './observed/process-source.ts';
export { createRedisClientsSource } from './observed/redis-clients-source.ts';
export { type Resource, resourceTypes } from './resource.ts';
export type { ResourceBody, ResourceLeakBody, ResourceSummaryBody } from './resource-bodies.ts';
export { createLeakScan } from './resource-jobs.ts';
export { createResourceMetrics } from './resource-metrics.ts';
export { createResourceRegistry, type LeakChange, type ResourceRegistry } from './resource-registry.ts';
export { resourceRoutes } from './resource-routes.ts';
