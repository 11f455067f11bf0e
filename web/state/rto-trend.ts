export type TrendPoint = { readonly at: string; readonly rto_seconds: number };

export type Trend = {
  /** Percent from the left and from the top. */
  readonly dots: readonly { readonly x: number; readonly y: number; readonly missed: boolean }[];
  readonly objectiveY: number;
};

/** Room above the greatest value, so that no dot is cut. */
const headroom = 1.15;

/**
 * Drills stand in equal distance, since each is one measurement, whenever it was. The objective is drawn only as high as it helps: far above
 * everything measured the differences would lie flat, so there it is the upper edge.
 */
export function layTrend(trend: readonly TrendPoint[], objectiveSeconds: number): Trend {
  const ordered = trend.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
  const greatest = Math.max(...ordered.map((one) => one.rto_seconds), 0.001);
  const top = greatest * 3 > objectiveSeconds ? Math.max(greatest, objectiveSeconds) * headroom : greatest * 3;
  const y = (seconds: number): number => 100 - Math.min(1, seconds / top) * 100;
  const step = 100 / Math.max(1, ordered.length);
  return {
    dots: ordered.map((one, place) => ({
      x: step * (place + 0.5),
      y: y(one.rto_seconds),
      missed: one.rto_seconds > objectiveSeconds,
    })),
    objectiveY: y(objectiveSeconds),
  };
}
