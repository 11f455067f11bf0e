import type { TierName } from './block-store.ts';

/** A coarser tier is made of the next finer one, window by window. */
export type RollupTier = {
  readonly name: Exclude<TierName, 'raw' | 'values'>;
  readonly from: Exclude<TierName, 'values'>;
  readonly windowMs: number;
  /** So many milliseconds of windows become one block once nothing of them can change any more. */
  readonly spanMs: number;
};

/** Values up to an hour old are taken, so what is younger than this may change. */
export const settledAfterMs = 3_900_000;

export const rollupTiers: readonly RollupTier[] = [
  { name: '5m', from: 'raw', windowMs: 300_000, spanMs: 7_200_000 },
  { name: '1h', from: '5m', windowMs: 3_600_000, spanMs: 86_400_000 },
];

/** How long each tier is kept, in milliseconds. */
export type Retention = Readonly<Record<TierName, number>>;

const day = 86_400_000;
export const defaultRetention: Retention = { values: 7 * day, raw: 7 * day, '5m': 90 * day, '1h': 730 * day };
