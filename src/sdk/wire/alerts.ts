export type AlertSeverity = 'info' | 'warning' | 'error' | 'critical';
export type AlertCondition = 'gt' | 'gte' | 'lt' | 'lte' | 'eq' | 'absent';
export type AlertRuleOrigin = 'file' | 'api' | 'default';

/** What a rule may have done when it fires. `dry`, the default, says what would be done and does nothing. */
export type AlertActionBody = (
  | { readonly kind: 'run-cleanup-task'; readonly task_id: string }
  | { readonly kind: 'take-recovery-point'; readonly target_id: string }
  | { readonly kind: 'pause-inserts'; readonly target_id: string; readonly for_seconds: number }
  | {
      readonly kind: 'throttle-workspace';
      readonly target_id: string;
      readonly workspace: string;
      readonly requests_per_minute: number;
      readonly for_seconds: number;
    }
) & { readonly mode?: 'dry' | 'run' | undefined; readonly at_most_every_seconds?: number | undefined };

/** A rule of the server, with what its last evaluation found. */
export type KnownAlertRule = {
  readonly name: string;
  readonly metric_name: string;
  readonly condition: AlertCondition;
  readonly threshold?: number | undefined;
  readonly duration_seconds: number;
  readonly severity: AlertSeverity;
  readonly description: string;
  readonly enabled: boolean;
  readonly tags: Readonly<Record<string, string>>;
  readonly origin: AlertRuleOrigin;
  readonly shelved: readonly AlertRuleOrigin[];
  /** The condition as a sentence. */
  readonly says: string;
  readonly revision: number;
  readonly updated_at: string | null;
  readonly updated_by: string | null;
  readonly action?: AlertActionBody | undefined;
  readonly status: {
    readonly evaluated_at: string | null;
    /** That had a value; 0 may mean that there is no such metric. */
    readonly label_sets: number;
    readonly pending: number;
    readonly firing: number;
    readonly error: string | null;
  } | null;
};

export type AlertBody = {
  readonly alert_id: string;
  readonly rule_name: string;
  readonly metric_name: string;
  readonly state: 'pending' | 'active' | 'acknowledged' | 'suppressed' | 'resolved';
  readonly severity: AlertSeverity;
  readonly condition: AlertCondition;
  readonly threshold: number | null;
  readonly current_value: number | null;
  readonly worst_value: number | null;
  /** Why it fired, or what it is pending for. */
  readonly message: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly pending_at: string;
  readonly triggered_at: string | null;
  readonly resolved_at: string | null;
  readonly resolved_reason: string | null;
  readonly flapping: boolean;
  readonly acknowledged_at: string | null;
  readonly acknowledged_by: string | null;
  readonly acknowledged_note: string | null;
  readonly silenced_by: readonly string[];
  readonly action: {
    readonly kind: string;
    readonly mode: 'dry' | 'run';
    readonly state: 'due' | 'running' | 'dry' | 'begun' | 'failed' | 'skipped' | 'unavailable' | 'unknown';
    readonly detail: string;
    readonly operation_id: string | null;
    readonly at: string;
  } | null;
};

export type ActiveAlertsBody = {
  readonly items: readonly AlertBody[];
  readonly next_cursor: null;
  readonly firing: number;
  readonly pending: number;
  readonly evaluated_at: string | null;
};

/** When a rule would have fired over what is stored, and what it measures now. */
export type AlertBacktestBody = {
  readonly rule_name: string;
  readonly says: string;
  readonly from: string;
  readonly to: string;
  readonly step_seconds: number;
  readonly evaluations: number;
  readonly label_sets: number;
  readonly fired: number;
  readonly fired_seconds: number;
  readonly pending_only: number;
  readonly too_many_label_sets: boolean;
  readonly firings: readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly pending_at: string;
    readonly triggered_at: string;
    readonly resolved_at: string | null;
    readonly seconds: number;
    readonly worst_value: number | null;
    readonly flapping: boolean;
    readonly reason: string;
  }[];
  readonly firings_left_out: number;
  readonly now: {
    readonly readings: readonly {
      readonly labels: Readonly<Record<string, string>>;
      readonly value: number;
      readonly matches: boolean;
    }[];
    readonly label_sets: number;
    readonly matching: number;
  };
  readonly value: { readonly value: number; readonly matches: boolean } | null;
  readonly notes: readonly string[];
};

export type AlertRulesExport = {
  /** YAML, as `promtool check rules` takes it. */
  readonly rule_file: string;
  readonly exported: number;
  readonly left_out: readonly { readonly rule_name: string; readonly reason: string }[];
};
