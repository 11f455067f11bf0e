/** `ragwarden/client`: the HTTP client without the names of the documents. Shares its code with `ragwarden`. */
export {
  createClient,
  type LoginLink,
  type NewToken,
  type PointWish,
  type RagwardenClient,
  type RestoreWish,
} from './client.ts';
export type {
  AuditQuery,
  EventFilter,
  EventQuery,
  EventRange,
  EventStreamOptions,
  ToldEvent,
  VerifyOptions,
} from './event-calls.ts';
export type { WorkOptions } from './graph-calls.ts';
export type { HealthOptions } from './health-calls.ts';
export type { MetricDefine, MetricHistoryQuery, MetricQuery, MetricTopQuery } from './metric-calls.ts';
export type { StartOptions, WaitOptions } from './operation-calls.ts';
export { RagwardenError, type RagwardenErrorFacts } from './ragwarden-error.ts';
export type { StreamOptions } from './server-sent.ts';
export type { ClearCachesOptions, RestartServicesOptions, ValidateOptions } from './system-calls.ts';
export type { TrafficFilter } from './traffic-calls.ts';
export type { CallOptions, ClientOptions } from './transport.ts';
export type * from './wire.ts';
