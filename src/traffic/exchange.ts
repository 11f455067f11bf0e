import type { Observation, OperationClass, Outcome } from '../gateway/index.ts';

/** An exchange as it is kept: what was seen of it, and what was made of that. */
export type Exchange = Omit<Observation, 'operation'> & {
  /** `unknown`: an error that somebody told without saying of what. */
  readonly operation: OperationClass | 'unknown';
  /** Passed through the gateway, or was told by whoever did it. */
  readonly source: 'gateway' | 'recorded';
  /** Null where no price of the model is known, or no token was told. */
  readonly costUsd: number | null;
  /** The same call was made shortly before and failed. */
  readonly retry: boolean;
};

/**
 * What an outcome counts as. `done` is what somebody got who asked (an answer without context and a deletion that was told to
 * wait are answers too); `failed` is the fault of backend or provider, `wrong` that of the caller; `refused` never left us.
 */
export type Result = 'done' | 'failed' | 'wrong' | 'refused' | 'gone';

/** Whether it is work: what a provider is asked besides, as which models it has, is none. */
export const isWork = ({ door, operation }: Pick<Exchange, 'door' | 'operation'>): boolean =>
  door === 'backend' || operation === 'llm';

const results: Readonly<Record<Outcome, Result>> = {
  ok: 'done',
  empty: 'done',
  busy: 'done',
  hidden_error: 'failed',
  rate_limited: 'failed',
  upstream_error: 'failed',
  upstream_unreachable: 'failed',
  upstream_broken: 'failed',
  client_error: 'wrong',
  client_gone: 'gone',
  refused_route: 'refused',
  refused_key: 'refused',
  refused_quota: 'refused',
  refused_barrier: 'refused',
};

export const resultOf = (outcome: Outcome): Result => results[outcome];

/** What of an outcome tells how long work takes: who was turned away, or left, waited for something else. */
export const isTimed = (outcome: Outcome): boolean => resultOf(outcome) === 'done' || resultOf(outcome) === 'failed';
