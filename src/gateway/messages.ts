import type { Observation } from './observation.ts';
import type { GatewayState, QuotaAnswer, QuotaAsk, QuotaGuard } from './ports.ts';
import type { ProxyStatus } from './proxy.ts';
import type { GatewaySettings } from './settings.ts';

/** What the thread is born with. */
export type WorkerData = {
  readonly settings: GatewaySettings;
  readonly state: GatewayState;
  readonly guards: readonly QuotaGuard[];
};

export type ToWorker =
  | { readonly kind: 'state'; readonly state: GatewayState }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: QuotaAnswer }
  /** The request of that question waits for its turn. */
  | { readonly kind: 'waits'; readonly id: number; readonly maxMs: number }
  | { readonly kind: 'guards'; readonly guards: readonly QuotaGuard[] }
  | {
      readonly kind: 'hold';
      readonly id: string;
      readonly targetId: string;
      readonly maxMs: number;
      readonly drainMs: number;
    }
  | { readonly kind: 'release'; readonly id: string }
  | { readonly kind: 'taken'; readonly batch: number }
  | { readonly kind: 'look'; readonly id: number }
  | { readonly kind: 'stop' };

export type FromWorker =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'failed'; readonly code: string | undefined; readonly message: string }
  | { readonly kind: 'observations'; readonly batch: number; readonly items: readonly Observation[] }
  | { readonly kind: 'ask'; readonly id: number; readonly ask: QuotaAsk }
  | { readonly kind: 'settle'; readonly reservation: string; readonly observation: Observation }
  | { readonly kind: 'held'; readonly id: string /** Writes that had not ended in time. */; readonly left: number }
  | { readonly kind: 'released'; readonly id: string; readonly inTime: boolean }
  /** `id` of a look that was asked for; null when something changed by itself. */
  | { readonly kind: 'status'; readonly id: number | null; readonly status: WorkerStatus }
  | { readonly kind: 'stopped' };

export type WorkerStatus = ProxyStatus & {
  /** Observations that wait to be taken over, and those for which there was no room. */
  readonly buffered: number;
  readonly dropped: number;
  /** Requests about which no answer of the quota came in time. */
  readonly unansweredAsks: number;
  /** Of those without an answer: refused, because a quota says so. */
  readonly refusedUnansweredAsks: number;
};
