/**
 * Whether what was backed up can be brought back: rehearsed restores (drills), what they proved, and the objectives they are held
 * against. Owns the tables `recovery_drill` and `recovery_setting`, the leases `drill:…` and the scratch folder. Invariants: a drill
 * writes nowhere but into its scratch folder and throw-away databases, and that folder is gone when it has ended; a drill that could
 * not be done never counts as passed; evidence is chained to the audit trail in both directions.
 */
export type { DrillLimits, DrillTarget } from './drill-deps.ts';
export { boundedDrills } from './drill-growth.ts';
export { createDrillSchedule, type DrillSchedule, jitterOf } from './drill-schedule.ts';
export { createDrillStore, type DrillStore } from './drill-store.ts';
export { createDrills, type Drills, drillLeaseMs } from './drills.ts';
export { createRecoveryMetrics } from './recovery-metrics.ts';
export { recoveryRoutes } from './recovery-routes.ts';
export { readRecovery, type TargetRecovery } from './recovery-status.ts';
