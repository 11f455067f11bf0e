import type { Batch } from '../summary.ts';

/** Counts of values between bounds: `counts[i]` above `bounds[i - 1]` and not above `bounds[i]`; one count more than bounds. */
export type ExplicitBuckets = {
  readonly counts: readonly number[];
  readonly bounds: readonly number[];
  readonly sum: number | undefined;
  /** The least and the greatest of the values, where they are told. */
  readonly min?: number | undefined;
  readonly max?: number | undefined;
};

/** Values of a bucket are spread evenly over so many places in it: a percentile is then read within it as Prometheus reads it. */
const placesPerBucket = 8;
export const mostBuckets = 2_000;

/**
 * Stands for values of which only their buckets are known. Count and sum stay exact; a percentile is beside the true one by no
 * more than its bucket is wide. The first bucket begins at zero unless its bound is below, the last one ends at its bound,
 * unless the least or greatest value is told.
 * @returns undefined when there is no value
 */
export function batchOfBuckets({ counts, bounds, sum, min, max }: ExplicitBuckets): Batch | undefined {
  const values: number[] = [];
  const shares: number[] = [];
  const first = counts.findIndex((count) => count > 0);
  const last = counts.findLastIndex((count) => count > 0);
  if (first < 0) return undefined;
  // Nothing but how many there were: the average stands for all.
  if (bounds.length === 0) return sum === undefined ? undefined : evenBatch(counts[0]!, sum, min, max);
  let count = 0;
  let estimate = 0;
  const lowest = bounds[0]!;
  for (let i = first; i <= last; i += 1) {
    const here = counts[i]!;
    if (here <= 0) continue;
    let low = i === 0 ? Math.min(0, lowest) : bounds[i - 1]!;
    let high = i < bounds.length ? bounds[i]! : bounds.at(-1)!;
    if (i === first && min !== undefined && min <= high) low = i === 0 ? min : Math.max(low, min);
    if (i === last && max !== undefined && max >= low) high = i === bounds.length ? max : Math.min(high, max);
    const places = Math.min(here, placesPerBucket, low === high ? 1 : placesPerBucket);
    let left = here;
    for (let place = 0; place < places; place += 1) {
      const share = Math.floor(left / (places - place));
      left -= share;
      const value = low + ((place + 0.5) / places) * (high - low);
      values.push(value);
      shares.push(share);
      estimate += value * share;
    }
    count += here;
  }
  const known = sum ?? estimate;
  const least = min ?? (first === 0 ? Math.min(values[0]!, known / count) : bounds[first - 1]!);
  const greatest = max ?? (last < bounds.length ? bounds[last]! : Math.max(values.at(-1)!, known / count));
  return { count, sum: known, min: least, max: greatest, values, counts: shares };
}

const evenBatch = (count: number, sum: number, min = sum / count, max = sum / count): Batch => ({
  ...{ count, sum, min, max },
  values: [sum / count],
  counts: [count],
});

/** Counts of values in buckets whose bounds grow by one factor, 2^(2^-scale), to both sides of zero. */
export type ExponentialBuckets = {
  readonly scale: number;
  readonly zeroCount: number;
  readonly positive: { readonly offset: number; readonly counts: readonly number[] };
  readonly negative: { readonly offset: number; readonly counts: readonly number[] };
};

/**
 * The same counts between explicit bounds, least first. Each bucket is so narrow that its middle stands for it: at scale 3 within
 * 4.4 %, at scale 5 within 1.1 %.
 */
export function batchOfExponential(
  { scale, zeroCount, positive, negative }: ExponentialBuckets,
  { sum, min, max }: Pick<ExplicitBuckets, 'sum' | 'min' | 'max'>,
): Batch | undefined {
  const bound = (index: number): number => 2 ** (index * 2 ** -scale);
  const values: number[] = [];
  const counts: number[] = [];
  let count = 0;
  let estimate = 0;
  let least = Infinity;
  let greatest = -Infinity;
  const add = (low: number, high: number, here: number): void => {
    if (here <= 0) return;
    const value = (low + high) / 2;
    values.push(value);
    counts.push(here);
    count += here;
    estimate += value * here;
    least = Math.min(least, low);
    greatest = Math.max(greatest, high);
  };
  for (let i = negative.counts.length - 1; i >= 0; i -= 1)
    add(-bound(negative.offset + i + 1), -bound(negative.offset + i), negative.counts[i]!);
  add(0, 0, zeroCount);
  for (const [i, here] of positive.counts.entries())
    add(bound(positive.offset + i), bound(positive.offset + i + 1), here);
  if (count === 0) return undefined;
  return { count, sum: sum ?? estimate, min: min ?? least, max: max ?? greatest, values, counts };
}
