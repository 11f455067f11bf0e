import type { RecoveryPoint, Repository } from '../../backup/index.ts';
import type { SyncPlan } from '../plan-sync.ts';

export type PlaceCall = { readonly signal: AbortSignal; readonly operationId?: string };

export type PlaceLook = {
  readonly repositoryId: string | null;
  readonly storedBytes: number | null;
  /** What other installations keep there under the same key; left out or null: that cannot be, or cannot be told. */
  readonly otherBytes?: number | null;
  /** How many points of one target it keeps, the newest; left out or null: all. */
  readonly keep?: number | null;
};

/** What a transfer brought. `bytes`: as stored there; null where that place cannot tell. */
export type Brought = { readonly treeId: string; readonly bytes: number | null; readonly dataHash: string | null };

/** Of one transfer, without what an earlier attempt had sent already. Total null: nobody knows how much it will be. */
export type Sent = { readonly bytesDone: number; readonly bytesTotal: number | null };

/** Where points are copied to. Each kind of place is one adapter; limits, leases, log and retries wrap it. */
export type Place = {
  /**
   * Looks whether it can be used, and makes it where it was never used before.
   * @param known the repository that was seen there before; undefined: none
   * @throws AppError `repository/replaced` when another one lies there now, and whatever the place throws
   */
  look(known: string | null, call: PlaceCall): Promise<PlaceLook>;
  plan(points: readonly RecoveryPoint[], call: PlaceCall): Promise<SyncPlan>;
  /** `onProgress` is told by places that know how much they send, or see what has come. */
  bring(
    item: SyncPlan['copy'][number],
    limitKiB: number,
    call: PlaceCall & { onProgress?(sent: Sent): void },
  ): Promise<Brought>;
  /** Which of these lie there; and drops them. @returns ids of points that are gone now */
  forget(pointIds: readonly string[], call: PlaceCall): Promise<string[]>;
  /** Frees what nothing refers to; left out where points are whole files, which go with their bytes. */
  prune?(call: PlaceCall): Promise<{ readonly freedBytes: number | null }>;
  /** Reads a share of the data. @param known points that were brought there, where others may lie beside them; undefined: all */
  verify(
    percent: number,
    call: PlaceCall,
    known?: ReadonlySet<string>,
  ): Promise<{ readonly ok: boolean; readonly findings: readonly string[] }>;
  /** Where points can be restored from directly; undefined: they have to be brought back first. */
  readonly repository: Repository | undefined;
  /**
   * Where there is none: brings points back into one, below a folder that is the caller's to remove.
   * @throws AppError `backup/unknown-point` when one is not there, `replication/digest-mismatch` when it is not what it shall be
   */
  bringBack?(pointIds: readonly string[], folder: string, call: PlaceCall): Promise<Repository>;
};
