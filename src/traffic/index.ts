/**
 * Traffic: what passed the gateway and what others told of their own operations, as counts, errors, times, tokens and cost. No
 * tables: totals and the latest exchanges are in memory, and what lasts is in the metrics. Invariants: an operation is counted once,
 * as done or as failed; no body, query or secret is kept; a cost is by a price that somebody set, or it is unknown.
 */
export type { Exchange, Result } from './exchange.ts';
export { costOf, createPriceTable, type Price } from './prices.ts';
export { createTraffic, type Traffic } from './traffic.ts';
export { trafficDefinitions } from './traffic-metrics.ts';
export { trafficRoutes } from './traffic-routes.ts';
export type { UserTotal } from './user-totals.ts';
