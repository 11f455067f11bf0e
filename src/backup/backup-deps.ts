import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database/index.ts';
import type { RandomSource } from '../platform/ids.ts';
import type { Logger } from '../platform/logging.ts';
import type { AuditReport, BackendLifecycle, Observation, StoreExtracts, Target } from '../targets/index.ts';
import type { KnownRepository } from './open-repository.ts';
import type { RecoveryPoint } from './point.ts';
import type { PointStore } from './point-store.ts';
import type { Repository } from './repository/index.ts';
import type { Restorer } from './restore/restorer.ts';
import type { PointSelection } from './selection.ts';
import type { Source, SourceKind } from './sources/source.ts';
import type { Unfolder } from './unfold/index.ts';
import type { WriteBarrier } from './write-barrier.ts';

/** What the inspector says about captured files, and the audit about all stores. */
export type Inspection = {
  /** Rows per store that lies in files. */
  readonly counts: Readonly<Record<string, number>>;
  readonly embeddingDimension: number | undefined;
  /** What refers to what, across the stores; undefined for a kind of target whose stores are not known. */
  readonly audit: AuditReport | undefined;
  readonly faults: readonly { readonly code: string; readonly severity: string; readonly message: string }[];
  /** Parts of it that lie where they are not captured. */
  readonly missing?: readonly { readonly name: string; readonly reason: string }[];
};

/** What backup needs to know and do about one target; wired by the composition root. */
export type ProtectedTarget = {
  readonly target: Target;
  readonly lifecycle: BackendLifecycle;
  /** Looks now. */
  observe(): Promise<Observation | undefined>;
  /** What is there to be captured now, in the order in which it must be. */
  sources(observation: Observation | undefined, selection: PointSelection): readonly Source[];
  /** Every workspace that is configured or has a folder now, sorted; never empty. */
  workspaces(): readonly string[];
  /** Every component the target has, whether it can be captured now or not. */
  componentKinds(): readonly { readonly name: string; readonly kind: SourceKind }[];
  /** Where a component goes back to. */
  folderOf(component: string): string | undefined;
  /** Whatever is no folder goes back through the restorer of its component. */
  restorerOf(component: string): Restorer | undefined;
  /** The component in which the backend's storage class lies, where one of the target's stores has it. */
  holderOf(storageClass: string): string | undefined;
  /** Takes away what captures of an earlier life left elsewhere. */
  settle(signal: AbortSignal): Promise<void>;
  /**
   * @param options.workspace another than the one the target serves
   * @param options.extracts rows of stores that do not lie in the folder
   */
  inspect(
    folder: string,
    signal: AbortSignal,
    options?: { readonly workspace?: string | undefined; readonly extracts?: StoreExtracts },
  ): Promise<Inspection | undefined>;
};

export type BackupDeps = {
  readonly db: Database;
  readonly points: PointStore;
  readonly events: EventRecorder;
  auditHead(): Promise<{ seq: number; hash: string; trail?: string | undefined }>;
  readonly repository: Repository;
  readonly knownRepository: KnownRepository;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly log: Logger;
  readonly stagingDir: string;
  readonly wardenVersion: string;
  readonly unfolder: Unfolder;
  /** It may change. */
  readonly unfold: { readonly enabled: boolean };
  /** Folders below which files may be put beside the live ones. */
  readonly allowedRoots: readonly string[];
  readonly barrier: WriteBarrier;
  /** Milliseconds: how long to wait until the pipeline rests, and how long inserts may be held. They may change. */
  readonly quiet: { readonly idleWaitMs: number; readonly holdMs: number };
  requireTarget(id: string): ProtectedTarget;
  /** Asked before a point is begun. @throws AppError `storage/full` when there is no room for one */
  requireSpace?(what: string): void;
  /** Told of every point that came to exist, whatever asked for it. */
  onPoint(point: RecoveryPoint): void;
  /** Part of the unit in which a point is pinned by anybody but a checkpoint, also where it is pinned already. */
  onPinned?(tx: Tx, pointId: string): Promise<void>;
  /** Named boundaries of the work, so that tests can end the process at each of them. */
  step(name: string): Promise<void>;
};
