import type { Clock } from '../../platform/clock.ts';
import type { StoreExtracts } from '../../targets/index.ts';
import type { TreeEntry } from './tree.ts';

export type SourceKind = 'files' | 'postgres' | 'redis' | 'qdrant' | 'sqlite' | 'config' | 'command';

/** What a source promises, in words an operator can read in the plan and in the manifest. */
export type SourceDescription = {
  readonly name: string;
  readonly kind: SourceKind;
  /** Captured while the backend runs. */
  readonly online: boolean;
  /** `always`: one moment by construction; `when-still`: one moment exactly when nothing moved meanwhile, which is proved. */
  readonly consistent: 'always' | 'when-still';
  /** Can go back to another place, name or version than it came from. */
  readonly restorableElsewhere: boolean;
  readonly notes: readonly string[];
};

export type ProofGrade = 'consistent' | 'crash-consistent' | 'fuzzy';
export type Proof = { readonly grade: ProofGrade; readonly reasons: readonly string[] };

/** Something that is in the source and not in the capture. `loss` says whether data is missing because of it. */
export type Skipped = { readonly path: string; readonly reason: string; readonly loss: boolean };

/** Totals are what the first look found; `files` and `bytes` what is done so far. */
export type CaptureProgress = {
  readonly files: number;
  readonly totalFiles: number;
  readonly bytes: number;
  readonly totalBytes: number;
  readonly path: string;
};

/** Where the bytes of a stream come from. A program's output is joined to the repository by a kernel pipe, unseen by us. */
export type StreamProducer =
  | {
      readonly by: 'program';
      /** A path or a name that is looked up; no secret belongs into the arguments. */
      readonly command: readonly [string, ...string[]];
      /** The whole environment of the program; nothing is inherited. */
      readonly environment: Readonly<Record<string, string>>;
      readonly cwd?: string;
      /** Running longer it is ended, and has failed. */
      readonly timeoutMs?: number;
    }
  | { readonly by: 'bytes'; readonly chunks: AsyncIterable<Uint8Array> };

/** One stream that went into the repository as a snapshot of its own; the digest is known only where the bytes passed through us. */
export type StoredStream = {
  /** `[a-z0-9][a-z0-9._-]*`; unique within its component. */
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string | undefined;
  /** The repository's own digest over the stream, the same in every copy of it. */
  readonly tree: string;
};

export type CaptureContext = {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Whether the backend's pipeline rests; undefined when it cannot be known. Asked before and after. */
  readonly idle?: () => Promise<boolean | undefined>;
  readonly onProgress?: (progress: CaptureProgress) => void;
};

export type CompleteContext = CaptureContext & {
  readonly operationId: string;
  /** Where a database writes down what an audit asks of its stores; whoever gave it removes it. Absent: nobody asks. */
  readonly auditDir?: string;
  /** Stores one stream as a part of this component. Resolves when producer and repository both ended well. */
  storeStream(name: string, producer: StreamProducer): Promise<StoredStream>;
};

/**
 * A moment that is fixed while its content is still to be read: an exported snapshot of a database, say. Inserts are held
 * until every source has reached this; what follows takes as long as it takes.
 */
export type PendingCapture = {
  /** Reads and stores what was fixed. Called at most once. */
  complete(context: CompleteContext): Promise<CaptureResult>;
  /** Lets go of whatever holds the moment; called always, after `complete` or instead of it. Never throws. */
  release(): Promise<void>;
};

/** How a component goes back; it stands in the manifest, so that a restore needs nothing but the repository. */
export type RestoreRecipe =
  | {
      readonly by: 'folder-swap';
      /** Where it was captured, after links were resolved. */
      readonly folder: string;
      /** Top-level names of that folder which a restore leaves alone, each with the reason. */
      readonly keep: readonly { readonly name: string; readonly reason: string }[];
    }
  /** Goes back through the restorer of its kind, which alone understands `details`. */
  | { readonly by: 'restorer'; readonly details: Readonly<Record<string, Json>> }
  /** Kept in the point and left alone by a restore, with the reason. */
  | { readonly by: 'by-hand'; readonly reason: string };

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

export type CaptureResult = {
  readonly name: string;
  readonly kind: SourceKind;
  /** The captured tree, sorted by path; empty for a component that consists of streams. */
  readonly entries: readonly TreeEntry[];
  readonly treeSha256: string;
  readonly streams: readonly StoredStream[];
  readonly files: number;
  readonly bytes: number;
  /** Files whose staged copy was renewed by this capture; the others were found unchanged. */
  readonly renewedFiles: number;
  readonly skipped: readonly Skipped[];
  /** Captured as they lie there, but the check of their form failed: a damaged file is backed up as it is, and named. */
  readonly damaged: readonly { readonly path: string; readonly reason: string }[];
  /** Something of the source is not in the capture: a point with such a component is `partial`, never `success`. */
  readonly partial: boolean;
  readonly notes: readonly string[];
  readonly proof: Proof;
  /** Rows per store as the source counted them in what it captured; names as in the manifest's `counts`. */
  readonly counts?: Readonly<Record<string, number>>;
  /** What an audit asks of the stores that lie in it, of the workspace that the target serves. */
  readonly extracts?: StoreExtracts;
  readonly restore: RestoreRecipe;
};

/**
 * Whatever can be captured into a recovery point. `capture` fills the folder `into`, which persists between points and
 * belongs to this source alone, or fixes a moment whose streams are stored afterwards; in the end `into` holds exactly the
 * entries it names. Throws AppError `backup/capture-failed` or `storage/full`, or the signal's reason.
 */
export type Source = {
  readonly name: string;
  readonly kind: SourceKind;
  describe(): SourceDescription;
  capture(into: string, context: CaptureContext): Promise<CaptureResult | PendingCapture>;
  /**
   * Asked once the capture is stored: a file of `into` that meanwhile is another than it was when it was captured, which a
   * hard link to a file that is written in place becomes. Undefined: what was stored is what was captured.
   */
  findAltered?(into: string): Promise<string | undefined>;
  /** Takes away what a capture that was killed left elsewhere than in `into`. Asked at each start; may be asked twice. */
  settle?(signal: AbortSignal): Promise<void>;
};

/** A source whose capture is whole when it returns. */
export type FolderSource = Omit<Source, 'capture'> & {
  capture(into: string, context: CaptureContext): Promise<CaptureResult>;
};
