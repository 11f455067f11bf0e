import type { WardenEvent } from './wire.ts';

/** As the API answers; see docs/openapi.json. Only what the page reads. */
export type LoggedEvent = WardenEvent & {
  readonly kind: string | null;
  readonly workspace: string | null;
  readonly correlation_id: string | null;
  /** Null: nobody asked. */
  readonly actor: string | null;
};

export type AuditEntry = {
  readonly seq: number;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly object: string;
  readonly outcome: string;
};

type Tally = Readonly<Record<string, number>>;
export type EventAnalytics = {
  readonly since: string;
  readonly until: string;
  readonly bucket_seconds: number;
  readonly total: number;
  readonly by_severity: Tally;
  readonly by_kind: readonly { readonly kind: string; readonly total: number; readonly by_severity: Tally }[];
  /** Stretches in which nothing happened are left out. */
  readonly over_time: readonly { readonly at: string; readonly by_severity: Tally }[];
};

export type AuditVerdict = {
  readonly intact: boolean;
  readonly entries: number;
  readonly head: { readonly seq: number; readonly hash: string } | null;
  readonly anchors: { readonly matched: number; readonly removed: number; readonly foreign: number } | null;
  readonly broken_at_seq: number | null;
  readonly reason: string | null;
};
