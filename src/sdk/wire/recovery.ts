/** `passed`: all was as the manifest says. `failed`: something was not. `error`: it could not be done, so nothing is known. */
export type DrillVerdict = 'passed' | 'failed' | 'error';

/** One rehearsed restore. Its operation has the same id. */
export type DrillBody = {
  readonly drill_id: string;
  readonly target_id: string;
  readonly backup_id: string;
  /** `chaos` damages the restored copy on purpose and asks whether the checks saw it. */
  readonly kind: 'restore' | 'chaos';
  /** How the point was chosen; null when it was named. */
  readonly choice: 'newest' | 'oldest' | 'random' | 'risk' | null;
  readonly requested_by: string;
  readonly started_at: string;
  readonly finished_at: string | null;
  /** Null while it runs. */
  readonly verdict: DrillVerdict | null;
  readonly reasons: readonly string[];
  readonly phases: readonly {
    readonly name: string;
    /** Null: of the point as a whole. */
    readonly component: string | null;
    readonly seconds: number;
    /** How often a restore goes through it; 0: it only looks. */
    readonly times_in_restore: number;
  }[];
  readonly rto_seconds: number | null;
  readonly size_bytes: number | null;
  readonly file_count: number | null;
  readonly evidence_sha256: string | null;
};

/** What the operation of a drill results in. */
export type DrillResult = {
  readonly drill_id: string;
  readonly backup_id: string;
  readonly kind: 'restore' | 'chaos';
  readonly verdict: DrillVerdict;
  readonly reasons: readonly string[];
  readonly rto_seconds: number | null;
};

/** The document of one drill, sealed by `sha256` and chained to the drill before and to the audit trail. */
export type DrillEvidence = {
  readonly format: 'ragwarden-drill-evidence';
  readonly version: 1;
  readonly drill_id: string;
  readonly verdict: DrillVerdict;
  readonly reasons: readonly string[];
  readonly audit: { readonly seq: number; readonly hash: string };
  readonly previous: { readonly drill_id: string; readonly sha256: string } | null;
  readonly sha256: string;
  /** The rest of it; docs/drills.md says what there is. */
  readonly [field: string]: unknown;
};

export type RpoBody = {
  readonly objective_seconds: number;
  readonly measured_seconds: number | null;
  /** The newest good point. */
  readonly backup_id: string | null;
  /** Share of the loss budget that is used: 1 is the objective. */
  readonly used: number | null;
  readonly missed_at: string | null;
  readonly met: boolean;
};

/** How well a target could be brought back now. */
export type RecoveryObjectives = {
  readonly target_id: string;
  readonly rpo: RpoBody;
  /** Of workspaces with points of their own. */
  readonly workspaces: readonly { readonly workspace: string; readonly rpo: RpoBody }[];
  readonly rto: {
    readonly objective_seconds: number;
    readonly measured_seconds: number | null;
    readonly measured_at: string | null;
    readonly drill_id: string | null;
    /** For the present size of the target. */
    readonly forecast_seconds: number | null;
    /** Null: never measured. */
    readonly met: boolean | null;
    /** Oldest first. */
    readonly trend: readonly {
      readonly drill_id: string;
      readonly at: string;
      readonly rto_seconds: number;
      readonly size_bytes: number | null;
    }[];
  };
  readonly drill: {
    /** 0: drills are not scheduled. */
    readonly frequency_seconds: number;
    readonly last_verdict: DrillVerdict | null;
    readonly last_drill_id: string | null;
    readonly last_passed_at: string | null;
    readonly failures_in_row: number;
    readonly next_at: string | null;
    readonly overdue_since: string | null;
  };
};
