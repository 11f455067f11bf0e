/**
 * Quotas: what may be used, by whom, and what was. Owns the tables `quota_definition`, `quota_usage` (the ledger, a row for each slot
 * of a window of a bucket), `quota_lease` (what processes have at hand), `quota_reservation` and `quota_violation`. Invariants:
 * nothing is granted that was not debited before; a use is debited from all quotas that apply or from none; what is held is covered
 * by a lease or a reservation, and each of those ends; a killed process leaves its quota over-counted, never under-counted.
 */
export type { QuotaAlarm } from './alarm.ts';
export { findFaults, type QuotaDraft } from './definitions.ts';
export { createGatewayQuota, type GatewayQuota, guardsOf } from './gateway-quota.ts';
export { requireRoom } from './levels.ts';
export { denies, type Place, type Quota } from './quota.ts';
export { boundedQuotaUsage, boundedReservations, boundedViolations } from './quota-growth.ts';
export { createQuotaWatch, createQuotaWriter } from './quota-jobs.ts';
export { registerQuotaMetrics } from './quota-metrics.ts';
export { quotaRoutes } from './quota-routes.ts';
export { createQuotas, type Quotas } from './quotas.ts';
export type { PastUse } from './replay.ts';
export { createResourceQuota } from './resource-quota.ts';
export { planThrottle } from './throttle-workspace.ts';
export { type PastPeriod, readGreatest, readUsage } from './usage.ts';
export { periodMs } from './window.ts';
