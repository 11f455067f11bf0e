/** As the API answers; see docs/openapi.json. Only what the page reads. */
type Facts = Readonly<Record<string, string | number | boolean | null>>;
export type Reason = { readonly check: string; readonly status: string; readonly message: string };
export type Verdict = { readonly can: boolean | null; readonly reasons: readonly Reason[] };

export type Check = {
  readonly name: string;
  readonly kind: string;
  readonly needed_for: readonly string[];
  readonly status: string;
  readonly message: string;
  readonly time: string | null;
  readonly last_look: string;
  readonly took_ms: number | null;
  readonly since: string | null;
  readonly flapping: boolean;
  readonly looks: number;
  readonly failures: number;
  readonly checks: Readonly<Record<string, Facts>>;
  readonly metrics: Readonly<Record<string, Facts>>;
  readonly details: Facts;
};

export type HealthStatus = {
  readonly status: string;
  readonly timestamp: string;
  readonly can_answer: Verdict;
  readonly can_ingest: Verdict;
  readonly checks: readonly Check[];
};

export type Graph = {
  readonly graph_id: string;
  readonly status: string;
  readonly reasons: readonly { readonly code: string; readonly message: string }[];
  readonly observed_at: string | null;
  readonly documents: Readonly<Record<string, number>> | null;
  readonly pipeline: { readonly busy: boolean; readonly job_name: string } | null;
  readonly stuck: {
    readonly cause: string;
    readonly since: string;
    readonly documents: number;
    readonly listed: readonly { readonly id: string; readonly status: string; readonly updated_at: string | null }[];
  } | null;
  readonly audit: {
    readonly verdict: string;
    readonly at: string;
    readonly dangling: Readonly<Record<string, number>>;
  } | null;
  readonly size_bytes: number | null;
  readonly last_backup: { readonly verified_at: string | null; readonly objective_met: boolean } | null;
};

export type Instance = {
  readonly instance: string;
  readonly version: string;
  readonly started_at: string;
  readonly told_at: string;
  readonly here: boolean;
  readonly alive: boolean;
  readonly services: readonly {
    readonly name: string;
    readonly state: string;
    readonly last_run: string | null;
    readonly runs: number | null;
    readonly last_error: string | null;
  }[];
};
