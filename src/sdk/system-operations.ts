import { createClient, type RagwardenClient } from './client.ts';
import type { WaitOptions } from './operation-calls.ts';
import { type SystemBackup, type SystemBackupOptions, takeSystemBackup } from './system-backup.ts';
import type { ClearCachesOptions, RestartServicesOptions, ValidateOptions } from './system-calls.ts';
import type { CallOptions, ClientOptions } from './transport.ts';
import type {
  ClearedCachesBody,
  ConfigValidationBody,
  LogCleanup,
  LogFolderBody,
  LogRotation,
  RestartedJobBody,
  SettingsCheckBody,
} from './wire.ts';

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

  /**
   * The settings of ragwarden and of the backend (its environment file, by its own rules) as they are written now; changes nothing.
   * What reloading ours would change tells `client.settings.check()`.
   */
  validateConfiguration(options: ValidateOptions = {}): Promise<ConfigValidationBody> {
    return this.#client.system.validateConfiguration(options);
  }

  /**
   * Reads the settings file and the files of secrets again, all of it or nothing.
   * @throws RagwardenError `config/invalid` with every problem; what is in force then stays
   */
  reloadConfiguration(call: CallOptions = {}): Promise<SettingsCheckBody> {
    return this.#client.settings.reload(call);
  }

  /**
   * Sets logs of more than 100 MB (`logs.rotate_over_bytes`) aside and compresses them: ragwarden's own, and those of `logs.folders`.
   * @throws RagwardenError `conflict/state` where there is no log to look after
   */
  async rotateLogs({ all, ...options }: WaitOptions & { all?: boolean } = {}): Promise<LogRotation> {
    const begun = await this.#client.system.rotateLogs(all === undefined ? {} : { all });
    return (await this.#client.operations.wait(begun, options)).result as LogRotation; // of this kind
  }

  /** Deletes logs that nobody has written to for so many days. */
  async cleanupOldLogs(daysToKeep = 30, options: WaitOptions = {}): Promise<LogCleanup> {
    const begun = await this.#client.system.cleanupLogs({ daysToKeep });
    return (await this.#client.operations.wait(begun, options)).result as LogCleanup; // of this kind
  }

  /** One, several or all background jobs begin anew; a run under way is awaited, so that no work is dropped. */
  async restartBackgroundServices(options: RestartServicesOptions = {}): Promise<readonly RestartedJobBody[]> {
    return (await this.#client.system.restartServices(options)).items;
  }

  /** Own caches; the backend's only when it is named and `confirm` is true. `client.system.caches()` tells the consequences. */
  clearSystemCaches(options: ClearCachesOptions = {}): Promise<ClearedCachesBody> {
    return this.#client.system.clearCaches(options);
  }
}

/** Logs alone: which are looked after stands in the settings, never in a request. */
export class LogManager {
  readonly #operations: SystemOperations;
  readonly #client: RagwardenClient;

  constructor(options: ClientOptions) {
    this.#operations = new SystemOperations(options);
    this.#client = createClient(options);
  }

  /** What a rotation and a cleanup would do now; does nothing. */
  async listLogs(call: CallOptions = {}): Promise<readonly LogFolderBody[]> {
    return (await this.#client.system.logs(call)).items;
  }

  rotateLogs(options: WaitOptions & { all?: boolean } = {}): Promise<LogRotation> {
    return this.#operations.rotateLogs(options);
  }

  cleanupOldLogs(daysToKeep = 30, options: WaitOptions = {}): Promise<LogCleanup> {
    return this.#operations.cleanupOldLogs(daysToKeep, options);
  }
}
