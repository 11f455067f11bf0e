import type { ReplicationStatus } from './replication.ts';
export type HealthWord = 'healthy' | 'unknown' | 'degraded' | 'unhealthy' | 'critical';
type Fact = string | number | boolean | null;
type Facts = Readonly<Record<string, Fact>>;

export type HealthReason = { readonly check: string; readonly status: HealthWord; readonly message: string };
export type HealthVerdict = {
  /** Null: nobody knows. */
  readonly can: boolean | null;
  readonly reasons: readonly HealthReason[];
};

export type HealthCheckBody = {
  readonly name: string;
  readonly kind: 'database' | 'cache' | 'external' | 'system' | 'application';
  readonly about: 'watched' | 'own';
  readonly needed_for: readonly ('answer' | 'ingest')[];
  /** One look alone does not change it. */
  readonly status: HealthWord;
  readonly message: string;
  readonly time: string | null;
  readonly age_seconds: number | null;
  readonly last_look: HealthWord;
  readonly took_ms: number | null;
  readonly since: string | null;
  readonly flapping: boolean;
  readonly looks: number;
  readonly failures: number;
  readonly interval_seconds: number | null;
  readonly observed_value: string | number | null;
  readonly observed_unit: string | null;
  readonly checks: Readonly<Record<string, Facts>>;
  readonly metrics: Readonly<Record<string, Facts>>;
  readonly details: Facts;
};

/** The overall state with its reasons, two verdicts, and every check. */
export type HealthStatusBody = {
  readonly status: HealthWord;
  readonly timestamp: string;
  readonly fresh: boolean;
  readonly can_answer: HealthVerdict;
  readonly can_ingest: HealthVerdict;
  readonly reasons: readonly HealthReason[];
  readonly checks: readonly HealthCheckBody[];
};

export type HealthComponent = {
  readonly status: HealthWord;
  readonly timestamp: string;
  readonly error?: string | undefined;
  readonly checks: Readonly<Record<string, Facts>>;
  readonly metrics: Readonly<Record<string, Facts>>;
  readonly services: Readonly<Record<string, { readonly status: HealthWord; readonly message: string }>>;
};

/** A full check by what is looked at, with the fields of document 002. */
export type HealthComponents = {
  readonly status: HealthWord;
  readonly timestamp: string;
  readonly components: {
    readonly database: HealthComponent;
    readonly cache: HealthComponent;
    readonly system_resources: HealthComponent & {
      readonly alerts: readonly {
        readonly type: string;
        readonly message: string;
        readonly severity: 'warning' | 'critical';
      }[];
    };
    readonly external_services: HealthComponent;
    readonly application_services: HealthComponent;
  };
};

export type HealthMetricsBody = {
  readonly timestamp: string;
  readonly status: HealthWord;
  readonly checks_total: number;
  readonly checks_by_status: Readonly<Record<string, number>>;
  readonly looks_total: number;
  readonly failures_total: number;
  readonly flapping: number;
  readonly graphs_total: number;
  readonly graphs_by_status: Readonly<Record<string, number>>;
  readonly documents_by_status: Readonly<Record<string, number>>;
  readonly stuck_documents: number;
  readonly checks: readonly {
    readonly name: string;
    readonly status: HealthWord;
    readonly value: string | number | null;
    readonly unit: string | null;
    readonly took_ms: number | null;
    readonly age_seconds: number | null;
  }[];
};

/** One workspace of a target. */
export type GraphStatus = {
  readonly graph_id: string;
  readonly target_id: string;
  readonly workspace: string;
  readonly status: 'HEALTHY' | 'DEGRADED' | 'OFFLINE' | 'UNKNOWN';
  readonly timestamp: string;
  readonly reasons: readonly { readonly code: string; readonly message: string }[];
  readonly observed_at: string | null;
  readonly latency_ms: number | null;
  readonly documents: Readonly<Record<string, number>> | null;
  readonly pipeline: { readonly busy: boolean; readonly job_name: string; readonly latest_message: string } | null;
  readonly stuck: {
    readonly cause: string;
    readonly since: string;
    readonly documents: number;
    readonly listed: readonly { readonly id: string; readonly status: string; readonly updated_at: string | null }[];
  } | null;
  readonly audit: {
    readonly verdict: string;
    readonly at: string;
    readonly counts: Readonly<Record<string, number>>;
    readonly dangling: Readonly<Record<string, number>>;
  } | null;
  readonly size_bytes: number | null;
  readonly last_backup: { readonly verified_at: string | null; readonly objective_met: boolean } | null;
};

export type RecoveryHealth = {
  readonly overall_status: HealthWord;
  readonly timestamp: string;
  readonly graphs: Readonly<
    Record<
      string,
      {
        readonly component_id: string;
        readonly component_type: 'graph';
        readonly status: 'healthy' | 'degraded' | 'offline' | 'unknown';
        readonly message: string;
        readonly last_check: string | null;
        readonly details: Readonly<Record<string, unknown>>;
      }
    >
  >;
  readonly backups: Readonly<Record<string, { readonly status: HealthWord; readonly message: string }>>;
  readonly replication: ReplicationStatus;
};

/** What runs in one instance of ragwarden. */
export type InstanceBody = {
  readonly instance: string;
  readonly version: string;
  readonly started_at: string;
  readonly told_at: string;
  /** The one that answers. */
  readonly here: boolean;
  readonly alive: boolean;
  readonly services: readonly {
    readonly name: string;
    readonly kind: 'job' | 'listener';
    readonly state: 'running' | 'waiting' | 'late' | 'stopped';
    readonly since: string | null;
    readonly last_run: string | null;
    readonly runs: number | null;
    readonly failures: number | null;
    readonly last_error: string | null;
  }[];
};
