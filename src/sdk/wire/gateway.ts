/** `open`: it could not be reached, and is tried again now and then. */
export type UpstreamState = 'closed' | 'open' | 'probing' | 'unknown';

/** The proxy before the backends. What its thread did not tell is null. */
export type GatewayBody = {
  readonly phase: 'off' | 'running' | 'restarting';
  readonly url: string | null;
  /** How often its thread died and was brought back. */
  readonly restarts: number;
  readonly looked_at: string | null;
  readonly connections: number | null;
  readonly requests_under_way: number | null;
  readonly connections_refused: number | null;
  readonly requests_unreadable: number | null;
  readonly observations_waiting: number | null;
  readonly observations_dropped: number | null;
  readonly quota_unanswered: number | null;
  /** Targets whose writes wait, and how many do. */
  readonly barrier: { readonly holding: readonly string[]; readonly waiting: number } | null;
  readonly upstreams: readonly {
    /** `target/workspace`. */
    readonly id: string;
    readonly target_id: string;
    readonly workspace: string;
    readonly path_prefix: string | null;
    readonly hosts: readonly string[];
    readonly has_key: boolean;
    readonly state: UpstreamState;
  }[];
  readonly providers: readonly {
    readonly id: string;
    readonly api: 'openai' | 'ollama';
    readonly has_key: boolean;
    readonly state: UpstreamState;
  }[];
};

/** A key for going through the gateway, without the key itself. */
export type GatewayKeyBody = {
  readonly id: string;
  readonly subject: string;
  readonly target_id: string;
  /** Null: any of the target. */
  readonly workspace: string | null;
  readonly label: string;
  readonly state: 'active' | 'expired' | 'revoked';
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
  /** The minute of its last use, as far as it is written down. */
  readonly last_used_at: string | null;
};

/** `key` is told this once. */
export type NewGatewayKeyBody = GatewayKeyBody & { readonly key: string };
