import { createClient, type RagwardenClient } from './client.ts';
import type { WaitOptions } from './operation-calls.ts';
import type { ClientOptions } from './transport.ts';
import type { BackupResult, BackupStatusBody, RestoreResult, ScheduleBody } from './wire.ts';

/** Recovery points: take them, list them, go back to one. */
export class BackupService {
  readonly #client: RagwardenClient;

  constructor(options: ClientOptions) {
    this.#client = createClient(options);
  }

  /**
   * Takes a recovery point and waits until it is stored and verified.
   * @returns the point; `status` is `partial` when a component of the target is not in it
   * @throws RagwardenError `backup/unavailable`, `operation/busy`, or what ended the work
   */
  async triggerBackup(options: WaitOptions & { target?: string } = {}): Promise<BackupResult> {
    const { target, ...wait } = options;
    const begun = await this.#client.backup.trigger({
      signal: wait.signal,
      ...(target === undefined ? {} : { target }),
    });
    const { result } = await this.#client.operations.wait(begun, wait);
    return result as BackupResult; // what the server says an operation of this kind results in
  }

  /** Schedule, newest point and whether the objective is met. */
  getBackupStatus(): Promise<BackupStatusBody> {
    return this.#client.backup.status();
  }

  /** The last runs, oldest first. @param limit 1 to 100 */
  getBackupHistory(limit = 10): Promise<BackupResult[]> {
    return this.#client.backup.history({ limit });
  }

  /**
   * Replaces the data of the target by that of the point and waits until the backend is back; a safety point is taken first.
   * @throws RagwardenError `conflict/confirmation-required` without `confirm: true`, `backup/unknown-point`,
   *   `restore/blocked`, or what ended the work
   */
  async restoreBackup(backupId: string, options: WaitOptions & { confirm: boolean }): Promise<RestoreResult> {
    const { confirm, ...wait } = options;
    const begun = await this.#client.backup.restore(backupId, { confirm, signal: wait.signal });
    const { result } = await this.#client.operations.wait(begun, wait);
    return result as RestoreResult; // as above
  }

  /** Switches the schedule on; survives a restart. */
  startBackupScheduler(): Promise<ScheduleBody> {
    return this.#client.backup.startSchedule();
  }

  /** Switches the schedule off; points can still be taken by hand. */
  stopBackupScheduler(): Promise<ScheduleBody> {
    return this.#client.backup.stopSchedule();
  }
}

export const getBackupService = (options: ClientOptions): BackupService => new BackupService(options);
