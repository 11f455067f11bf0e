/**
 * The library: an HTTP client of ragwarden without dependencies, for Node.js 20 and newer. `createClient` has every call;
 * the classes are thin doors under the names that people know from the documents.
 */

export type { AlertHistoryQuery, AlertLabelMatcher, AlertRule, AlertTest } from './alert-calls.ts';
export { AlertManager } from './alert-manager.ts';
export type { PatternQuery, RecommendationQuery, WindowQuery } from './analytics-calls.ts';
export { BackupManager } from './backup-manager.ts';
export { BackupReplicationConfig } from './backup-replication-config.ts';
export { BackupService, getBackupService } from './backup-service.ts';
export type { CleanupBudget, CleanupParams, CleanupTaskWish, CleanupWish } from './cleanup-calls.ts';
export {
  type AddStrategy,
  CleanupPriority,
  CleanupScheduler,
  CleanupTask,
  type CleanupTaskGiven,
  CleanupTriggerType,
  getCleanupScheduler,
  type OwnCleanupItem,
  type OwnCleanupStrategy,
} from './cleanup-scheduler.ts';
export {
  createClient,
  type LoginLink,
  type NewToken,
  type PointWish,
  type RagwardenClient,
  type RestoreWish,
} from './client.ts';
export type { CollectedMetric } from './collected-metrics.ts';
export { DisasterRecoveryManager, HealthValidator } from './disaster-recovery-manager.ts';
export type {
  AuditQuery,
  EventFilter,
  EventQuery,
  EventRange,
  EventStreamOptions,
  ToldEvent,
  VerifyOptions,
} from './event-calls.ts';
export { EventLogger, type TimeRange } from './event-logger.ts';
export type { FailoverWish } from './failover-calls.ts';
export { GraphBackup, type RestoreSnapshotOptions, type TakeSnapshotOptions } from './graph-backup.ts';
export type { WorkOptions } from './graph-calls.ts';
export type { HealthOptions } from './health-calls.ts';
export {
  getLightragConfig,
  LightRAGConfig,
  type LightRAGConfigValues,
  resetLightragConfig,
  setLightragConfig,
} from './lightrag-config.ts';
export {
  getLightragMonitor,
  LightRAGMonitor,
  type LightragOperation,
  type OperationFacts,
} from './lightrag-monitor.ts';
export type { MetricDefine, MetricHistoryQuery, MetricQuery, MetricTopQuery } from './metric-calls.ts';
export {
  type AgentExecution,
  getMetricsCollector,
  type LlmUsage,
  type MetricDefinition,
  type MetricRange,
  MetricsCollector,
} from './metrics-collector.ts';
export { type MonitorOptions, monitorLightragOperation } from './monitor-operation.ts';
export type { StartOptions, WaitOptions } from './operation-calls.ts';
export type { NewQuota, QuotaSettings, QuotaUse } from './quota-calls.ts';
export {
  getQuotaManager,
  QuotaAction,
  QuotaDefinition,
  QuotaManager,
  QuotaPeriod,
  QuotaType,
} from './quota-manager.ts';
export { RagwardenError, type RagwardenErrorFacts } from './ragwarden-error.ts';
export type { NewReplica, ReplicaChange, ReplicationLogQuery } from './replication-calls.ts';
export { GraphReplicator, ReplicationManager } from './replication-manager.ts';
export { getResourceAnalyzer, OptimizationType, ResourceAnalyzer } from './resource-analyzer.ts';
export type { ResourceQuery, ResourceRegistration } from './resource-calls.ts';
export { getResourceManager, ResourceManager, type ResourcesCleaned, ResourceType } from './resource-manager.ts';
export type { StreamOptions } from './server-sent.ts';
export type { Subsystem } from './subsystems.ts';
export type { SystemBackup, SystemBackupOptions, SystemRestore } from './system-backup.ts';
export type { ClearCachesOptions, RestartServicesOptions, ValidateOptions } from './system-calls.ts';
export { getSystemHealth, type SystemHealth, SystemHealthMonitor } from './system-health-monitor.ts';
export { getSystemMonitor, SystemMonitor } from './system-monitor.ts';
export { LogManager, SystemOperations } from './system-operations.ts';
export type { Tracked, TrackOptions } from './track.ts';
export type { TrafficFilter } from './traffic-calls.ts';
export type { CallOptions, ClientOptions } from './transport.ts';
export type { TuningScope, TuningValues } from './tuning-calls.ts';
export type * from './wire.ts';
