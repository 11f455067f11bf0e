/**
 * Cleanup: found as a plan, shown, carried out, verified, and brought back from the quarantine within a window; by hand, and by tasks
 * with a schedule, a threshold, an event or a change of health.
 * Owns the tables `cleanup_plan`, `cleanup_run`, `cleanup_quarantine`, `cleanup_task` and `cleanup_fact`, the folder `quarantine` of the
 * data folder, and `.ragwarden/cleanup-…` in registered folders. Invariants: nothing outside registered folders is touched, links are
 * never followed, what is open stays; each item is looked at again immediately before; what can be undone is on the disk before it goes.
 */
export { type Cleanup, createCleanup } from './cleanup.ts';
export type {
  CleanupPlanBody,
  CleanupPlanSummaryBody,
  CleanupRunBody,
  CleanupStrategyBody,
  QuarantineEntryBody,
} from './cleanup-bodies.ts';
export { createCleanupMetrics } from './cleanup-metrics.ts';
export { cleanupRoutes } from './cleanup-routes.ts';
export { createCleanupStore } from './cleanup-store.ts';
export { fileQuarantine } from './file-quarantine.ts';
export { boundedCleanupHistory, boundedQuarantine } from './growth.ts';
export { findOpenPaths } from './open-files.ts';
export type { ContainedInNewestPoint, PlanItem } from './plan.ts';
export { createQuarantine, type Quarantine } from './quarantine.ts';
export { createRecordQuarantine } from './record-quarantine.ts';
export { createRowQuarantine } from './rows-store.ts';
export { type CleanupScheduler, createCleanupScheduler } from './scheduler.ts';
export { type CleanupDatabase, createDatabaseSessions } from './strategies/database-sessions-store.ts';
export { createExpiredQuarantine } from './strategies/expired-quarantine.ts';
export {
  type BackendState,
  type CleanupFolder,
  createGraphragUpdates,
  createOldLogs,
  createTemporaryFiles,
} from './strategies/folder-entries.ts';
export { createLlmCache } from './strategies/llm-cache.ts';
export { createOrphanRows, type FileOrphans } from './strategies/orphan-rows.ts';
export type { OrphanDatabase } from './strategies/orphan-rows-store.ts';
export { createOldDataCleanup, createRepositoryCleanup, type RepositoryUpkeep } from './strategies/own-data.ts';
export { ownStrategy } from './strategies/own-strategy.ts';
export { type CleanupRedis, createRedisKeys, createRedisQuarantine } from './strategies/redis-keys.ts';
export {
  createRegisteredResources,
  createResourceQuarantine,
  type FindFreeing,
} from './strategies/registered-resources.ts';
export { type CleanableTarget, createWorkspaceCleanup } from './strategies/workspaces.ts';
export type { AnyStrategy } from './strategy.ts';
export type { CleanupTask } from './task.ts';
export { type CleanupTaskBody, taskFrom, taskSchema } from './task-bodies.ts';
export { createTaskStore } from './task-store.ts';
export { workspaceRoutes } from './workspace-routes.ts';
export { createWorkspaceStats } from './workspace-stats.ts';
