/**
 * Something of ours that grows. What it counts in (entries or bytes) and what goes first is said by whoever lists it.
 * `trim` removes one bounded batch of what is above the cap, the oldest first, so that other writes pass in between.
 */
export type Bounded = {
  measure(): Promise<number>;
  /** @returns how much went; 0 when nothing more may go */
  trim(cap: number, batch: number): Promise<number>;
};
