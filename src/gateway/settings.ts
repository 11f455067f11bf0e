/** What a gateway is made with and keeps until it is made anew. Plain data: it crosses a thread. */
export type GatewaySettings = {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Further host names under which clients may call. */
  readonly publicHosts: readonly string[];
  readonly trustedProxies: readonly string[];
  /** Without a key of ours nothing is forwarded. */
  readonly requireKey: boolean;
  readonly connectTimeoutMs: number;
  /** From the end of the request to the head of the answer. */
  readonly answerTimeoutMs: number;
  /** Silence on either side while bodies pass. */
  readonly idleTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxBodyBytes: number;
  readonly whileHeld: 'wait' | 'refuse';
  /** How long what is under way may take when the gateway stops. */
  readonly drainMs: number;
  /** How long an answer of the quota may take before a request goes on without it. */
  readonly quotaWaitMs: number;
  /** Somebody answers quota asks. */
  readonly asksQuota: boolean;
};
