/**
 * Resources: what programs hold, told by themselves, and which of it nobody seems to hold any more. No tables: the registry is in
 * memory, bounded, and whoever holds something tells it again after a restart. Invariants: a leak is found once, kept up to date and
 * retracted when the resource is used, claimed or gone; nothing is freed here, only told.
 */
export type { ResourceBody, ResourceLeakBody, ResourceSummaryBody } from './resource-bodies.ts';
export { createLeakScan } from './resource-jobs.ts';
export { createResourceMetrics } from './resource-metrics.ts';
export { createResourceRegistry, type LeakChange, type ResourceRegistry } from './resource-registry.ts';
export { resourceRoutes } from './resource-routes.ts';
