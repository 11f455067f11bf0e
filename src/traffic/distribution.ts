/** Values as they were, with exact percentiles. Null throughout when there are none. */
export type Distribution = {
  readonly count: number;
  readonly avg: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
};

/** @param values in any order; sorted in place */
export function describeValues(values: number[]): Distribution {
  const count = values.length;
  if (count === 0) return { count, avg: null, min: null, max: null, p50: null, p95: null, p99: null };
  values.sort((a, b) => a - b);
  let sum = 0;
  for (const value of values) sum += value;
  return {
    count,
    avg: sum / count,
    min: values[0]!,
    max: values[count - 1]!,
    p50: percentileOf(values, 0.5),
    p95: percentileOf(values, 0.95),
    p99: percentileOf(values, 0.99),
  };
}

/** The value of rank ⌈q·n⌉ (nearest rank): one that was seen, and never below the share that it names. */
const percentileOf = (sorted: readonly number[], q: number): number =>
  sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!;
