import { accessSettings } from './access-settings.ts';
import { alertSettings } from './alert-settings.ts';
import { analyticsSettings } from './analytics-settings.ts';
import { backupSettings } from './backup-settings.ts';
import { cleanupSettings } from './cleanup-settings.ts';
import { documentSettings } from './document-settings.ts';
import { gatewaySettings } from './gateway-settings.ts';
import { healthSettings } from './health-config.ts';
import { logSettings } from './log-config.ts';
import { notifySettings } from './notify-settings.ts';
import { quotaSettings } from './quota-config.ts';
import { recoverySettings } from './recovery-settings.ts';
import { replicationSettings } from './replication-settings.ts';
import { resourceSettings } from './resource-settings.ts';
import { serverSettings } from './server-settings.ts';
import type { Setting } from './setting.ts';
import { stateSettings } from './state-settings.ts';
import { systemSettings } from './system-settings.ts';
import { targetSettings } from './target-settings.ts';
import { trafficSettings } from './traffic-config.ts';
import { tuningSettings } from './tuning-settings.ts';
import { tuningWatchSettings } from './tuning-watch-settings.ts';
import type { Parser } from './value-parsers.ts';
import { watchSettings } from './watch-settings.ts';

/** Every scalar setting. What stands here is what the environment, the flags, the file, the reference, the schema and the API know. */
export const settings = {
  ...serverSettings,
  ...accessSettings,
  ...stateSettings,
  ...watchSettings,
  ...backupSettings,
  ...recoverySettings,
  ...systemSettings,
  ...targetSettings,
  ...trafficSettings,
  ...logSettings,
  ...documentSettings,
  ...gatewaySettings,
  ...resourceSettings,
  ...analyticsSettings,
  ...alertSettings,
  ...healthSettings,
  ...tuningSettings,
  ...tuningWatchSettings,
  ...notifySettings,
  ...cleanupSettings,
  ...quotaSettings,
  ...replicationSettings,
} as const;

export type Settings = typeof settings;
export type SettingName = keyof Settings;
type ValueOf<S> = S extends { readonly parser: Parser<infer T> } ? T : never;
/** One parsed value per setting; `undefined` only where there is no default. */
export type SettingValues = {
  readonly [Name in SettingName]: undefined extends Settings[Name]['fallback']
    ? ValueOf<Settings[Name]> | undefined
    : ValueOf<Settings[Name]>;
};

// Object.entries forgets that the names are these.
export const settingEntries = Object.entries(settings) as readonly (readonly [SettingName, Setting])[];

const byKey = new Map<string, SettingName>(settingEntries.map(([name, one]) => [one.key, name]));

export const findSettingByKey = (key: string): SettingName | undefined => byKey.get(key);
