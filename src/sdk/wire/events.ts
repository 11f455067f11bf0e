/** One thing that happened. */
export type EventBody = {
  /** Grows by one in commit order, without gaps. */
  readonly seq: number;
  readonly at: string;
  readonly type: string;
  /** What it is about. */
  readonly kind:
    | 'backup'
    | 'replication'
    | 'recovery'
    | 'health'
    | 'alert'
    | 'quota'
    | 'cleanup'
    | 'tuning'
    | 'access'
    | 'lifecycle'
    | null;
  readonly severity: 'info' | 'warning' | 'error' | 'critical';
  readonly target_id: string | null;
  readonly workspace: string | null;
  readonly operation_id: string | null;
  /** Shared by all that began with one request or one operation. */
  readonly correlation_id: string | null;
  /** Who asked; null: nobody did. */
  readonly actor: string | null;
  /** The ragwarden that recorded it. */
  readonly instance: string;
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
};

/** Who asked for what. */
export type AuditEntryBody = {
  readonly seq: number;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly object: string;
  readonly outcome: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly correlation_id: string | null;
  readonly prev_hash: string;
  /** SHA-256 over `prev_hash` and the entry. */
  readonly hash: string;
};

export type AuditVerdictBody = {
  readonly intact: boolean;
  /** How many were read and found right. */
  readonly entries: number;
  readonly head: { readonly seq: number; readonly hash: string } | null;
  /** Heads noted elsewhere that it agrees with, that are of removed entries, that are of another trail. */
  readonly anchors: { readonly matched: number; readonly removed: number; readonly foreign: number } | null;
  readonly broken_at_seq: number | null;
  readonly reason: string | null;
};

type Tally = Readonly<Record<string, number>>;

/** The log as counts. */
export type EventAnalyticsBody = {
  readonly since: string;
  readonly until: string;
  readonly bucket_seconds: number;
  readonly total: number;
  readonly by_severity: Tally;
  readonly by_kind: readonly { readonly kind: string; readonly total: number; readonly by_severity: Tally }[];
  readonly by_type: readonly {
    readonly type: string;
    readonly severity: EventBody['severity'];
    readonly count: number;
  }[];
  /** Stretches in which nothing happened are left out. */
  readonly over_time: readonly { readonly at: string; readonly by_severity: Tally; readonly by_kind: Tally }[];
  readonly reasons: readonly {
    readonly reason: string;
    readonly type: string;
    readonly count: number;
    readonly last_at: string;
  }[];
  /** How many warnings and worse the reasons were taken from. */
  readonly reasons_of: number;
};
