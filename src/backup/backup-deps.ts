import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { RandomSource } from '../platform/ids.ts';
import type { Logger } from '../platform/logging.ts';
import type { BackendLifecycle, Observation, Target } from '../targets/index.ts';
import type { KnownRepository } from './open-repository.ts';
import type { RecoveryPoint } from './point.ts';
import type { PointStore } from './point-store.ts';
import type { Repository } from './repository/index.ts';
import type { Source } from './sources/source.ts';

/** What the inspector says about captured files. */
export type Inspection = {
  /** Rows per store. */
  readonly counts: Readonly<Record<string, number>>;
  readonly embeddingDimension: number | undefined;
  readonly faults: readonly { readonly code: string; readonly message: string }[];
};

/** What backup needs to know and do about one target; wired by the composition root. */
export type ProtectedTarget = {
  readonly target: Target;
  readonly lifecycle: BackendLifecycle;
  /** Looks now. */
  observe(): Promise<Observation | undefined>;
  sources(observation: Observation | undefined): readonly Source[];
  /** Where a component goes back to. */
  folderOf(component: string): string | undefined;
  inspect(folder: string, signal: AbortSignal): Promise<Inspection | undefined>;
};

export type BackupDeps = {
  readonly db: Database;
  readonly points: PointStore;
  readonly events: EventRecorder;
  auditHead(): Promise<{ seq: number; hash: string }>;
  readonly repository: Repository;
  readonly knownRepository: KnownRepository;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly log: Logger;
  readonly stagingDir: string;
  readonly wardenVersion: string;
  requireTarget(id: string): ProtectedTarget;
  /** Asked before a point is begun. @throws AppError `storage/full` when there is no room for one */
  requireSpace?(what: string): void;
  /** Told of every point that came to exist, whatever asked for it. */
  onPoint(point: RecoveryPoint): void;
  /** Named boundaries of the work, so that tests can end the process at each of them. */
  step(name: string): Promise<void>;
};
