/** Holds back what it matches, from a moment until another. */
export type SilenceBody = {
  readonly id: string;
  readonly state: 'pending' | 'active' | 'expired';
  /** LABEL=VALUE or LABEL!=VALUE, with * for any run of characters; all of them hold. */
  readonly matchers: readonly string[];
  readonly from: string;
  readonly until: string;
  readonly created_by: string;
  readonly created_at: string;
  readonly comment: string;
};

/** Somebody who is told, without secrets. */
export type ReceiverBody = {
  readonly id: string;
  readonly kind: 'webhook' | 'slack' | 'email' | 'alertmanager';
  /** Those of the file are changed there. */
  readonly origin: 'file' | 'api';
  readonly place: string | null;
  readonly send_resolved: boolean;
  readonly timeout_seconds: number;
  readonly has_secret: boolean;
  /** `gone` takes nothing any more; `broken`: its secrets cannot be opened; `unknown`: nothing was sent yet. */
  readonly state: 'ok' | 'unknown' | 'failing' | 'gone' | 'broken';
  readonly reason: string | null;
  /** In a row. */
  readonly failures: number;
  readonly last_success_at: string | null;
  readonly last_error_at: string | null;
  readonly created_by: string | null;
};
/** `signing_key` is told this once, where one was made. */
export type NewReceiverBody = ReceiverBody & { readonly signing_key: string | null };

/** One try to send a notification. */
export type AttemptBody = {
  readonly at: string;
  readonly outcome: 'sent' | 'failed';
  readonly status: number | null;
  readonly error: string | null;
  readonly latency_ms: number;
};
export type ReceiverTestBody = {
  readonly delivered: boolean;
  readonly delivery_id: string;
  readonly attempt: AttemptBody | null;
};

/** A notification on its way to one receiver, with what happened at each attempt. */
export type DeliveryBody = {
  /** Also the id that the receiver sees, the same at each attempt. */
  readonly id: string;
  readonly receiver: string;
  /** `superseded`: a later one says all of it. */
  readonly state: 'pending' | 'sent' | 'dead' | 'superseded';
  readonly reason: 'change' | 'repeat' | 'escalation' | 'test';
  readonly status: 'firing' | 'resolved';
  readonly title: string;
  readonly group_labels: Readonly<Record<string, string>>;
  readonly alerts: readonly {
    readonly key: string;
    readonly status: 'firing' | 'resolved';
    readonly severity: string;
    readonly title: string;
  }[];
  readonly omitted_alerts: number;
  readonly created_at: string;
  readonly next_attempt_at: string | null;
  readonly finished_at: string | null;
  readonly failures: number;
  readonly superseded_by: string | null;
  /** The latest fifty, oldest first. */
  readonly attempts: readonly AttemptBody[];
};
/** A page of them, with how many wait whatever was asked for. */
export type DeliveriesBody = {
  readonly items: readonly DeliveryBody[];
  readonly next_cursor: string | null;
  readonly pending: number;
  readonly oldest_pending_since: string | null;
};
