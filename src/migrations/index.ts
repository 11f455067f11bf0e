import type { MigrationList } from '../platform/database/index.ts';
import * as metricsBlocks from './metrics/0001_metrics_blocks.ts';
import * as metricsTiers from './metrics/0002_metrics_tiers.ts';
import * as events from './state/0001_events.ts';
import * as operations from './state/0002_operations.ts';
import * as access from './state/0003_access.ts';
import * as backup from './state/0004_backup.ts';
import * as operationsIdempotency from './state/0005_operations_idempotency.ts';
import * as accessRotation from './state/0006_access_rotation.ts';
import * as backupUnknownBytes from './state/0007_backup_unknown_bytes.ts';
import * as systemFacts from './state/0008_system_facts.ts';
import * as systemRuntimeSetting from './state/0009_system_runtime_setting.ts';
import * as auditSegments from './state/0010_events_audit_segments.ts';
import * as backupWorkspace from './state/0011_backup_workspace.ts';
import * as recoveryDrills from './state/0012_recovery_drills.ts';
import * as targetsDocuments from './state/0013_targets_documents.ts';
import * as gatewayKeys from './state/0014_access_gateway_keys.ts';
import * as notify from './state/0015_notify.ts';
import * as targetsOrphans from './state/0016_targets_orphans.ts';
import * as eventsCorrelation from './state/0017_events_correlation.ts';
import * as alerts from './state/0018_alerts.ts';
import * as tuning from './state/0019_tuning.ts';
import * as resourcesObserved from './state/0020_resources_observed.ts';
import * as cleanup from './state/0021_cleanup.ts';
import * as quotas from './state/0022_quotas.ts';
import * as tuningWatch from './state/0023_tuning_watch.ts';
import * as replication from './state/0024_replication.ts';
import * as recoveryFailover from './state/0025_recovery_failover.ts';
import * as analytics from './state/0026_analytics.ts';
import * as replicationLog from './state/0027_replication_log.ts';
import * as automaticCheckpoints from './state/0028_recovery_automatic_checkpoints.ts';
import * as analyticsDismissals from './state/0029_analytics_dismissals.ts';

/** Every step of `state.sqlite`, in the order of the names; append only. */
export const stateMigrations: MigrationList = {
  '0001_events': events,
  '0002_operations': operations,
  '0003_access': access,
  '0004_backup': backup,
  '0005_operations_idempotency': operationsIdempotency,
  '0006_access_rotation': accessRotation,
  '0007_backup_unknown_bytes': backupUnknownBytes,
  '0008_system_facts': systemFacts,
  '0009_system_runtime_setting': systemRuntimeSetting,
  '0010_events_audit_segments': auditSegments,
  '0011_backup_workspace': backupWorkspace,
  '0012_recovery_drills': recoveryDrills,
  '0013_targets_documents': targetsDocuments,
  '0014_access_gateway_keys': gatewayKeys,
  '0015_notify': notify,
  '0016_targets_orphans': targetsOrphans,
  '0017_events_correlation': eventsCorrelation,
  '0018_alerts': alerts,
  '0019_tuning': tuning,
  '0020_resources_observed': resourcesObserved,
  '0021_cleanup': cleanup,
  '0022_quotas': quotas,
  '0023_tuning_watch': tuningWatch,
  '0024_replication': replication,
  '0025_recovery_failover': recoveryFailover,
  '0026_analytics': analytics,
  '0027_replication_log': replicationLog,
  '0028_recovery_automatic_checkpoints': automaticCheckpoints,
  '0029_analytics_dismissals': analyticsDismissals,
};

/** Every step of `metrics.sqlite`. */
export const metricsMigrations: MigrationList = {
  '0001_metrics_blocks': metricsBlocks,
  '0002_metrics_tiers': metricsTiers,
};
