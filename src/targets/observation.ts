import type { TargetKind } from '../config/index.ts';

/** Documents by status, in the backend's own words. `all` is left out; it is the sum. */
export type DocumentCounts = Readonly<Record<string, number>>;

export type Pipeline = {
  readonly busy: boolean;
  readonly jobName: string;
  readonly latestMessage: string;
  /** Data in the backend's memory that is not on disk yet; undefined when the backend does not say. */
  readonly unflushed: boolean | undefined;
  readonly recoveryRequired: boolean;
  /** Inserts that hold the pipeline for themselves; a retry asked for meanwhile would wait for ever. */
  readonly pendingEnqueues?: number | undefined;
};

/** One line about a target that only its kind has. */
export type TargetFact = {
  /** Stable: programs go by it. */
  readonly name: string;
  readonly value: string | number | boolean | null;
  readonly unit?: 'seconds' | 'bytes' | 'rows' | 'files' | 'folders' | 'documents' | 'jobs' | 'time' | undefined;
};

/**
 * `running`: a process works on it, or its files move. `finished`: it wrote its whole time. `failed`: its log names the step that
 * failed. `unfinished`: it neither ended nor moves. `none`: nothing was ever run.
 */
export type RunState = 'running' | 'finished' | 'failed' | 'unfinished' | 'none';

/** The last run of an index, as its project tells it. */
export type IndexRun = {
  readonly state: RunState;
  readonly kind: 'index' | 'update' | undefined;
  /** When the last of its files changed; undefined when nothing was ever run. */
  readonly lastSignMs: number | undefined;
  /** Whole time, once it is finished. */
  readonly runtimeMs: number | undefined;
  readonly documents: number | undefined;
  /** Finished steps in their order. */
  readonly workflows: readonly string[];
  /** The step that failed, in GraphRAG's word. */
  readonly failedAt: string | undefined;
};

/** Calls of models that wait inside of the backend, by what they are for. */
export type WorkQueue = {
  /** `extract`, `query`, `embedding` … */
  readonly name: string;
  readonly queued: number;
  readonly running: number;
  /** 0: it does not say. */
  readonly mostRunning: number;
  readonly mostQueued: number;
  /** Handed over since the backend started. */
  readonly submitted?: number | undefined;
  /** Since the backend started. */
  readonly failed: number | undefined;
  /** Not taken because it was full. */
  readonly rejected: number | undefined;
};

/** What one probe of one endpoint saw. A field is undefined when the backend did not say; nothing is assumed. */
export type Observation = {
  readonly atMs: number;
  readonly reachable: boolean;
  /** Wall time of the health call, milliseconds. */
  readonly latencyMs: number | undefined;
  /** What answered; `unknown` is something else than what was expected there. */
  readonly kind: TargetKind | 'unknown' | undefined;
  readonly coreVersion: string | undefined;
  readonly apiVersion: string | undefined;
  readonly authMode: string | undefined;
  readonly pipelineBusy: boolean | undefined;
  readonly pipelineActive: boolean | undefined;
  readonly documents: DocumentCounts | undefined;
  readonly pipeline: Pipeline | undefined;
  /** As the backend tells authenticated callers. */
  readonly queues?: readonly WorkQueue[] | undefined;
  /** Folders and storage classes as the backend tells them to authenticated callers. */
  readonly workingDirectory: string | undefined;
  readonly inputDirectory: string | undefined;
  readonly embeddingModel: string | undefined;
  /** What the backend runs with, under its own names, as far as it tells authenticated callers. */
  readonly configuration?: Readonly<Record<string, number | boolean | string>> | undefined;
  readonly storageClasses: Readonly<Record<string, string>> | undefined;
  /** The last run of a GraphRAG index, where its project is visible. */
  readonly run?: IndexRun | undefined;
  /** What else was seen, for people, of a bounded set for each kind of target. */
  readonly facts?: readonly TargetFact[] | undefined;
  /** What went wrong, one sentence each, worst first. */
  readonly faults: readonly Fault[];
};

export type Fault = {
  readonly kind:
    | 'unreachable'
    | 'timeout'
    | 'server-error'
    | 'not-understood'
    | 'unauthorised'
    | 'partial'
    /** An index run of GraphRAG ended in an error, or without an end. */
    | 'run-failed'
    | 'run-unfinished'
    /** Its settings cannot be read. */
    | 'settings-unreadable'
    /** It answers, and says itself that it is not quite well. */
    | 'says-degraded'
    | 'says-unhealthy';
  readonly message: string;
};

/** Nobody said anything. */
export const nothingObserved = (atMs: number): Observation => ({
  atMs,
  reachable: false,
  latencyMs: undefined,
  kind: undefined,
  coreVersion: undefined,
  apiVersion: undefined,
  authMode: undefined,
  pipelineBusy: undefined,
  pipelineActive: undefined,
  documents: undefined,
  pipeline: undefined,
  workingDirectory: undefined,
  inputDirectory: undefined,
  embeddingModel: undefined,
  storageClasses: undefined,
  faults: [],
});

export const unreachableObservation = (atMs: number, fault: Fault, latencyMs?: number): Observation => ({
  ...nothingObserved(atMs),
  latencyMs,
  faults: [fault],
});

/** Statuses in which a document is neither done nor failed. */
export const unfinishedStatuses = ['pending', 'parsing', 'analyzing', 'processing', 'preprocessed'] as const;

export const unfinishedDocuments = (counts: DocumentCounts): number =>
  unfinishedStatuses.reduce((sum, status) => sum + (counts[status] ?? 0), 0);

/**
 * Nothing is being worked on, as far as anything that was read tells; undefined when nothing tells.
 * `pipeline.unflushed` has no say: the backend leaves a flag standing after a failed document although nothing follows.
 */
export function isIdle(observation: Observation): boolean | undefined {
  if (!observation.reachable) return undefined;
  const told = [observation.pipelineActive, observation.pipelineBusy, observation.pipeline?.busy];
  if (told.includes(true)) return false;
  return told.includes(false) ? true : undefined;
}
