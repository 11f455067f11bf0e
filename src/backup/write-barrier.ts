/**
 * Whoever stands before the backend and can keep inserts waiting. A hold is bounded: after `maxMs` it ends by itself, and
 * `release` says so.
 */
export type WriteBarrier = {
  hold(request: {
    readonly targetId: string;
    readonly maxMs: number;
    readonly reason: string;
    readonly signal: AbortSignal;
  }): Promise<HeldInserts | { readonly held: false; readonly reason: string }>;
};

export type HeldInserts = {
  readonly held: true;
  /** May be called twice; the first answer counts. */
  release(): Promise<{ readonly heldMs: number; readonly endedByItself: boolean }>;
};

/** What became of the hold; stands in the manifest. */
export type BarrierFacts = {
  readonly held: boolean;
  readonly held_ms: number | null;
  readonly reason: string | null;
};

/** While nothing stands before the backend. */
export const noBarrier: WriteBarrier = {
  hold: async () => ({ held: false, reason: 'no gateway stands before the backend' }),
};
