/** Counts behind it, and exact percentiles; null when there is none. */
export type TrafficDistribution = {
  readonly count: number;
  readonly avg: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
};

export type TrafficRow = {
  /** To the backend. */
  readonly requests: number;
  readonly done: number;
  readonly errors: number;
  /** Of what was done or failed, 0 to 1. */
  readonly error_rate: number | null;
  readonly client_errors: number;
  readonly refused: number;
  readonly cancelled: number;
  /** Answers without context. */
  readonly empty: number;
  readonly throughput_per_second: number;
  readonly request_bytes: number;
  readonly response_bytes: number;
  readonly duration_ms: TrafficDistribution;
  readonly first_byte_ms: TrafficDistribution;
  readonly first_content_ms: TrafficDistribution;
  readonly llm: {
    readonly calls: number;
    readonly errors: number;
    readonly error_rate: number | null;
    readonly rate_limited: number;
    readonly retries: number;
    readonly tokens: { readonly prompt: number; readonly completion: number; readonly cached: number };
    readonly calls_without_tokens: number;
    readonly cost_usd: number;
    readonly calls_without_price: number;
    readonly duration_ms: TrafficDistribution;
    readonly first_token_ms: TrafficDistribution;
  };
};

export type TrafficGrouping = 'operation' | 'mode' | 'workspace' | 'user' | 'model' | 'provider' | 'role' | 'source';

export type TrafficSummaryBody = {
  readonly from: string;
  readonly to: string;
  readonly window_seconds: number;
  /** Later than `from` where what passed earlier is no longer kept. */
  readonly kept_from: string;
  readonly complete: boolean;
  readonly by: TrafficGrouping | null;
  readonly total: TrafficRow;
  readonly items: readonly (TrafficRow & { readonly key: string })[];
  readonly left_out: number;
  /** What the backend's process took; null where it is not seen. */
  readonly backend: {
    readonly from: string;
    readonly to: string;
    readonly operations: number;
    readonly cpu_seconds: number | null;
    readonly read_bytes: number | null;
    readonly written_bytes: number | null;
    readonly average_rss_bytes: number;
    readonly peak_rss_bytes: number;
    readonly cpu_seconds_per_operation: number | null;
    readonly written_bytes_per_operation: number | null;
  } | null;
  readonly unpriced_models: readonly string[];
};

export type TrafficExchangeBody = {
  readonly at: string;
  readonly source: 'gateway' | 'recorded';
  readonly door: 'backend' | 'llm';
  readonly target_id: string | null;
  readonly workspace: string | null;
  readonly user: string | null;
  readonly key_id: string | null;
  readonly operation: 'query' | 'search' | 'insert' | 'admin' | 'read' | 'llm' | 'unknown';
  readonly route: string;
  readonly mode: string | null;
  readonly stream: boolean;
  readonly status: number;
  readonly outcome: string;
  readonly reason: string | null;
  readonly request_bytes: number;
  readonly response_bytes: number;
  readonly first_byte_ms: number | null;
  readonly first_content_ms: number | null;
  readonly duration_ms: number;
  readonly track_id: string | null;
  /** Fields that the gateway put into a query whose caller left them open. */
  readonly added_parameters: readonly string[];
  readonly llm: {
    readonly provider: string;
    readonly call: 'chat' | 'completion' | 'embeddings' | 'rerank' | 'other';
    readonly model: string | null;
    readonly role: string | null;
    readonly prompt_tokens: number | null;
    readonly completion_tokens: number | null;
    readonly cached_tokens: number | null;
    readonly first_token_ms: number | null;
    readonly dimension: number | null;
    readonly cost_usd: number | null;
    readonly retry: boolean;
    readonly retry_after_ms: number | null;
  } | null;
};

/** Times in seconds; 0 when there was none. */
export type LightragOperationBody = {
  readonly count: number;
  readonly avg_time: number;
  readonly min_time: number;
  readonly max_time: number;
  readonly p50_time: number;
  readonly p95_time: number;
  readonly p99_time: number;
  readonly errors: number;
  readonly empty: number;
  readonly window_count: number;
};

export type LightragMonitorBody = {
  readonly timestamp: string;
  readonly uptime_seconds: number;
  readonly since: string;
  readonly operations: {
    readonly query: number;
    readonly search: number;
    readonly insert: number;
    readonly errors: number;
  };
  readonly error_rate: number | null;
  /** Operations per second, errors left out. */
  readonly throughput: number;
  readonly query: LightragOperationBody;
  readonly search: LightragOperationBody;
  readonly insert: LightragOperationBody;
};

/** An operation that did not pass the gateway; one that failed may leave out what it was and how long it took. */
export type LightragRecording = {
  readonly operation?: 'query' | 'search' | 'insert';
  readonly seconds?: number;
  readonly error?: boolean;
  readonly workspace?: string;
  readonly user_id?: string;
  readonly mode?: string;
  readonly stream?: boolean;
  readonly first_content_seconds?: number;
  /** When it began; ended now unless told. */
  readonly timestamp?: string;
};

type OfAgent = { readonly agent_id: string; readonly workspace_id?: string; readonly timestamp?: string };
type Metadata = Readonly<Record<string, unknown>>;
export type AgentRecording =
  | (OfAgent & {
      readonly kind: 'execution';
      readonly status?: string;
      readonly duration_ms: number;
      readonly metadata?: Metadata;
    })
  | (OfAgent & {
      readonly kind: 'llm_usage';
      readonly tokens?: number;
      readonly prompt_tokens?: number;
      readonly completion_tokens?: number;
      readonly cached_tokens?: number;
      /** Follows from `model` and the price table unless told. */
      readonly cost_usd?: number;
      readonly provider?: string;
      readonly model?: string;
      readonly tier?: string;
      readonly latency_ms?: number;
    })
  | (OfAgent & { readonly kind: 'tool_usage'; readonly tool: string; readonly duration_ms: number })
  | (OfAgent & { readonly kind: 'error'; readonly type: string; readonly metadata?: Metadata });

export type RecordedItemsBody = {
  readonly accepted: number;
  readonly rejected: number;
  readonly errors: readonly { readonly index: number; readonly detail: string }[];
};
