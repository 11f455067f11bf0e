export type RunWord = 'running' | 'success' | 'partial' | 'error' | 'lost' | 'skipped';

/** One recovery point, or one run that did not become one. */
export type BackupResult = {
  readonly backup_id: string;
  /** When the data was as it is in the point. */
  readonly timestamp: string;
  readonly start_time: string;
  readonly end_time: string | null;
  /** Seconds. */
  readonly duration: number | null;
  readonly status: RunWord;
  readonly error?: string;
  readonly user_data: {
    readonly status: RunWord;
    readonly path: string | null;
    readonly user_count: number;
    readonly total_size_bytes: number;
    readonly file_count: number;
    readonly components: readonly {
      readonly name: string;
      readonly status: RunWord;
      readonly path: string | null;
      readonly file_count: number;
      readonly size_bytes: number;
      readonly grade: string;
      readonly reasons: readonly string[];
      readonly skipped: readonly { readonly path: string; readonly reason: string; readonly loss: boolean }[];
    }[];
  };
  readonly database: {
    /** `skipped`: none is in it, and none should be; `error`: one should be and is not. */
    readonly status: RunWord;
    readonly path: string | null;
    readonly size_bytes: number;
    /** Seconds; null where nobody measured it. */
    readonly duration: number | null;
    readonly reason: string | null;
    readonly error?: string;
    readonly components: readonly {
      readonly name: string;
      readonly kind: string;
      readonly status: RunWord;
      readonly size_bytes: number;
      /** How many dumps it consists of. */
      readonly streams: number;
      readonly grade: string;
      readonly reasons: readonly string[];
    }[];
  };
  readonly config: {
    readonly status: RunWord;
    readonly path: string | null;
    readonly file_count: number;
    readonly total_size_bytes: number;
    readonly file_results: Readonly<
      Record<string, { readonly status: 'success' | 'skipped'; readonly reason?: string }>
    >;
  };
  /** What is in it, in the three words of document 002; what is not in it is left out. */
  readonly components: {
    readonly database?: SystemBackupPart;
    readonly workspaces?: SystemBackupPart;
    readonly configuration?: SystemBackupPart;
  };
  /** In units of 1024 × 1024 bytes; null when the point does not exist. */
  readonly total_size_mb: number | null;
  readonly target_id: string;
  readonly scope: 'target' | 'workspace';
  /** Of a point of one workspace alone; empty for the unnamed one. */
  readonly workspace: string | null;
  /** `safety`: before a restore. `upgrade`: the backend was seen with another version than before. */
  readonly cause: 'manual' | 'scheduled' | 'safety' | 'upgrade';
  /** How well the files belong together. */
  readonly grade: 'consistent' | 'crash-consistent' | 'fuzzy' | null;
  readonly reasons: readonly string[];
  readonly missing: readonly { readonly name: string; readonly reason: string }[];
  readonly verified_at: string | null;
  readonly forgotten_at: string | null;
  /** Bytes that the repository grew by. */
  readonly stored_bytes: number | null;
  readonly documents: Readonly<Record<string, number>> | null;
  readonly core_version: string | null;
  readonly pinned: boolean;
  readonly operation_id: string | null;
  readonly allowed_actions: readonly ('restore' | 'verify' | 'pin' | 'unpin')[];
};

/** `size_mb` in units of 1024 × 1024 bytes. */
export type SystemBackupPart = { readonly status: 'completed' | 'partial'; readonly size_mb: number };

/** The runs of some days, oldest first, a few words of each. */
export type BackupTimeline = {
  readonly target_id: string;
  readonly from: string;
  readonly to: string;
  readonly items: readonly (Pick<
    BackupResult,
    'backup_id' | 'timestamp' | 'grade' | 'cause' | 'workspace' | 'pinned' | 'verified_at' | 'forgotten_at'
  > & { readonly status: Exclude<RunWord, 'skipped'> })[];
  /** Older ones of the time asked for are left out. */
  readonly left_out: boolean;
};

type Reasoned = { readonly path: string; readonly reason: string };

/** What a point says of itself, part by part. */
export type PointContents = {
  readonly backup_id: string;
  /** The unnamed one is ''. */
  readonly workspaces: readonly string[];
  readonly components: readonly {
    readonly name: string;
    readonly kind: string;
    readonly partial: boolean;
    readonly grade: string;
    readonly reasons: readonly string[];
    readonly file_count: number;
    readonly size_bytes: number;
    /** How many of the files are stored by record. */
    readonly unfolded_files: number;
    readonly streams: readonly { readonly name: string; readonly size_bytes: number }[];
    /** Rows per store; null where nobody counted. */
    readonly counts: Readonly<Record<string, number>> | null;
    readonly place: string | null;
    /** Why a restore in place leaves it alone; null: it does not. */
    readonly by_hand: string | null;
    readonly skipped: readonly (Reasoned & { readonly loss: boolean })[];
    readonly damaged: readonly Reasoned[];
    readonly notes: readonly string[];
  }[];
  readonly barrier: {
    readonly held: boolean;
    readonly held_seconds: number | null;
    readonly reason: string | null;
  } | null;
  readonly counts: Readonly<Record<string, number>> | null;
  /** Whether the stores belong together; null where nobody looked. */
  readonly audit: {
    readonly verdict: 'clean' | 'leftovers' | 'incomplete' | 'damaged';
    readonly counts: Readonly<Record<string, number>>;
    readonly documents: Readonly<Record<string, number>>;
    readonly dangling: Readonly<Record<string, { readonly count: number; readonly examples: readonly string[] }>>;
    readonly unchecked: readonly string[];
  } | null;
  readonly faults: readonly { readonly code: string; readonly severity: string; readonly message: string }[];
  readonly storage_classes: Readonly<Record<string, string>>;
  readonly embedding_model: string | null;
  readonly embedding_dimension: number | null;
  readonly warden_version: string;
};

export type BackupStatusBody = {
  readonly status: 'idle' | 'scheduled' | 'running' | 'error';
  readonly enabled: boolean;
  /** Whether points are taken by themselves. */
  readonly schedule_on: boolean;
  readonly available: boolean;
  readonly unavailable_reason: string | null;
  /** Epoch seconds. */
  readonly last_backup: number | null;
  /** Epoch seconds. */
  readonly next_backup: number | null;
  readonly last_backup_time: string | null;
  readonly last_verified_backup: string | null;
  /** Seconds between two scheduled points. */
  readonly frequency: number;
  readonly retention_days: number;
  readonly daily_retention_days: number;
  readonly backup_count: number;
  readonly location: string;
  readonly target_id: string;
  readonly rpo: { readonly objective_seconds: number; readonly measured_seconds: number | null; readonly met: boolean };
  readonly warnings: readonly string[];
  readonly error?: string;
};

/** What a restore did. `partial`: the data stands as in the point, but the backend did not come back as it should. */
export type RestoreResult = {
  readonly backup_id: string;
  readonly start_time: string;
  readonly end_time: string;
  /** Seconds. */
  readonly duration: number;
  readonly status: 'success' | 'partial';
  readonly user_data: {
    readonly status: RunWord;
    readonly user_count: number;
    readonly total_size_bytes: number;
    readonly file_count: number;
  };
  readonly database: { readonly status: RunWord; readonly size_bytes: number; readonly components: readonly string[] };
  /** The point that was taken of what was there before; null when nothing was left to keep. */
  readonly safety_backup_id: string | null;
  /** Where what was replaced still lies; bytes are null where they were not measured. */
  readonly undo: readonly { readonly folder: string; readonly bytes: number | null }[];
  readonly notes: readonly string[];
};

/** `before` is the state that was found. */
export type ScheduleBody = {
  readonly message: string;
  readonly before: 'on' | 'off';
  readonly now: 'on' | 'off';
  /** Whether the schedule was on, and whether it is. */
  readonly was_running: boolean;
  readonly running: boolean;
  /** Whether a point is being taken at the moment; switching the schedule off lets it end. */
  readonly run_under_way: boolean;
};

/** What a restore would do. Nothing is done before a confirmed call names this plan. */
export type RestorePlan = {
  readonly plan_id: string;
  readonly backup_id: string;
  readonly target_id: string;
  readonly taken_at: string;
  readonly grade: string | null;
  readonly components: readonly {
    readonly name: string;
    readonly folder: string;
    readonly items: readonly {
      readonly name: string;
      readonly action: 'replace' | 'add' | 'remove' | 'keep';
      readonly reason: string;
      /** Null where it cannot be known, here and below. */
      readonly old_bytes: number | null;
      readonly new_bytes: number | null;
      readonly old_rows?: number | null;
      readonly new_rows?: number | null;
    }[];
    readonly kind: string;
    readonly method: string;
    readonly bytes_in: number;
    readonly bytes_out: number | null;
    readonly free_needed_bytes: number | null;
    readonly free_available_bytes: number | null;
    readonly warnings: readonly string[];
    readonly blockers: readonly string[];
    /** What was written after the point was taken. */
    readonly lost: {
      readonly files: number;
      readonly bytes: number;
      readonly rows?: number | null;
      readonly row_examples?: readonly string[];
      readonly examples: readonly { readonly path: string; readonly bytes: number; readonly modified_at: string }[];
    };
  }[];
  /** Only this workspace (null is the whole), under another name, beside the live data. */
  readonly scope: { readonly workspace: string | null; readonly as_workspace: string | null; readonly aside: boolean };
  readonly left_alone: readonly { readonly name: string; readonly reason: string }[];
  readonly backend: {
    readonly automatic: boolean;
    readonly stopped: boolean;
    readonly stop: string;
    readonly start: string;
  };
  readonly versions: { readonly point: string | null; readonly now: string | null };
  readonly steps: readonly string[];
  readonly warnings: readonly string[];
  /** Why it cannot be carried out as things stand; empty when it can. */
  readonly blockers: readonly string[];
  readonly needs: readonly 'confirm'[];
};

/** What a point taken now would hold and lack. */
export type BackupSources = {
  readonly items: readonly {
    readonly name: string;
    readonly kind: string;
    readonly online: boolean;
    readonly consistent: 'always' | 'when-still';
    readonly restorable_elsewhere: boolean;
    readonly restored_by: 'swap' | 'restorer' | 'by-hand';
    readonly notes: readonly string[];
  }[];
  readonly missing: readonly { readonly name: string; readonly reason: string }[];
  readonly next_cursor: null;
};

/** One file of the configuration that a point holds, without its secrets. */
export type ConfigFile = { readonly path: string; readonly content: string; readonly redacted: number };

/** What retention would do with a point now, and why. */
export type RetentionItem = {
  readonly backup_id: string;
  readonly timestamp: string;
  readonly action: 'keep' | 'forget';
  readonly reason: string;
};

/** What a rebuild of the catalogue did, or would do. */
export type CatalogueReport = {
  readonly dry_run: boolean;
  readonly repository_id: string;
  readonly added: number;
  readonly completed: number;
  readonly kept: number;
  readonly lost: number;
  readonly mismatched: number;
  readonly refused: number;
  readonly left_alone: number;
  readonly items: readonly {
    readonly backup_id: string;
    readonly target_id: string | null;
    readonly action: 'add' | 'complete' | 'keep' | 'lost' | 'mismatch' | 'refuse' | 'leave';
    readonly reason: string;
  }[];
  /** Snapshots of points that never came to be. */
  readonly leftovers: readonly {
    readonly snapshot_id: string;
    readonly backup_id: string | null;
    readonly reason: string;
  }[];
  readonly foreign_snapshots: number;
};
