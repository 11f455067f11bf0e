import { createClient } from './client.ts';
import type { CallOptions, ClientOptions } from './transport.ts';
import type { SettingBody } from './wire.ts';

/** What a running ragwarden is set to about recovery points and metrics, as it was when asked. */
export class BackupReplicationConfig {
  /** Where the repository is. In the data folder unless set, and relative when that was given relative to the server's. */
  readonly backupStoragePath: string;
  /** Days for which at least the last point of each day is kept. */
  readonly backupRetentionDays: number;
  readonly replicationEnabled: boolean;
  /** The SQLite file in the data folder; null when a URL was set, which may hold a password and is never told. */
  readonly recoveryDbUrl: string | null;
  readonly metricsEnabled: boolean;
  readonly metricsPort: number;

  private constructor(settings: ReadonlyMap<string, SettingBody>) {
    const find = (key: string): unknown => {
      const found = settings.get(key);
      if (!found) throw new TypeError(`This ragwarden has no setting ${key}; it is of another version.`);
      return found.value;
    };
    const dataDir = String(find('data_dir'));
    this.backupStoragePath = String(find('backup.location') ?? `${dataDir}/repository`);
    this.backupRetentionDays = Number(find('backup.daily_retention_days'));
    this.replicationEnabled = find('replication.enabled') === true;
    this.recoveryDbUrl = settings.get('state.database_url')?.is_set ? null : `sqlite:///${dataDir}/state.sqlite`;
    this.metricsEnabled = find('metrics.enabled') === true;
    this.metricsPort = Number(find('metrics.port'));
  }

  /** Asks for the settings in force, whatever they came from. */
  static async load(options: ClientOptions, call: CallOptions = {}): Promise<BackupReplicationConfig> {
    const { items } = await createClient(options).settings.list(call);
    return new BackupReplicationConfig(new Map(items.map((one) => [one.key, one])));
  }
}
