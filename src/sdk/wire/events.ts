/** One thing that happened. */
export type EventBody = {
  /** Grows by one in commit order, without gaps. */
  readonly seq: number;
  readonly at: string;
  readonly type: string;
  readonly severity: 'info' | 'warning' | 'error' | 'critical';
  readonly target_id: string | null;
  readonly workspace: string | null;
  readonly operation_id: string | null;
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
  readonly prev_hash: string;
  /** SHA-256 over `prev_hash` and the entry. */
  readonly hash: string;
};

export type AuditVerdictBody = {
  readonly intact: boolean;
  /** How many were read and found right. */
  readonly entries: number;
  readonly head: { readonly seq: number; readonly hash: string } | null;
  readonly broken_at_seq: number | null;
  readonly reason: string | null;
};
