/** What an exchange was for, in the words of the documents; `llm` is a plain call of a model without retrieval. */
export type OperationClass = 'query' | 'search' | 'insert' | 'admin' | 'read' | 'llm';

/**
 * How an exchange ended, told by what the answer says and not by its status alone: `hidden_error` is an error inside a 200,
 * `empty` an answer without context, `busy` a deletion that did not begin; `refused_*` never reached the upstream.
 */
export type Outcome =
  | 'ok'
  | 'empty'
  | 'busy'
  | 'hidden_error'
  | 'client_error'
  | 'rate_limited'
  | 'upstream_error'
  | 'upstream_unreachable'
  | 'upstream_broken'
  | 'client_gone'
  | 'refused_route'
  | 'refused_key'
  | 'refused_quota'
  | 'refused_barrier';

/** One exchange that ended. Plain data: it crosses a thread. Times in milliseconds, sizes in bytes of the bodies as they passed. */
export type Observation = {
  /** Which door: the backend's API, or a provider below `/llm/`. */
  readonly door: 'backend' | 'llm';
  /** Start, epoch milliseconds. */
  readonly atMs: number;
  /** Null where no upstream was found. For a call of a provider: the target whose backend made it, if that is known. */
  readonly targetId: string | null;
  readonly workspace: string | null;
  /** Who: of the ragwarden key; else what the caller's own token says, unverified, for attribution only; else null. */
  readonly subject: string | null;
  readonly keyId: string | null;
  readonly operation: OperationClass;
  /** Method and pattern, of a bounded set: `POST /query/stream`, or `other`. */
  readonly route: string;
  /** Query mode as sent or by default; null where there is none. */
  readonly mode: string | null;
  readonly stream: boolean;
  /** What the client got; 0 when it left before. */
  readonly status: number;
  readonly outcome: Outcome;
  /** A short word of a bounded set that says more than the outcome (`no-context`, `timeout`, `ECONNREFUSED`); never text of the answer. */
  readonly reason: string | null;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Since the start; null when it never came. */
  readonly firstByteMs: number | null;
  /** First line that holds a piece of the answer. */
  readonly firstContentMs: number | null;
  readonly totalMs: number;
  /** Of an insert that was accepted. */
  readonly trackId: string | null;
  /** Fields of the query that the gateway put in, since the caller left them open; left out where there are none. */
  readonly added?: readonly string[];
  readonly llm: LlmReading | null;
};

/** What a call of a provider said about itself. Token counts are the provider's own; null where it named none. */
export type LlmReading = {
  readonly provider: string;
  readonly call: 'chat' | 'completion' | 'embeddings' | 'rerank' | 'other';
  /** As asked for; bounded in length. */
  readonly model: string | null;
  /** `extract`, `query`, `keyword` … where the caller said so by header `X-Ragwarden-Role`; else null. */
  readonly role: string | null;
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
  readonly cachedTokens: number | null;
  /** Time to first token of a stream, else null. */
  readonly firstTokenMs: number | null;
  /** Length of the vectors of an embeddings call. */
  readonly dimension: number | null;
  /** From `Retry-After` of a 429 or 503. */
  readonly retryAfterMs: number | null;
  /** Of the whole request, so that the same call can be known again; a word of no other meaning, shown to nobody. */
  readonly digest: string | null;
};
