import type { ProtectedTarget, Repository } from '../backup/index.ts';
import type { EventRecorder } from '../events/index.ts';
import type { ChildProcesses } from '../platform/child-processes/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { RandomSource } from '../platform/ids.ts';
import type { Logger } from '../platform/logging.ts';
import type { DrillStore } from './drill-store.ts';

/** They may change while a drill runs; the scratch folder does not. */
export type DrillLimits = {
  readonly scratchDir: string;
  readonly timeLimitMs: number;
  readonly minFreeBytes: number;
};

/** What a drill needs of a target; it never touches what is live. */
export type DrillTarget = Pick<ProtectedTarget, 'restorerOf' | 'inspect'> & {
  /** The operator's own validation of a restored copy; from the settings file only. */
  readonly checkCommand: readonly [string, ...string[]] | undefined;
  /** What that program gets of our own environment. */
  readonly checkEnvironment: Readonly<Record<string, string>>;
};

export type DrillDeps = {
  readonly db: Database;
  readonly drills: DrillStore;
  readonly events: EventRecorder;
  auditHead(): Promise<{ seq: number; hash: string }>;
  /** Reads at low priority where the machine can. */
  readonly repository: Repository;
  /** A repository of its own at this folder, for damage that is made on purpose. */
  makeRepository(folder: string): Promise<Repository>;
  readonly children: ChildProcesses;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly log: Logger;
  readonly wardenVersion: string;
  toolVersions(): Promise<Readonly<Record<string, string>>>;
  limits(): DrillLimits;
  rtoObjectiveMs(): number;
  requireTarget(id: string): DrillTarget;
  /** @throws AppError `storage/full` while the disk of the data folder has little room */
  requireSpace(what: string): void;
  /** Named boundaries of the work, so that tests can end the process at each of them. */
  step(name: string): Promise<void>;
};
