import { createClient, type RagwardenClient } from './client.ts';
import { type SystemBackup, type SystemBackupOptions, takeSystemBackup } from './system-backup.ts';
import type { CallOptions, ClientOptions } from './transport.ts';
import type { SettingsCheckBody } from './wire.ts';

/** Work on ragwarden itself. */
export class SystemOperations {
  readonly #client: RagwardenClient;

  constructor(options: ClientOptions) {
    this.#client = createClient(options);
  }

  /**
   * Takes a recovery point of the parts that are asked for, all unless told, and waits until it is stored and verified.
   * @throws RagwardenError what ended the work
   */
  createSystemBackup(
    options: SystemBackupOptions & {
      includeDatabase?: boolean;
      includeWorkspaces?: boolean;
      includeConfig?: boolean;
    } = {},
  ): Promise<SystemBackup> {
    const { includeDatabase, includeWorkspaces, includeConfig, ...rest } = options;
    return takeSystemBackup(this.#client, rest, {
      database: includeDatabase,
      workspaces: includeWorkspaces,
      config: includeConfig,
    });
  }

  /** Every problem of the settings as they are written now, and what reloading them would change; changes nothing. */
  validateConfiguration(call: CallOptions = {}): Promise<SettingsCheckBody> {
    return this.#client.settings.check(call);
  }

  /**
   * Reads the settings file and the files of secrets again, all of it or nothing.
   * @throws RagwardenError `config/invalid` with every problem; what is in force then stays
   */
  reloadConfiguration(call: CallOptions = {}): Promise<SettingsCheckBody> {
    return this.#client.settings.reload(call);
  }
}
