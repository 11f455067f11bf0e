/**
 * The host: a background sampler of CPU, memory, disks, network and processes, and what it last saw. No tables. Invariants: nothing
 * is read because somebody asked; what could not be read is absent, never zero; before the first sample everything is unknown.
 */
export { type Consumption, type ConsumptionLog, createConsumptionLog } from './consumption.ts';
export type { DiskSample } from './disk-reader.ts';
export type { ContainerSample, HostSample, ProcessSample, UserDirectorySizes } from './host.ts';
export type { HostHealthBody, SystemBody, UserUsage } from './host-bodies.ts';
export {
  decideHostHealth,
  type HostCheck,
  type HostHealth,
  type HostLoad,
  type HostThresholds,
} from './host-health.ts';
export { registerHostMetrics } from './host-metrics.ts';
export { type HostRoutesDeps, hostRoutes } from './host-routes.ts';
export { createHostSampler, type HostSampler, type HostSamplerOptions } from './host-sampler.ts';
