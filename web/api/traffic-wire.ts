/** The answers about traffic, gateway, documents and canary, as the API's description has them. Null is "not known". */

/** Milliseconds. */
export type Distribution = {
  count: number;
  avg: number | null;
  min: number | null;
  max: number | null;
  p50: number | null;
  p95: number | null;
  p99: number | null;
};

export type TrafficRow = {
  requests: number;
  done: number;
  errors: number;
  /** 0 to 1. */
  error_rate: number | null;
  client_errors: number;
  refused: number;
  cancelled: number;
  empty: number;
  throughput_per_second: number;
  duration_ms: Distribution;
  first_byte_ms: Distribution;
  first_content_ms: Distribution;
  llm: {
    calls: number;
    errors: number;
    rate_limited: number;
    retries: number;
    tokens: { prompt: number; completion: number; cached: number };
    calls_without_tokens: number;
    cost_usd: number;
    calls_without_price: number;
    duration_ms: Distribution;
  };
};

export type TrafficSummary = {
  from: string;
  to: string;
  kept_from: string;
  /** Nothing of the window is missing. */
  complete: boolean;
  total: TrafficRow;
  items: (TrafficRow & { key: string })[];
  left_out: number;
  backend: {
    operations: number;
    cpu_seconds: number | null;
    read_bytes: number | null;
    written_bytes: number | null;
    average_rss_bytes: number;
    peak_rss_bytes: number;
    cpu_seconds_per_operation: number | null;
  } | null;
  unpriced_models: string[];
};

export type Exchange = {
  at: string;
  source: 'gateway' | 'recorded';
  door: 'backend' | 'llm';
  target_id: string | null;
  workspace: string | null;
  user: string | null;
  key_id: string | null;
  operation: string;
  route: string;
  mode: string | null;
  stream: boolean;
  status: number;
  outcome: string;
  reason: string | null;
  request_bytes: number;
  response_bytes: number;
  first_byte_ms: number | null;
  first_content_ms: number | null;
  duration_ms: number;
  track_id: string | null;
  added_parameters: string[];
  llm: {
    provider: string;
    call: string;
    model: string | null;
    role: string | null;
    prompt_tokens: number | null;
    completion_tokens: number | null;
    cached_tokens: number | null;
    first_token_ms: number | null;
    cost_usd: number | null;
    retry: boolean;
  } | null;
};

type Breaker = 'closed' | 'open' | 'probing' | 'unknown';

export type GatewayStatus = {
  phase: 'off' | 'running' | 'restarting';
  url: string | null;
  restarts: number;
  looked_at: string | null;
  connections: number | null;
  requests_under_way: number | null;
  connections_refused: number | null;
  requests_unreadable: number | null;
  observations_waiting: number | null;
  observations_dropped: number | null;
  quota_unanswered: number | null;
  barrier: { holding: string[]; waiting: number } | null;
  upstreams: {
    id: string;
    target_id: string;
    workspace: string;
    path_prefix: string | null;
    hosts: string[];
    has_key: boolean;
    state: Breaker;
  }[];
  providers: { id: string; api: string; has_key: boolean; state: Breaker }[];
};

export type GatewayKey = {
  id: string;
  subject: string;
  target_id: string;
  /** Null: any of the target. */
  workspace: string | null;
  label: string;
  state: 'active' | 'expired' | 'revoked';
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
};

export type NewGatewayKey = {
  name: string;
  label: string;
  target_id: string;
  workspace: string | null;
  expires_at: string | null;
};

export type ListedDocument = {
  id: string;
  status: string;
  file_path: string;
  updated_at: string;
  age_seconds: number;
  /** Class of the failure. */
  cause: string | null;
  error: string | null;
};

/** What becomes of the documents of one workspace. */
export type DocumentsBody = {
  target_id: string;
  workspace: string;
  looked_at: string | null;
  counts: Record<string, number> | null;
  in_flight: number | null;
  stuck: {
    cause: 'pipeline-idle' | 'no-progress';
    since: string;
    documents: number;
    listed: ListedDocument[];
  } | null;
  failed: ListedDocument[];
  ended: { outcome: string; cause: string | null; documents: number }[];
  counted_since: string | null;
  latency: { documents: number; p50_ms: number; p95_ms: number; p99_ms: number } | null;
  inserts_followed: number;
  reprocessing: { automatic: boolean; most_per_day: number; today: number; next_at: string | null };
};

/** A question whose answer is known, and how it was answered last. */
export type CanaryBody = {
  target_id: string;
  workspace: string;
  question: string;
  expected: string;
  mode: string;
  can_plant: boolean;
  verdict: 'passed' | 'missing' | 'empty' | 'dimension' | 'error' | null;
  message: string | null;
  asked_at: string | null;
  latency_ms: number | null;
  last_passed_at: string | null;
};
