import type { MappedRoute } from './lens/route-map.ts';
import type { Observation, OperationClass } from './observation.ts';

/** What the main thread tells the gateway: the whole, each time it changes. Plain data. */
export type GatewayState = {
  readonly upstreams: readonly Upstream[];
  readonly providers: readonly Provider[];
  readonly keys: readonly GatewayKey[];
  /** Undefined: bodies pass as they are, all of them. */
  readonly overrides?: QueryOverrides | undefined;
};

/** Fields of a query's body and what they shall be where the caller does not say. */
export type OverrideValues = Readonly<Record<string, number | boolean | string>>;

/** A user's count more than those of the workspace. */
export type QueryOverrides = {
  /** By subject of a key. */
  readonly byUser: Readonly<Record<string, OverrideValues>>;
  /** By id of an upstream. */
  readonly byUpstream: Readonly<Record<string, OverrideValues>>;
};

export type Upstream = {
  /** `target/workspace`, unique. */
  readonly id: string;
  readonly targetId: string;
  readonly workspace: string;
  readonly url: string;
  /** Put in for holders of a ragwarden key only. */
  readonly apiKey: string | null;
  /** Which API it speaks; `mapped`: what `routes` say. */
  readonly lens: 'lightrag' | 'graphrag' | 'mapped' | 'plain';
  readonly routes?: readonly MappedRoute[];
  /** Further ways to reach it: path prefix (stripped), host names. */
  readonly pathPrefix: string | null;
  readonly hosts: readonly string[];
};

export type Provider = {
  readonly id: string;
  readonly url: string;
  readonly api: 'openai' | 'ollama';
  readonly apiKey: string | null;
};

/** A key as the gateway knows it: by digest. */
export type GatewayKey = {
  readonly id: string;
  /** SHA-256 of the key, hex. */
  readonly digest: string;
  readonly subject: string;
  readonly targetId: string;
  /** Null: any workspace of that target. */
  readonly workspace: string | null;
  readonly expiresMs: number | null;
};

/** Asked before forwarding. */
export type QuotaAsk = {
  readonly door: 'backend' | 'llm';
  readonly targetId: string;
  readonly workspace: string;
  readonly subject: string | null;
  readonly keyId: string | null;
  readonly operation: OperationClass;
  readonly writes: boolean;
  /** From `Content-Length`; null when it is not said. */
  readonly requestBytes: number | null;
};

export type QuotaAnswer =
  | { readonly granted: true; readonly reservation: string | null }
  | {
      readonly granted: false;
      /** `unavailable`: nobody can tell just now, and the quota says that nothing passes then. */
      readonly why: 'exceeded' | 'unavailable';
      readonly retryAfterSeconds: number | null;
      /** Which limit, of what, how much was used: what `explain` shows. */
      readonly detail: string;
      /** For the RateLimit headers. */
      readonly limit: number | null;
      readonly remaining: number | null;
      readonly resetSeconds: number | null;
      /** Id of the quota, and the length of its window. */
      readonly policy: string | null;
      readonly windowSeconds: number | null;
    };

/** Whom a quota that can deny is a matter of, as the gateway must know it: everybody else is not asked about. */
export type QuotaGuard = {
  readonly id: string;
  readonly doors: readonly QuotaAsk['door'][];
  /** Only what writes. */
  readonly writesOnly: boolean;
  /** Null: any. */
  readonly targetId: string | null;
  readonly workspace: string | null;
  readonly subject: string | null;
  readonly keyId: string | null;
  /** What happens to a request about which nobody answers in time. */
  readonly whenSilent: 'closed' | 'open';
};

export type QuotaDecision = {
  /** `hold` is told when the answer will take so long at most, because the request waits for its turn. */
  decide(ask: QuotaAsk, hold?: (maxMs: number) => void): Promise<QuotaAnswer>;
  /** With what it really took; called once for each reservation, also when the exchange failed. */
  settle(reservation: string, observation: Observation): void;
  /** Those that count now, and a listener for when they change. */
  guards(): readonly QuotaGuard[];
  onGuards(listener: (guards: readonly QuotaGuard[]) => void): void;
  /** The thread of the gateway died: what it had reserved will never be settled. */
  abandon(): void;
};
