import type { PointStore, RecoveryPoint, Repository } from '../backup/index.ts';
import type { PlacementConfig, ReplicationConfig } from '../config/index.ts';
import type { EventRecorder } from '../events/index.ts';
import type { Operations } from '../operations/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { RandomSource } from '../platform/ids.ts';
import type { Leases } from '../platform/leases.ts';
import type { Logger } from '../platform/logging.ts';
import type { Place } from './places/place.ts';
import type { Replica } from './replica.ts';
import type { Replicas } from './replicas.ts';
import type { ReplicationStore } from './replication-store.ts';

export type ReplicationDeps = {
  readonly db: Database;
  readonly store: ReplicationStore;
  readonly replicas: Replicas;
  readonly points: PointStore;
  readonly events: EventRecorder;
  readonly operations: Operations;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly log: Logger;
  /** What is copied from. */
  readonly source: Repository;
  readonly targetIds: readonly string[];
  /** They may change. */
  settings(): Omit<ReplicationConfig, 'targets' | 'placement'> & {
    readonly placement: PlacementConfig | undefined;
    /** As in the repository here; 0: not by itself. */
    readonly pruneIntervalMs: number;
  };
  /** Opened with its credentials just before it is used. */
  openPlace(replica: Replica): Promise<Place>;
  /** Why nothing may be copied from here now; undefined: the repository passed its last check. */
  sourceUnsound(): Promise<string | undefined>;
  /** Where packs that are damaged are put aside while a repository is healed. */
  readonly asideDir: string;
  /** Where points of a place that is no repository are brought for as long as they are needed. */
  readonly broughtDir: string;
  /** Told of each transfer, heal or verification that ended. */
  onTransfer(facts: {
    readonly replicaId: string;
    readonly point: Pick<RecoveryPoint, 'targetId'>;
    readonly outcome: 'success' | 'error';
    readonly bytes: number | null;
  }): void;
  onPruned(facts: { readonly replicaId: string; readonly freedBytes: number | null }): void;
  /** All of the repository here was read and is sound, after it was healed. */
  onSourceHealed(): Promise<void>;
  /** Named boundaries of the work, so that tests can end the process at each of them. */
  step(name: string): Promise<void>;
};
