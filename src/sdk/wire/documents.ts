export type ListedDocument = {
  readonly id: string;
  readonly status: string;
  readonly file_path: string;
  readonly track_id: string | null;
  readonly created_at: string;
  readonly updated_at: string;
  /** Since it last changed. */
  readonly age_seconds: number;
  /** Class of the failure; null for one that did not fail. */
  readonly cause: string | null;
  readonly error: string | null;
};

/** What becomes of the documents of one workspace. */
export type DocumentsBody = {
  readonly target_id: string;
  readonly workspace: string;
  readonly looked_at: string | null;
  readonly counts: Readonly<Record<string, number>> | null;
  readonly in_flight: number | null;
  readonly stuck: {
    readonly cause: 'pipeline-idle' | 'no-progress';
    readonly since: string;
    readonly documents: number;
    readonly listed: readonly ListedDocument[];
  } | null;
  readonly failed: readonly ListedDocument[];
  /** Since `counted_since`. */
  readonly ended: readonly { readonly outcome: string; readonly cause: string | null; readonly documents: number }[];
  readonly counted_since: string | null;
  /** From acceptance to processed, of the last 2,000 documents. */
  readonly latency: {
    readonly documents: number;
    readonly average_ms: number;
    readonly min_ms: number;
    readonly max_ms: number;
    readonly p50_ms: number;
    readonly p95_ms: number;
    readonly p99_ms: number;
  } | null;
  readonly inserts_followed: number;
  /** Followed inserts that ended last, the newest first. */
  readonly inserts: readonly {
    readonly track_id: string;
    readonly user: string | null;
    readonly accepted_at: string;
    readonly ended_at: string;
    readonly outcome: 'processed' | 'partly' | 'failed' | 'duplicate' | 'no-documents' | 'given-up';
    readonly documents: number;
    readonly causes: readonly string[];
    readonly duration_ms: number | null;
  }[];
  readonly reprocessing: {
    readonly automatic: boolean;
    readonly most_per_day: number;
    readonly today: number;
    readonly next_at: string | null;
  };
};

/** A question whose answer is known, and how it was answered last. */
export type CanaryBody = {
  readonly target_id: string;
  readonly workspace: string;
  readonly question: string;
  readonly expected: string;
  readonly mode: string;
  readonly can_plant: boolean;
  readonly verdict: 'passed' | 'missing' | 'empty' | 'dimension' | 'error' | null;
  readonly message: string | null;
  readonly asked_at: string | null;
  readonly latency_ms: number | null;
  readonly since: string | null;
  readonly last_passed_at: string | null;
  readonly index_dimension: number | null;
  readonly embedding_dimension: number | null;
};
