import type { PointStore, Repository, Restorer } from '../../backup/index.ts';
import type { EventRecorder } from '../../events/index.ts';
import type { Operation, Operations } from '../../operations/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import type { RandomSource } from '../../platform/ids.ts';
import type { Logger } from '../../platform/logging.ts';
import type { BackendLifecycle, Observation } from '../../targets/index.ts';
import type { Failover, PlaceName } from './failover.ts';
import type { FailoverStore } from './failover-store.ts';

/** What an answer to the canary's question was worth; `not-asked`: nobody could, and `message` says why. */
export type CanaryAnswer = { readonly verdict: string; readonly message: string | null };

/** One place of a target, as far as bringing it up there needs it. */
export type FailoverPlace = {
  readonly id: PlaceName;
  readonly url: string | null;
  readonly zone: string | null;
  /** Where a component of a point goes, by its name. */
  readonly folders: ReadonlyMap<string, string>;
  /** Components that it uses where the other place has them. */
  readonly shared: ReadonlySet<string>;
  readonly lifecycle: BackendLifecycle;
  /** Looks there; `amiss` is what speaks against its being this place, one sentence each. */
  look(signal: AbortSignal): Promise<{ readonly seen: Observation; readonly amiss: readonly string[] }>;
  askCanary(signal: AbortSignal): Promise<CanaryAnswer>;
};

/** Where points can be brought from: the repository (`own`), or a replica. */
export type FailoverSource = { readonly id: string; readonly title: string } & (
  | {
      readonly kind: 'repository';
      /** @throws AppError when it is no repository, or cannot be opened */
      open(): Promise<Repository>;
    }
  /** Each point lies there in a file of its own, and comes whole or not at all. */
  | {
      readonly kind: 'packed';
      /** What it says that it has; nobody has looked. */
      list(signal: AbortSignal): Promise<ReadonlySet<string>>;
      /** @param folder below which it may put what it brings; the caller removes it */
      bring(pointId: string, folder: string, signal: AbortSignal): Promise<Repository>;
    }
);

export type FailoverTarget = {
  readonly targetId: string;
  active(): PlaceName;
  /** Undefined where the settings have no such place. */
  at(place: PlaceName): FailoverPlace | undefined;
  /** Why it cannot have a second place, and what to do instead; undefined: it has one, or may be given one. */
  readonly whyNone?: string | undefined;
  /** What looks at the target, and the gateway, lead there from now on. The choice itself is on disk already. */
  switchTo(place: PlaceName): Promise<void>;
  /** Whether it answers to whoever comes through the gateway. */
  askThroughGateway(signal: AbortSignal): Promise<CanaryAnswer>;
};

export type FailoverDeps = {
  readonly db: Database;
  readonly store: FailoverStore;
  readonly points: Pick<PointStore, 'list' | 'find'>;
  readonly events: EventRecorder;
  readonly operations: Operations;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly log: Logger;
  readonly scratchDir: string;
  readonly enabled: () => boolean;
  targetIds(): readonly string[];
  /** @throws AppError `target/unknown` */
  requireTarget(id: string): FailoverTarget;
  /** Its repository first, then replicas. */
  sources(): Promise<readonly FailoverSource[]>;
  restorerOf(targetId: string, component: string): Restorer | undefined;
  /** @throws AppError `backup/unavailable`, `operation/busy` */
  takePoint(targetId: string, requestedBy: string): Promise<Operation & { readonly pointId: string }>;
  /** Named boundaries of the work, so that tests can end the process at each of them. */
  step(name: string): Promise<void>;
  onEnd(failover: Failover): void;
};
