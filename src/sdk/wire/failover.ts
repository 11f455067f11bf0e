/** `home` is where the settings of the target say that it is. */
export type PlaceId = 'home' | 'standby';

/** One failover, or the reseed that follows it. */
export type FailoverBody = {
  readonly failover_id: string;
  /** `reseed`: the place that was left is filled from the new one. */
  readonly kind: 'failover' | 'reseed';
  readonly target_id: string;
  /** Where the target lived when it began; of a reseed where it lives. */
  readonly from: PlaceId;
  readonly to: PlaceId;
  /** `partial`: it lives at the other place, and something there is not as it should be. `failed`: it lives where it did. */
  readonly state: 'running' | 'succeeded' | 'partial' | 'failed';
  readonly phase: string;
  /** One sentence: where the target lives now. Null while it runs. */
  readonly outcome: string | null;
  readonly backup_id: string | null;
  readonly checkpoint_id: string | null;
  /** `own`, or a replication target. */
  readonly source: string | null;
  readonly taken_at: string | null;
  /** From the point to the failover: what was written then is not there. */
  readonly lost_seconds: number | null;
  readonly size_bytes: number | null;
  readonly canary: { readonly verdict: string; readonly message: string | null } | null;
  readonly documents: { readonly expected: number | null; readonly found: number | null } | null;
  readonly phases: readonly { readonly name: string; readonly started_at: string; readonly seconds: number | null }[];
  /** From the request to the answer at the other place. */
  readonly answered_after_seconds: number | null;
  /** How many lives of ragwarden it took. */
  readonly lives: number;
  readonly notes: readonly string[];
  readonly forced: boolean;
  readonly operation_id: string | null;
  readonly requested_by: string;
  readonly created_at: string;
  readonly finished_at: string | null;
};

export type FailoverStatusBody = {
  readonly target_id: string;
  readonly active: PlaceId;
  /** There is a second place. */
  readonly possible: boolean;
  /** Why there can be no second place, and what to do instead; null: there is one, or may be. */
  readonly reason: string | null;
  readonly places: readonly {
    readonly place: PlaceId;
    readonly url: string | null;
    readonly zone: string | null;
    readonly active: boolean;
    readonly folders: readonly { readonly component: string; readonly path: string }[];
    readonly shared: readonly string[];
    readonly start: string;
    /** False: somebody has to start and stop it by hand. */
    readonly automatic: boolean;
  }[];
  readonly running: FailoverBody | null;
  readonly last: FailoverBody | null;
  /** What lies at the place that the target does not live at, since it was reseeded last. */
  readonly seeded: { readonly place: PlaceId; readonly backup_id: string; readonly at: string } | null;
  readonly allowed: readonly ('failover' | 'reseed')[];
};

export type FailoverPlanBody = {
  /** Sent back with the order, so that another plan is refused. */
  readonly plan_id: string;
  readonly target_id: string;
  readonly from: { readonly place: PlaceId; readonly url: string | null; readonly answers: string | null };
  readonly to: { readonly place: PlaceId; readonly url: string | null; readonly zone: string | null };
  readonly backup_id: string | null;
  readonly taken_at: string | null;
  readonly size_bytes: number | null;
  readonly documents: { readonly in_point: number | null; readonly now: number | null };
  readonly sources: readonly { readonly id: string; readonly title: string }[];
  readonly parts: readonly { readonly component: string; readonly folder: string; readonly size_bytes: number }[];
  readonly left_alone: readonly { readonly component: string; readonly reason: string }[];
  readonly steps: readonly string[];
  readonly warnings: readonly string[];
  readonly blockers: readonly string[];
};

/** What the operation of a failover or a reseed results in. */
export type FailoverResult = {
  readonly failover_id: string;
  readonly state: 'succeeded' | 'partial';
  readonly outcome: string | null;
  readonly backup_id: string | null;
  readonly answered_after_seconds: number | null;
};

/** A named set of verified points, one per graph. */
export type CheckpointBody = {
  readonly checkpoint_id: string;
  /** `scheduled`: made by itself, and given up by itself when enough newer ones are there. */
  readonly cause: 'manual' | 'scheduled';
  readonly graphs: readonly string[];
  readonly description: string;
  readonly created_at: string;
  readonly created_by: string;
  /** Every point was restored in a drill, and every drill passed. */
  readonly validated: boolean;
  readonly validation_timestamp: string | null;
  readonly points: readonly {
    readonly graph_id: string;
    readonly target_id: string;
    readonly backup_id: string;
    readonly taken_at: string;
  }[];
  readonly drills: readonly {
    readonly backup_id: string;
    readonly drill_id: string | null;
    readonly verdict: string;
    readonly reasons: readonly string[];
  }[];
  readonly metadata: Readonly<Record<string, unknown>>;
};

/** What the operation of a validation results in. */
export type CheckpointValidation = Pick<CheckpointBody, 'checkpoint_id' | 'drills'> & { readonly valid: boolean };

export type RecoveryStatusBody = {
  readonly total_checkpoints: number;
  readonly validated_checkpoints: number;
  readonly failover_in_progress: boolean;
  readonly latest_checkpoint: string | null;
  readonly latest_checkpoint_time: string | null;
  /** Checkpoints that are made by themselves, by target. */
  readonly automatic: readonly {
    readonly target_id: string;
    readonly interval_seconds: number;
    /** How many of them are kept; 0: none is made. */
    readonly keep: number;
    readonly last_at: string | null;
    readonly next_at: string | null;
    /** Why none is made; null while one is waited for. */
    readonly reason: string | null;
  }[];
};
