/** Median of what is in order; NaN of nothing. */
export function middleOf(sorted: Float64Array | readonly number[]): number {
  const at = Math.floor(sorted.length / 2);
  const upper = sorted[at] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[at - 1] ?? upper) + upper) / 2;
}

export const medianOf = (values: readonly number[]): number => middleOf(Float64Array.from(values).sort());

/** The value below which this share of what is in order lies. */
export const shareOf = (sorted: Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
