import type { PointWish, RagwardenClient } from './client.ts';
import type { WaitOptions } from './operation-calls.ts';
import type { BackupResult, RestoreResult, SystemBackupPart } from './wire.ts';

/** A recovery point as document 002 writes it. */
export type SystemBackup = {
  /** Id of the recovery point. */
  readonly backup_name: string;
  readonly timestamp: string;
  /** Only what is in it. */
  readonly components: {
    readonly database?: SystemBackupPart;
    readonly workspaces?: SystemBackupPart;
    readonly configuration?: SystemBackupPart;
  };
  readonly total_size_mb: number;
  /** `partial`: something of the target is not in it, also what was left out as asked. */
  readonly status: BackupResult['status'];
  /** What is not in it, and why. */
  readonly missing: BackupResult['missing'];
};

/** What a restore put back, as document 002 writes it. */
export type SystemRestore = {
  readonly backup_name: string;
  readonly restore_timestamp: string;
  /** Configuration is kept in points and never put back by itself, so it does not stand here. */
  readonly components: {
    readonly database?: { readonly status: 'restored' };
    readonly workspaces?: { readonly status: 'restored' };
  };
  readonly notes: readonly string[];
};

export type SystemBackupOptions = WaitOptions & { readonly target?: string };

/** Takes a point and waits until it is stored and verified. @throws RagwardenError what ended the work */
export async function takeSystemBackup(
  client: RagwardenClient,
  { target, ...wait }: SystemBackupOptions,
  include: NonNullable<PointWish['include']>,
): Promise<SystemBackup> {
  const begun = await client.backup.trigger({ target, include, signal: wait.signal });
  const { result } = await client.operations.wait(begun, wait);
  const point = result as BackupResult; // what the server says an operation of this kind results in
  return {
    backup_name: point.backup_id,
    timestamp: point.timestamp,
    components: point.components,
    total_size_mb: point.total_size_mb ?? 0,
    status: point.status,
    missing: point.missing,
  };
}

/** Restores a point and waits. @throws RagwardenError `backup/unknown-point` and what else ended it */
export async function restoreSystemBackup(
  client: RagwardenClient,
  backupName: string,
  { confirm, ...wait }: WaitOptions & { readonly confirm: boolean },
): Promise<SystemRestore> {
  const begun = await client.backup.restore(backupName, { confirm, signal: wait.signal });
  const { result } = await client.operations.wait(begun, wait);
  const done = result as RestoreResult; // as above
  return {
    backup_name: done.backup_id,
    restore_timestamp: done.end_time,
    components: {
      ...(done.database.components.length > 0 ? { database: { status: 'restored' } } : {}),
      ...(done.user_data.status === 'skipped' ? {} : { workspaces: { status: 'restored' } }),
    },
    notes: done.notes,
  };
}
