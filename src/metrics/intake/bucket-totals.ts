import type { Batch } from '../summary.ts';
import { batchOfBuckets, batchOfExponential } from './batch.ts';
import type { PointValue } from './intake.ts';

type BucketPoint = Extract<PointValue, { kind: 'buckets' | 'exponential buckets' }>;

/** What a distribution said last of everything since its start. */
export type BucketTotals =
  | {
      readonly kind: 'buckets';
      readonly bounds: readonly number[];
      readonly counts: readonly number[];
      readonly sum: number | undefined;
    }
  | {
      readonly kind: 'exponential buckets';
      readonly scale: number;
      readonly count: number;
      readonly zeroCount: number;
      /** By the number of the bucket. */
      readonly positive: ReadonlyMap<number, number>;
      readonly negative: ReadonlyMap<number, number>;
      readonly sum: number | undefined;
    };

export const batchOf = (point: BucketPoint): Batch | undefined =>
  point.kind === 'buckets' ? batchOfBuckets(point.value) : batchOfExponential(point.value, point);

export function totalsOf(point: BucketPoint): BucketTotals {
  if (point.kind === 'buckets') {
    const { bounds, counts, sum } = point.value;
    return { kind: 'buckets', bounds, counts, sum };
  }
  const { scale, zeroCount, positive, negative } = point.value;
  let count = zeroCount;
  const numbered = ({ offset, counts }: typeof positive): Map<number, number> => {
    const found = new Map<number, number>();
    for (const [i, here] of counts.entries()) {
      if (here > 0) found.set(offset + i, here);
      count += here;
    }
    return found;
  };
  const [above, below] = [numbered(positive), numbered(negative)];
  return { kind: 'exponential buckets', scale, count, zeroCount, positive: above, negative: below, sum: point.sum };
}

/** How many numbers of buckets are remembered. */
export function bucketsIn(totals: BucketTotals | undefined): number {
  if (totals === undefined) return 0;
  return totals.kind === 'buckets' ? totals.counts.length : totals.positive.size + totals.negative.size;
}

/** What was counted from one total to the next; the whole of the next when it began anew. Undefined: nothing. */
export function growthBatch(before: BucketTotals, now: BucketTotals, point: BucketPoint): Batch | undefined {
  // The least and the greatest of all times say nothing about what came since.
  const sum = now.sum === undefined || before.sum === undefined ? undefined : now.sum - before.sum;
  if (now.kind === 'buckets' && before.kind === 'buckets') {
    const isAnew =
      before.bounds.length !== now.bounds.length ||
      before.bounds.some((bound, i) => bound !== now.bounds[i]) ||
      now.counts.some((count, i) => count < before.counts[i]!);
    if (isAnew) return batchOf(point);
    return batchOfBuckets({ counts: now.counts.map((count, i) => count - before.counts[i]!), bounds: now.bounds, sum });
  }
  if (now.kind !== 'exponential buckets' || before.kind !== 'exponential buckets' || now.count < before.count)
    return batchOf(point);
  // As values spread, buckets are merged in pairs: what was counted finer is seen as coarse as what is counted now.
  const scale = Math.min(before.scale, now.scale);
  const since = (side: 'positive' | 'negative'): { offset: number; counts: number[] } => {
    const then = coarser(before[side], before.scale - scale);
    const grown = [...coarser(now[side], now.scale - scale)].map(
      ([bucket, count]) => [bucket, Math.max(0, count - (then.get(bucket) ?? 0))] as const,
    );
    const offset = Math.min(...grown.map(([bucket]) => bucket));
    const counts: number[] = [];
    for (const [bucket, count] of grown) counts[bucket - offset] = count;
    return { offset, counts: Array.from(counts, (count) => count ?? 0) };
  };
  return batchOfExponential(
    {
      scale,
      zeroCount: Math.max(0, now.zeroCount - before.zeroCount),
      positive: since('positive'),
      negative: since('negative'),
    },
    { sum, min: undefined, max: undefined },
  );
}

function coarser(buckets: ReadonlyMap<number, number>, steps: number): ReadonlyMap<number, number> {
  if (steps === 0) return buckets;
  const merged = new Map<number, number>();
  for (const [bucket, count] of buckets) merged.set(bucket >> steps, (merged.get(bucket >> steps) ?? 0) + count);
  return merged;
}
