/**
 * The RAG installations under watch: what they are, how they are, how they are stopped and started.
 * Owns the tables `target_document_total`, `target_document_counted` and `target_orphan_search`. Invariants: nothing is healthy that was not looked at; a version or field the backend does not tell is
 * unknown; a backend counts as stopped only after the proof that nobody holds its files; the end of a
 * document is counted once, whoever looked away in between; a backend is asked to work only while nothing else holds the target.
 */
export type { TargetAdapter } from './adapter.ts';
export { auditStores } from './audit/audit.ts';
export {
  type AuditDifference,
  type AuditReport,
  auditReportSchema,
  compareAudits,
} from './audit/audit-report.ts';
export { extractStores, extractTogether, type StoreExtract, type StoreExtracts } from './audit/store-extract.ts';
export type { StoreName, StoreReader, StoreReaders, StoreRows, TakeRow } from './audit/store-rows.ts';
export { askCanaryOnce } from './canary/ask-once.ts';
export { type Canary, createCanary } from './canary/canary.ts';
export { type CanaryBody, canaryRoutes } from './canary/canary-routes.ts';
export { createCustomAdapter } from './custom/custom-adapter.ts';
export { type DocumentsBody, documentRoutes, type WatchedDocuments } from './documents/document-routes.ts';
export { createDocumentStore, type DocumentPlace } from './documents/document-store.ts';
export { createDocumentWatch } from './documents/document-watch.ts';
export { createIngestMetrics } from './documents/ingest-metrics.ts';
export type { AcceptedInsert, InsertEnd } from './documents/insert-following.ts';
export { createReprocessing } from './documents/reprocess.ts';
export { type EnvFile, parseEnvFile } from './env-file/env-file.ts';
export type { FolderInspection } from './folder-inspection.ts';
export { findFolderMismatches } from './folder-match.ts';
export { createFolderSizes, type FolderSizes, measureFolder, type WorkspaceSize } from './folder-sizes.ts';
export { createGraphragAdapter } from './graphrag/graphrag-adapter.ts';
export { createGraphragService } from './graphrag/graphrag-service.ts';
export { inspectProject } from './graphrag/inspect-project.ts';
export { pathInProject, readProjectLayout } from './graphrag/project-layout.ts';
export { createInspections, type Inspections, storesElsewhere, type TargetInspection } from './inspections.ts';
export {
  createInspector,
  createJsonScanner,
  type InspectionReport,
  type Inspector,
  type JsonValue,
  storeFiles,
} from './inspector/index.ts';
export {
  type BackendLifecycle,
  createBackendLifecycle,
  type LifecycleDriver,
  type LifecycleProgress,
  nothingToStop,
} from './lifecycle/backend-lifecycle.ts';
export { createConfiguredDriver } from './lifecycle/lifecycle-drivers.ts';
export { createSupervisedDriver, type SupervisedDriver } from './lifecycle/supervised-driver.ts';
export { judgeEnvironment, type SettingFinding } from './lightrag/env-rules.ts';
export { createLightragAdapter } from './lightrag/lightrag-adapter.ts';
export { createLightragConnection, type LightragConnection } from './lightrag/lightrag-connection.ts';
export { createLightragDocuments } from './lightrag/lightrag-documents.ts';
export { createLightragRetrieval } from './lightrag/lightrag-retrieval.ts';
export { type DocumentCounts, isIdle, type Observation } from './observation.ts';
export { type OrphanFinding, type OrphanKind, orphanReasons } from './orphans/orphan.ts';
export { type OrphanSearchBody, orphanRoutes } from './orphans/orphan-routes.ts';
export { createOrphanSearches, type FindStoreOrphans, type OrphanSearches } from './orphans/orphan-search.ts';
export type { StuckWork } from './stuck-work.ts';
export { type Endpoint, type Store, type Target, type TargetTimings, targetFromConfig } from './target.ts';
export type { FileFindings, Reason, StatusWord, TargetStatus } from './target-status.ts';
export { type TargetBody, targetsRoutes } from './targets-routes.ts';
export { isAtLeast, replacesFilesByRename } from './version.ts';
export { createWatchedTarget, type TargetChange, type WatchedTarget } from './watched-target.ts';
export { findWorkspaceFolders, requireWorkspaceName, workspaceFolder } from './workspace-folders.ts';
