import type { Logger } from '../../platform/logging.ts';
import type { StoreExtracts } from '../../targets/index.ts';
import type { ManifestComponent } from '../manifest.ts';
import type { Json, SourceKind } from '../sources/source.ts';

/** What of a component goes back, and where to. */
export type RestoreScope = {
  /** Only what belongs to this workspace (the unnamed one is ''); undefined: everything the component holds. */
  readonly workspace?: string | undefined;
  /** Under this name instead; never without `workspace`. Whatever stands under that name is replaced. */
  readonly asWorkspace?: string | undefined;
  /** A new place beside the live one, in the words of the kind (name of a database, say). Undefined: in place. */
  readonly aside?: string | undefined;
};

export type RestorerRequest = {
  readonly pointId: string;
  /** Everything a restorer leaves anywhere carries this id, so that a later life finds it. */
  readonly operationId: string;
  readonly component: ManifestComponent;
  readonly scope: RestoreScope;
  /** The moment of the point, epoch milliseconds UTC. */
  readonly takenMs: number;
};

/** What a restore of one component would do; asked without changing anything. Bytes are null where they cannot be known. */
export type ComponentPlan = {
  /** Where it goes, in words without secrets: `database lightrag on db.example:5432`. */
  readonly place: string;
  /** How, in one sentence: `a new database is filled and takes the name`. */
  readonly method: string;
  readonly items: readonly {
    readonly name: string;
    readonly action: 'replace' | 'add' | 'remove' | 'keep';
    readonly reason: string;
    readonly oldBytes: number | null;
    readonly newBytes: number | null;
    readonly oldRows?: number | null;
    readonly newRows?: number | null;
  }[];
  readonly bytesIn: number;
  readonly freeNeededBytes: number | null;
  readonly freeAvailableBytes: number | null;
  /** What was written after the point and is lost, as far as it can be counted. */
  readonly lost: { readonly rows: number | null; readonly examples: readonly string[] };
  readonly warnings: readonly string[];
  readonly blockers: readonly string[];
};

export type RestorerContext = {
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** A private folder for this restore, on disk, removed afterwards whatever happens. */
  readonly scratchDir: string;
  /** Named boundaries, so that tests can end the process at each of them: `<kind>:<name>`. */
  step(name: string): Promise<void>;
  /** Joins a stream of the component to the standard input of a program by a kernel pipe. @throws AppError when either fails */
  pipeStream(name: string, consumer: StreamConsumer): Promise<{ stdout: string; stderr: string }>;
  /** Writes a stream of the component into a file, for programs that must seek in it. */
  fetchStream(name: string, file: string): Promise<void>;
  onProgress?(done: { readonly bytesDone?: number; readonly rowsDone?: number }): void;
};

export type StreamConsumer = {
  readonly command: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Running longer it is ended, and has failed. */
  readonly timeoutMs?: number;
};

/** How far a restore of this component under this operation came, as far as what lies there tells. */
export type RestorerState = 'none' | 'prepared' | 'committed';

/**
 * Brings components of one kind back. Each call takes everything it needs from the request and from what lies there, so that
 * a later life of the process can go on with it: `prepare` (slow, touches nothing live) → `commit` (quick, all or nothing;
 * the old state is kept) → `verify` → `finish` (the old state stays where `undoPlace` says until the next restore) or `undo`
 * (the old state is back, and nothing else is left). `undo` and `finish` may be called twice, and `undo` after any of them
 * but `finish`.
 */
export type Restorer = {
  readonly kind: SourceKind;
  /** @throws AppError `restore/blocked` where the place cannot be reached; what it finds unfit stands in `blockers` */
  plan(request: RestorerRequest, signal: AbortSignal): Promise<ComponentPlan>;
  prepare(request: RestorerRequest, context: RestorerContext): Promise<void>;
  commit(request: RestorerRequest, context: RestorerContext): Promise<void>;
  /** @throws AppError `restore/digest-mismatch` */
  verify(request: RestorerRequest, context: RestorerContext): Promise<void>;
  undo(request: RestorerRequest, context: RestorerContext): Promise<void>;
  /** @returns where the former state lies, in words; undefined when nothing of it was kept */
  finish(request: RestorerRequest, context: RestorerContext): Promise<string | undefined>;
  state(request: RestorerRequest, signal: AbortSignal): Promise<RestorerState>;
  /** Restores into a throw-away place of its own, never near the source, and looks at what came out. */
  rehearse(request: RestorerRequest, context: RestorerContext): Promise<Rehearsal>;
};

export type Rehearsal = {
  /** In their order. */
  readonly phases: readonly { readonly name: string; readonly ms: number }[];
  readonly bytes: number;
  /** Rows per store, to be held against the manifest's `counts`. */
  readonly counts: Readonly<Record<string, number>>;
  /** What an audit asks of the stores that came out, as files of the scratch folder. */
  readonly extracts?: StoreExtracts;
  /** Digests, versions, whatever proves it; stands in the evidence. */
  readonly facts: Readonly<Record<string, Json>>;
  /** What is wrong, one sentence each; empty: all is as the manifest says. */
  readonly problems: readonly string[];
  /** Ends servers, removes folders. May be called twice. */
  remove(): Promise<void>;
};
