/**
 * The warden itself: its settings while it runs, its background jobs, the heartbeat that tells somebody elsewhere that they
 * run, what it lets itself grow to, its logs and caches, the check of both sides' configuration, the bundle for helpers.
 * Owns the tables `system_fact` and `runtime_setting`. Invariants: a round that is not complete is never reported as one; a
 * change of settings is whole or not at all, is audited, and is on disk before it is in force; what a flag or the
 * environment says is never changed here; no secret leaves; what grows is
 * listed in `growth.ts`.
 */
export { boundedCache, boundedStaging, boundedStateCopies, folderUse, measureGrowth } from './bounded-files.ts';
export { type BundlePart, makeBundle, readTail } from './bundle.ts';
export { type Cache, createCaches } from './caches.ts';
export { createFactStore } from './fact-store.ts';
export { createGrowth, type Growth, type GrowthCaps } from './growth.ts';
export { growthRoutes } from './growth-routes.ts';
export { createHeartbeat, type Heartbeat } from './heartbeat.ts';
export { jobsRoutes } from './jobs-routes.ts';
export { createLogs, type Logs } from './logs/logs.ts';
export type { LowDiskLimits } from './low-disk.ts';
export { createLowDisk, type DrillsHere, type LowDisk } from './low-disk-jobs.ts';
export { systemWorkRoutes } from './operation-routes.ts';
export { readRuntimeSettings } from './runtime-setting-store.ts';
export { secretsIn } from './secret-values.ts';
export { createServiceRegistry, type ServiceRegistry } from './service-registry.ts';
export { type InstanceBody, serviceRoutes } from './service-routes.ts';
export { createSettingsControl, type SettingsCheck, type SettingsControl } from './settings-control.ts';
export { settingsRoutes } from './settings-routes.ts';
export { systemRoutes } from './system-routes.ts';
export { validateConfiguration } from './validate.ts';
