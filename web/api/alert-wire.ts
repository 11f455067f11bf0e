/** The answers about alerts and notifications, as the API's description has them. */

export type Severity = 'info' | 'warning' | 'error' | 'critical';
export type Labels = Record<string, string>;

export type Alert = {
  alert_id: string;
  rule_name: string;
  metric_name: string;
  state: 'pending' | 'active' | 'acknowledged' | 'suppressed' | 'resolved';
  severity: Severity;
  threshold: number | null;
  current_value: number | null;
  worst_value: number | null;
  message: string;
  labels: Labels;
  tags: Labels;
  pending_at: string;
  triggered_at: string | null;
  resolved_at: string | null;
  resolved_reason: string | null;
  flapping: boolean;
  acknowledged_at: string | null;
  acknowledged_by: string | null;
  acknowledged_note: string | null;
  silenced_by: string[];
  action: { kind: string; mode: 'dry' | 'run'; state: string; detail: string } | null;
};

export type ActiveAlerts = { items: Alert[]; firing: number; pending: number; evaluated_at: string | null };

export type AlertRule = {
  name: string;
  description: string;
  severity: Severity;
  enabled: boolean;
  duration_seconds: number;
  runbook_url?: string;
  origin: 'file' | 'api' | 'default';
  says: string;
  status: {
    evaluated_at: string | null;
    label_sets: number;
    pending: number;
    firing: number;
    error: string | null;
  } | null;
};

export type Firing = {
  labels: Labels;
  triggered_at: string;
  /** Null: it would fire still. */
  resolved_at: string | null;
  seconds: number;
  worst_value: number | null;
  flapping: boolean;
};

export type Backtest = {
  rule_name: string;
  says: string;
  from: string;
  to: string;
  step_seconds: number;
  evaluations: number;
  label_sets: number;
  fired: number;
  fired_seconds: number;
  pending_only: number;
  firings: Firing[];
  firings_left_out: number;
  now: { label_sets: number; matching: number };
  notes: string[];
};

export type Silence = {
  id: string;
  state: 'pending' | 'active' | 'expired';
  matchers: string[];
  from: string;
  until: string;
  created_by: string;
  comment: string;
};

export type Attempt = {
  at: string;
  outcome: 'sent' | 'failed';
  status: number | null;
  error: string | null;
  latency_ms: number;
};

export type Delivery = {
  id: string;
  receiver: string;
  state: 'pending' | 'sent' | 'dead' | 'superseded';
  reason: 'change' | 'repeat' | 'escalation' | 'test';
  status: 'firing' | 'resolved';
  title: string;
  alerts: { key: string; status: string; severity: string; title: string }[];
  omitted_alerts: number;
  created_at: string;
  next_attempt_at: string | null;
  failures: number;
  superseded_by: string | null;
  attempts: Attempt[];
};

export type Deliveries = {
  items: Delivery[];
  next_cursor: string | null;
  pending: number;
  oldest_pending_since: string | null;
};

export type Receiver = {
  id: string;
  kind: 'webhook' | 'slack' | 'email' | 'alertmanager';
  origin: 'file' | 'api';
  place: string | null;
  state: 'ok' | 'unknown' | 'failing' | 'gone' | 'broken';
  reason: string | null;
  failures: number;
  last_success_at: string | null;
  last_error_at: string | null;
};

export type ReceiverTest = { delivered: boolean; delivery_id: string; attempt: Attempt | null };
