/**
 * Recovery points: captured, stored, verified, listed, restored, forgotten.
 * Owns the tables `recovery_point` and `backup_setting`, the staging folder and the repository. Invariants: a point exists when
 * the repository holds its manifest; its grade comes from the proof; a restore ends in the old or the new state, complete.
 */
export { anchorsOfCatalogue, anchorsOfRepository, type PointAnchor } from './audit-anchors.ts';
export { type Backup, createBackup, rememberRepository } from './backup.ts';
export type { Inspection, ProtectedTarget } from './backup-deps.ts';
export { type BackupSchedule, type BackupStatus, createBackupSchedule, rpoSlackMs } from './backup-schedule.ts';
export { catalogueReport, factTagChanges, rebuildCatalogue } from './catalogue/index.ts';
export { countMissing } from './count-missing.ts';
export { type Graph, requireGraph } from './graphs/graph.ts';
export { findTornEnd } from './looks-complete.ts';
export { renderManifest } from './manifest.ts';
export { believedMs, isAheadOfClock, isMisdated, isOutOfOrder, newestFirstAt, type RecoveryPoint } from './point.ts';
export { boundedPointHistory } from './point-growth.ts';
export { createPointStore, type PointStore } from './point-store.ts';
export { connectPostgres, defaultDatabase, defaultUser, type PostgresConnection } from './postgres/connection.ts';
export { findDatabaseOrphans, findLostRows } from './postgres/orphan-store.ts';
export {
  chooseRecoverable,
  describeMisdated,
  listRecoverable,
  planRecovery,
  type RecoverablePoint,
  type RecoveryPlan,
} from './recover/plan-recovery.ts';
export { recoverPoint } from './recover/recover-point.ts';
export { redactSecrets } from './redact-secrets.ts';
export {
  findDamage,
  type PointRehearsal,
  type RehearsalPhase,
  rehearsedEntries,
  rehearsedFolder,
  rehearsedList,
  rehearsePoint,
} from './rehearse-point.ts';
export {
  type CopyProgress,
  createResticRepository,
  ensurePasswordFile,
  type LocationKind,
  type LocationOrigin,
  parseRecoveryKit,
  parseRepositoryLocation,
  type Repository,
  type RepositoryLocation,
  type ResticOptions,
  recoveryKit,
} from './repository/index.ts';
export { createCommandRestorer } from './restore/command/command-restorer.ts';
export { removeOutside } from './restore/outside.ts';
export { createPostgresRestorer } from './restore/postgres/restorer.ts';
export { createQdrantRestorer } from './restore/qdrant/qdrant-restorer.ts';
export { createRedisRestorer } from './restore/redis/redis-restorer.ts';
export type { Restorer } from './restore/restorer.ts';
export { setFolderAside } from './restore/set-aside.ts';
export { createSqliteRestorer } from './restore/sqlite/sqlite-restorer.ts';
export { backupRoutes } from './routes/index.ts';
export { type PointSelection, wholeTarget } from './selection.ts';
export { createCommandSource } from './sources/command/command-source.ts';
export { createConfigSource } from './sources/config/config-source.ts';
export {
  createFilesSource,
  type Exclusion,
  lightragExclusions,
  lightragFirst,
  otherWorkspaceExclusion,
} from './sources/files/index.ts';
export { createPostgresSource } from './sources/postgres/index.ts';
export { inPayload as workspaceInPayload } from './sources/qdrant/lightrag-collections.ts';
export { createOwnSnapshots } from './sources/qdrant/own-snapshots.ts';
export { createQdrantSource } from './sources/qdrant/qdrant-source.ts';
export { connectToAsk } from './sources/redis/ask-redis.ts';
export { openRedis } from './sources/redis/redis-connection.ts';
export { readRedisUrl } from './sources/redis/redis-place.ts';
export { createRedisSource } from './sources/redis/redis-source.ts';
export type { Source, SourceKind } from './sources/source.ts';
export { createSqliteSource } from './sources/sqlite/sqlite-source.ts';
export { createStateSource } from './sources/state/state-source.ts';
export { boundedUndo } from './undo-growth.ts';
export { foldRestored } from './unfold/index.ts';
export { type UpkeepKind, type UpkeepState, upkeepKinds } from './upkeep/index.ts';
export { findManifestSnapshot } from './verify-point.ts';
export { noBarrier, type WriteBarrier } from './write-barrier.ts';
