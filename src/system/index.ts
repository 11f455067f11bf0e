/**
 * The warden itself: its settings while it runs, its background jobs, the heartbeat that tells somebody elsewhere that they
 * run, and what it lets itself grow to.
 * Owns the tables `system_fact` and `runtime_setting`. Invariants: a round that is not complete is never reported as one; a
 * change of settings is whole or not at all, is audited, and is on disk before it is in force; what a flag or the
 * environment says is never changed here; no secret leaves; what grows is
 * listed in `growth.ts`.
 */
export { boundedCache, boundedStaging, boundedStateCopies, measureGrowth } from './bounded-files.ts';
export { createGrowth, type Growth, type GrowthCaps } from './growth.ts';
export { growthRoutes } from './growth-routes.ts';
export { createHeartbeat, type Heartbeat } from './heartbeat.ts';
export { jobsRoutes } from './jobs-routes.ts';
export type { LowDiskLimits } from './low-disk.ts';
export { createLowDisk, type DrillsHere, type LowDisk } from './low-disk-jobs.ts';
export { readRuntimeSettings } from './runtime-setting-store.ts';
export { createServiceRegistry, type ServiceRegistry } from './service-registry.ts';
export { type InstanceBody, serviceRoutes } from './service-routes.ts';
export { createSettingsControl, type SettingsCheck, type SettingsControl } from './settings-control.ts';
export { settingsRoutes } from './settings-routes.ts';
