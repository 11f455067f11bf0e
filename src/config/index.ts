/**
 * Every setting: one table, read from flags, environment and file, and the only reader of `process.env`.
 * Invariants: all problems are reported together with place and mend; the result is frozen; secrets are never shown; what
 * the reader takes and what the published schema allows is the same.
 */
export { type AlertRuleBody, alertRuleBody, alertRuleChange } from './alert-structure.ts';
export type { TargetConfig } from './build-target.ts';
export type { Config, HostThresholds } from './config.ts';
export { configExample } from './config-example.ts';
export { configSchema, configSchemaText } from './config-schema.ts';
export type { CustomConfig, CustomFolder, CustomHealth, CustomOperation } from './custom-target.ts';
export { configReference, describeConfig, type ShownSetting, writtenValue } from './describe-config.ts';
export type { EndpointConfig, GatewayConfig, NamedKey, ProviderConfig } from './gateway-config.ts';
export { type ChangedSetting, type ConfigChange, createLiveConfig, type LiveConfig } from './live-config.ts';
export { findNearestName } from './nearest-name.ts';
export type { NotifyConfig, NotifySecret, ReceiverConfig, RouteConfig } from './notify-config.ts';
export {
  countedKinds,
  lostPolicies,
  type QuotaConfig,
  quotaActions,
  quotaDimensions,
  quotaPeriods,
  quotaTypes,
  quotaWindows,
  resourceKinds,
} from './quota-config.ts';
export {
  type ApiValues,
  type ConfigReading,
  type Environment,
  type Flags,
  type Origin,
  readConfig,
  readSources,
  requireConfig,
} from './read-config.ts';
export type {
  PlacementConfig,
  ReplicaConfig,
  ReplicationConfig,
} from './replication-config.ts';
export type { Setting } from './setting.ts';
export { findSettingByKey, type SettingName, settingEntries, settings } from './settings.ts';
export type { Problem } from './settings-file.ts';
export { configAtPlace, type PlaceId, placeIds, type StandbyConfig } from './standby-config.ts';
export {
  isCredentialFile,
  type StoreCredentials,
  type StoreSecret,
  storeCredentialNames,
  storeCredentialsOfFile,
} from './store-credentials.ts';
export type { StoreProxy } from './store-proxy.ts';
export type { DumpCommand, LifecycleStep } from './target-config.ts';
export type { TargetDatabase } from './target-database.ts';
export { type KindOrigin, looksLikeGraphragProject, type TargetKind, targetKinds } from './target-kind.ts';
export type { TargetQdrant } from './target-qdrant.ts';
export type { TargetRedis } from './target-redis.ts';
export type { ModelProvider, ModelProviderHalf } from './tuning-structure.ts';

/** The environment of this process. */
export const processEnvironment = (): Readonly<Record<string, string | undefined>> => process.env;
