import type { RecoveryPoint } from '../backup/index.ts';
import type { Clock } from '../platform/clock.ts';
import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { type Place, type Quotas, requireRoom } from '../quotas/index.ts';
import { findWorkspaceFolders, type Target, type WorkspaceSize } from '../targets/index.ts';

export type QuotaLevels = {
  /** What the stores of a target hold was measured. Where it has none, or one could not be read, nothing is known and nothing told. */
  noteStored(target: MeasuredTarget, measured: readonly MeasuredStore[]): void;
  /** A point was taken: what it added counts in windows, what all of them take is measured anew. */
  notePoint(point: Pick<RecoveryPoint, 'targetId' | 'storedBytes'>): void;
  /** Whether another point may be begun, by what the repository took when it was last measured. @throws AppError `quota/exceeded` */
  requireBackupRoom(): void;
};

type MeasuredTarget = Pick<Target, 'id' | 'workspaces' | 'stores'>;
type MeasuredStore = Pick<WorkspaceSize, 'store' | 'bytes' | 'unread' | 'below'>;

/** A walk through the packs of a repository is no work for each look at the stores. */
const measureAgainMs = 300_000;

/**
 * Tells the quotas of `stored_bytes` and `backup_bytes` what was measured. Nothing is measured for them while nobody has such a
 * quota; what cannot be told now is told with the next measurement.
 */
export function createQuotaLevels(options: {
  quotas: Pick<Quotas, 'definitions' | 'noteLevel' | 'count'>;
  clock: Pick<Clock, 'now'>;
  log: Logger;
  targetId: string | null;
  /** What the recovery points take where they are kept. */
  repositoryBytes(): Promise<number>;
}): QuotaLevels {
  const { quotas, clock, log, targetId } = options;
  const backups: Place = { targetId, workspace: null, userId: null, keyId: null };
  let backupLevel: number | undefined;
  let measuredMs = Number.NEGATIVE_INFINITY;
  let measuring = false;
  let again = false;

  const told = (what: Promise<unknown>, counts: string): void => {
    what.catch((err: unknown) =>
      log.warn({ counts, why: describeError(err) }, 'a measured level was not told to quotas'),
    );
  };
  const measureBackups = async (): Promise<void> => {
    again = measuring;
    if (measuring || !quotas.definitions.counts(['backup_bytes']).any) return;
    measuring = true;
    try {
      do {
        again = false;
        measuredMs = clock.now();
        backupLevel = await options.repositoryBytes();
        await quotas.noteLevel(backups, 'backup_bytes', backupLevel);
      } while (again);
    } finally {
      measuring = false;
    }
  };

  return {
    noteStored(target, measured) {
      if (clock.now() - measuredMs >= measureAgainMs) told(measureBackups(), 'backup_bytes');
      if (!quotas.definitions.counts(['stored_bytes']).any) return;
      if (!isKnown(target, measured)) return;
      const note = (workspace: string | null, bytes: number): void => {
        const place = { targetId: target.id, workspace, userId: null, keyId: null };
        told(quotas.noteLevel(place, 'stored_bytes', bytes), 'stored_bytes');
      };
      note(
        null,
        measured.reduce((sum, { bytes }) => sum + bytes, 0),
      );
      for (const workspace of target.workspaces) note(workspace, bytesOf(workspace, target, measured));
    },
    notePoint({ storedBytes }) {
      if (storedBytes !== null) quotas.count(backups, { backup_bytes: storedBytes }, { unasked: true });
      told(measureBackups(), 'backup_bytes');
    },
    requireBackupRoom() {
      if (backupLevel === undefined) return;
      requireRoom(quotas, { place: backups, counts: 'backup_bytes', level: backupLevel }, clock.now());
    },
  };
}

/** Folders that are closed, or on a disk that is not mounted, would look empty. Before the first upload there is no input folder. */
function isKnown({ stores }: MeasuredTarget, measured: readonly MeasuredStore[]): boolean {
  const kindOf = (name: string) => stores.find((one) => one.name === name)?.kind;
  return (
    measured.some(({ unread }) => unread === null) &&
    measured.every(({ store, unread }) => unread === null || (unread === 'ENOENT' && kindOf(store) === 'input-folder'))
  );
}

/** What of the stores is this workspace's: its own folders, and all of what knows no workspaces. Of the unnamed one what is no other's. */
function bytesOf(workspace: string, { stores }: MeasuredTarget, measured: readonly MeasuredStore[]): number {
  const root = stores.find(({ kind }) => kind === 'workspace-folder')?.path;
  const others = workspace !== '' || root === undefined ? [] : findWorkspaceFolders(root);
  return measured.reduce((sum, { store, bytes, below }) => {
    if (stores.find(({ name }) => name === store)?.separation !== 'folder') return sum + bytes;
    if (workspace !== '') return sum + (below.get(workspace) ?? 0);
    return sum + bytes - others.reduce((all, other) => all + (below.get(other) ?? 0), 0);
  }, 0);
}
