/**
 * Whether what was backed up can be brought back: rehearsed restores (drills), what they proved, and the objectives they are held
 * against; and bringing it up at a second place. Owns the tables `recovery_…`, the leases `drill:…` and the scratch folders. Invariants: a drill
 * writes nowhere but into its scratch folder and throw-away databases, and that folder is gone when it has ended; a drill that could
 * not be done never counts as passed; evidence is chained to the audit trail in both directions; of a
 * target one failover is under way, over kills too; where a target lives is on disk before anything leads there.
 */

export { createCheckpointMetrics } from './checkpoints/checkpoint-metrics.ts';
export { type CheckpointBody, checkpointRoutes, type RecoveryStatusBody } from './checkpoints/checkpoint-routes.ts';
export {
  type CheckpointSchedule,
  checkpointLeaseMs,
  createCheckpointSchedule,
} from './checkpoints/checkpoint-schedule.ts';
export { createCheckpointStore } from './checkpoints/checkpoint-store.ts';
export { createCheckpoints } from './checkpoints/checkpoints.ts';
export type { DrillLimits, DrillTarget } from './drill-deps.ts';
export { boundedDrills } from './drill-growth.ts';
export { createDrillSchedule, type DrillSchedule, jitterOf } from './drill-schedule.ts';
export { createDrillStore, type DrillStore } from './drill-store.ts';
export { createDrills, type Drills, drillLeaseMs } from './drills.ts';
export type { Failover } from './failover/failover.ts';
export type { FailoverBody, FailoverPlanBody, FailoverStatusBody } from './failover/failover-bodies.ts';
export type { FailoverPlace, FailoverSource, FailoverTarget } from './failover/failover-deps.ts';
export { createFailoverMetrics } from './failover/failover-metrics.ts';
export { failoverRoutes } from './failover/failover-routes.ts';
export { createFailoverStore, type FailoverStore, readActivePlace } from './failover/failover-store.ts';
export { createFailovers, type Failovers } from './failover/failovers.ts';
export { createRecoveryMetrics } from './recovery-metrics.ts';
export { recoveryRoutes } from './recovery-routes.ts';
export { readRecovery, type TargetRecovery } from './recovery-status.ts';
