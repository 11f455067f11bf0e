/**
 * A repository: one encrypted, deduplicating store of snapshots. This is the port; `restic.ts` is what lies behind it.
 * Every call may throw AppError `child/missing-program` (the tool is missing or too old), `repository/missing`,
 * `repository/wrong-password`, `repository/locked`, `repository/damaged`, `repository/failed`, `storage/full`, and the reason of an aborted signal.
 */
export type Repository = {
  readonly location: { readonly kind: string; readonly display: string };
  /** The tool behind the repository, present and new enough. */
  version(): Promise<ToolVersion>;
  /** Looks without changing anything; a place that looks the same as before from outside is not opened again. An unreachable place is neither open nor missing: it throws. */
  open(call?: Call): Promise<OpenResult>;
  /**
   * With `like` it cuts files where that repository does, so that what is copied from there is deduplicated.
   * @throws AppError `conflict/state` when there is a repository already
   */
  init(call?: Call & { readonly like?: Repository }): Promise<{ id: string; formatVersion: number }>;
  /**
   * Takes snapshots over from another repository of the same kind of tool; of each what is not here yet. They get other ids,
   * while tree, time and tags stay. What a killed run had brought is used by the next one as far as its index tells.
   */
  copyFrom(request: CopyRequest): Promise<CopyResult>;
  /** Which snapshots need these packs. Reads trees: what is missing may make it fail with `repository/damaged`. */
  usersOfPacks(request: { readonly packs: readonly string[] } & Call): Promise<string[]>;
  /** Makes the index say what is there: packs that are gone leave it. Those in `setAside` are moved there first (a folder only). */
  mendIndex(
    request: { readonly packs: readonly string[]; readonly setAside: string | undefined } & Call,
  ): Promise<{ readonly moved: readonly string[] }>;
  backup(request: BackupRequest): Promise<BackupResult>;
  /**
   * Stores one stream as a snapshot that holds nothing but the file `name` at its root. After a producer that failed, or an
   * abort, no snapshot is left. @throws AppError `backup/capture-failed` when the producer ended with another exit code than 0
   */
  storeStream(request: StreamRequest): Promise<StreamResult>;
  /**
   * Joins one file of a snapshot to the standard input of a program by a kernel pipe.
   * @throws AppError `restore/blocked` when the program ended with another exit code than 0
   */
  pipeFile(request: PipeFileRequest): Promise<{ readonly stdout: string; readonly stderr: string }>;
  /** Those that carry all of `tags` (all snapshots without), oldest first. */
  snapshots(query?: { readonly tags?: readonly string[] } & Call): Promise<Snapshot[]>;
  /**
   * One file of a snapshot as bytes, undefined when the snapshot has no such path. (A folder comes as a tar archive.)
   * @throws AppError `request/too-large` above `maxBytes` (16 MiB unless told)
   */
  readFile(
    request: { readonly snapshotId: string; readonly path: string; readonly maxBytes?: number } & Call,
  ): Promise<Buffer | undefined>;
  /** Everything in a snapshot, folders included, parents before children. */
  list(request: { readonly snapshotId: string } & Call): Promise<SnapshotEntry[]>;
  /** Writes into `target` (absolute; best empty). With `include` only those paths of the snapshot and what lies below them. */
  restore(request: RestoreRequest): Promise<void>;
  check(request: CheckRequest): Promise<CheckResult>;
  /**
   * Adds and removes tags of one snapshot. Its id changes, its tree and time do not; a kill in between leaves both versions, which
   * differ in their tags alone.
   * @returns false when it has no such snapshot
   */
  tag(
    request: {
      readonly snapshotId: string;
      readonly add: readonly string[];
      readonly remove: readonly string[];
    } & Call,
  ): Promise<boolean>;
  /** Drops references, in no order: where the order counts, call twice. Ids that are already gone are no error. */
  forget(request: { readonly snapshotIds: readonly string[] } & Call): Promise<{ forgotten: number }>;
  /** Frees what no snapshot refers to. `withoutRepacking` needs no extra space: for a store that is full. */
  prune(request?: { readonly withoutRepacking?: boolean } & Call): Promise<PruneResult>;
  stats(call?: Call): Promise<RepositoryStats>;
  locks(call?: Call): Promise<RepositoryLock[]>;
  /** Removes the locks that our own killed processes left; all other locks stay. */
  removeOwnStaleLocks(call?: Call): Promise<{ removed: RepositoryLock[]; remaining: RepositoryLock[] }>;
  /**
   * Removes these locks for an operator who asks for it.
   * @throws AppError `repository/locked` when the holder of one lives, or is on another machine: that lock is never removed
   */
  unlock(request: { readonly lockIds: readonly string[] } & Call): Promise<void>;
};

export type Call = {
  readonly signal?: AbortSignal;
  readonly operationId?: string;
};

export type CopyRequest = Call & {
  /** Made by the same factory. */
  readonly from: Repository;
  readonly snapshotIds: readonly string[];
  /** KiB per second; 0: none. */
  readonly limitKiB?: number;
  /** About once a second, where the system shows what a program writes. */
  readonly onProgress?: (progress: CopyProgress) => void;
};

/** `bytes`: what went over; null where nobody followed it, or the tool does not tell. */
export type CopyResult = { readonly durationMs: number; readonly bytes: number | null };

/** Of one call. Total null: not known, or not yet. */
export type CopyProgress = { readonly bytesDone: number; readonly bytesTotal: number | null };

export type ToolVersion = { readonly name: string; readonly version: string };

export type OpenResult =
  | { readonly state: 'ok'; readonly id: string; readonly formatVersion: number }
  | { readonly state: 'missing' }
  | { readonly state: 'wrong-password' };

/** Totals grow while the tree is still being scanned. */
export type Progress = {
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
};

export type BackupRequest = Call & {
  /** Absolute folder; the tree of the snapshot begins here and does not depend on where it lies. */
  readonly cwd: string;
  /** Relative to `cwd`. */
  readonly paths: readonly string[];
  readonly tags: readonly string[];
  readonly host: string;
  /** The snapshot of an earlier point to compare with; one that is gone costs a full reading and a warning. */
  readonly parent?: string;
  /** Left out, with all below: exact paths relative to `cwd`, no patterns. */
  readonly excludes?: readonly string[];
  /**
   * Default true: a file with the parent's size and modification time is unchanged. Staged files are new links or copies, so
   * their inode or change time always differs. False also asks for the same inode and change time.
   */
  readonly ignoreInodeAndCtime?: boolean;
  readonly onProgress?: (progress: Progress) => void;
};

/** A program whose whole environment is given; no secret belongs into its arguments. */
export type PipedProgram = {
  readonly command: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd?: string;
};

export type StreamRequest = Call & {
  /** `[a-z0-9][a-z0-9._-]*` */
  readonly name: string;
  readonly tags: readonly string[];
  readonly host: string;
  /** Bytes pass through this process; a program's output goes through a kernel pipe. */
  readonly from: PipedProgram | AsyncIterable<Uint8Array>;
  readonly onProgress?: (progress: Progress) => void;
};

export type StreamResult = {
  readonly snapshotId: string;
  readonly treeId: string;
  readonly bytes: number;
  /** Bytes new in the repository. */
  readonly bytesAdded: number;
  /** Known only where the bytes passed through this process. */
  readonly sha256: string | undefined;
};

export type PipeFileRequest = Call & {
  readonly snapshotId: string;
  /** Absolute within the snapshot. */
  readonly path: string;
  readonly to: PipedProgram;
};

export type BackupWarning = { readonly path: string | null; readonly message: string };

export type BackupResult = {
  readonly snapshotId: string;
  /** Digest of the whole tree, which also covers names, times and owners. */
  readonly treeId: string;
  /** What is in it, read from the repository after it was stored. */
  readonly entries: readonly SnapshotEntry[];
  readonly filesNew: number;
  readonly filesChanged: number;
  readonly filesUnmodified: number;
  readonly filesProcessed: number;
  readonly bytesProcessed: number;
  /** Not yet in the repository before, uncompressed. */
  readonly bytesAdded: number;
  /** The same as stored; null where the tool does not tell (before restic 0.17). */
  readonly bytesAddedPacked: number | null;
  /** The first 100. */
  readonly warnings: readonly BackupWarning[];
  /** True when something that was asked for is not in the snapshot. */
  readonly unreadable: boolean;
  readonly durationMs: number;
};

export type Snapshot = {
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly createdAtMs: number;
  readonly tree: string;
  readonly tags: readonly string[];
  /** Where the files lay when they were read, for people; not the paths inside the snapshot. */
  readonly paths: readonly string[];
  readonly host: string;
};

export type SnapshotEntry = {
  /** From the root of the snapshot: `/files/a.json`. Bytes of a name that are not UTF-8 are U+FFFD here; they are restored as they were. */
  readonly path: string;
  readonly type: 'file' | 'dir' | 'symlink' | 'other';
  readonly sizeBytes: number;
  /** Permission bits with set-id and sticky bits, as chmod has them. */
  readonly mode: number;
  readonly modifiedAtMs: number;
};

export type RestoreRequest = Call & {
  readonly snapshotId: string;
  readonly target: string;
  /** Exact paths as `list` gives them, no patterns. */
  readonly include?: readonly string[];
  /** Reads every restored file again and compares it with the snapshot. */
  readonly verify?: boolean;
  /** Called only where the tool tells (restic 0.16 and newer). */
  readonly onProgress?: (progress: Progress) => void;
};

export type CheckRequest = Call & {
  /** `none` checks structure only, does not see damaged bytes, and goes on beside a running backup. */
  readonly readData: 'none' | 'subset' | 'all';
  /** For `subset`: `10%`, `1/7` or a size such as `500M`. */
  readonly subset?: string;
};

export type CheckResult = { readonly ok: boolean; readonly findings: readonly string[]; readonly durationMs: number };

/** `freedBytes` is rounded by the tool (three decimals of its unit); null when it said nothing readable. */
export type PruneResult = { readonly freedBytes: number | null; readonly durationMs: number };

export type RepositoryStats = { readonly storedBytes: number; readonly blobs: number; readonly snapshots: number };

/**
 * Who holds a lock: `ours-dead` a child of ours that was killed; `dead` a process of this machine that is gone and is not known
 * to have been ours; `alive` a process of this machine; `elsewhere` another machine, about which nothing can be known.
 */
export type LockHolder = 'ours-dead' | 'dead' | 'alive' | 'elsewhere';

export type RepositoryLock = {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly username: string;
  readonly createdAtMs: number;
  readonly exclusive: boolean;
  readonly holder: LockHolder;
};
