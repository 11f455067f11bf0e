import type { SeriesType } from './block.ts';
import type { Aggregation } from './metric-definition.ts';
import { Sketch } from './sketch.ts';
import { addToTotal, emptyTotal, mergeSummary, type Summary, type Total } from './summary.ts';

export const percentiles: Readonly<Partial<Record<Aggregation, number>>> = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99 };

/** @returns undefined for percentiles, which a total does not tell */
export function measureTotal(
  total: Readonly<Total>,
  aggregation: Aggregation,
  type: SeriesType | undefined,
  seconds: number,
): number | undefined {
  switch (aggregation) {
    case 'sum':
      // Values set one after the other do not grow by their own; that is what counters are for.
      return type === 'counter' ? total.increase : total.sum;
    case 'average':
      return total.sum / total.count;
    case 'min':
      return total.min;
    case 'max':
      return total.max;
    case 'last':
      return total.last;
    case 'count':
      return total.count;
    case 'increase':
      return type === 'counter' ? total.increase : total.count;
    case 'rate':
      return (type === 'counter' ? total.increase : total.count) / seconds;
    case 'p50':
    case 'p90':
    case 'p95':
    case 'p99':
      return undefined;
    default:
      return aggregation satisfies never;
  }
}

/** So many values of a window are kept as they are; beyond it they are counted in buckets. */
const mostExact = 200_000;

/** What one window of an answer has gathered. */
export class Bucket {
  readonly #total = emptyTotal();
  #lastAtMs = Number.NEGATIVE_INFINITY;
  #values: number[] | undefined;
  #sketch: Sketch | undefined;

  constructor(wantsPercentile: boolean) {
    if (wantsPercentile) this.#values = [];
  }

  add(atMs: number, value: number, increase: number): void {
    const { last } = this.#total;
    addToTotal(this.#total, value, increase);
    if (atMs < this.#lastAtMs) this.#total.last = last;
    else this.#lastAtMs = atMs;
    if (this.#sketch) this.#sketch.add(value);
    else if (this.#values) {
      this.#values.push(value);
      if (this.#values.length > mostExact) this.#count();
    }
  }

  merge(atMs: number, summary: Summary): void {
    if (summary.count === 0) return;
    const { last } = this.#total;
    mergeSummary(this.#total, summary);
    if (atMs < this.#lastAtMs) this.#total.last = last;
    else this.#lastAtMs = atMs;
    if (this.#values === undefined && this.#sketch === undefined) return;
    if (summary.sketch) this.#count().mergePacked(summary.sketch);
  }

  /** @param seconds how much of the range the window covers */
  value(aggregation: Aggregation, type: SeriesType | undefined, seconds: number): number | null {
    if (this.#total.count === 0) return null;
    const percentile = percentiles[aggregation];
    if (percentile !== undefined) return this.#quantile(percentile);
    return measureTotal(this.#total, aggregation, type, seconds) ?? null;
  }

  #quantile(q: number): number | null {
    if (this.#sketch) {
      const read = this.#sketch.quantile(q);
      // The middle of a bucket may lie beyond the greatest value in it.
      return read === undefined ? null : Math.min(this.#total.max, Math.max(this.#total.min, read));
    }
    const values = this.#values ?? [];
    if (values.length === 0) return null;
    return selectRank(values, Math.max(0, Math.ceil(q * values.length) - 1));
  }

  #count(): Sketch {
    if (this.#sketch === undefined) {
      this.#sketch = new Sketch();
      for (const value of this.#values ?? []) this.#sketch.add(value);
      this.#values = undefined;
    }
    return this.#sketch;
  }
}

/** The value that would stand at `rank` if the values were sorted; twelve times quicker than to sort them. Reorders them. */
export function selectRank(values: number[], rank: number): number {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    const a = values[low]!;
    const b = values[middle]!;
    const c = values[high]!;
    const pivot = Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i]! < pivot) i += 1;
      while (values[j]! > pivot) j -= 1;
      if (i > j) break;
      const kept = values[i]!;
      values[i] = values[j]!;
      values[j] = kept;
      i += 1;
      j -= 1;
    }
    if (rank <= j) high = j;
    else if (rank >= i) low = i;
    else break;
  }
  return values[rank]!;
}
