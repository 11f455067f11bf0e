import { middleOf } from './middle.ts';

/** Values at hours since any beginning, in the order of time; gaps are left out. */
export type Points = { readonly hours: readonly number[]; readonly values: readonly number[] };

export type Trend = {
  /** Median of the slopes between all pairs (Theil-Sen): a third of the points may lie anywhere without moving it far. */
  readonly perHour: number;
  /** Between these the slope lies, 95 of 100 times. */
  readonly perHourLow: number;
  readonly perHourHigh: number;
  /** Where the line stands at the last point. */
  readonly atEnd: number;
  /** How far points stray from the line, as a standard deviation that outliers do not move. */
  readonly spread: number;
  /** How often chance alone makes a slope as steep, of one series that is looked at. */
  readonly p: number;
  /** −1 to 1: the share of pairs of points in which the later one is higher, less the share in which it is lower (Kendall). */
  readonly tau: number;
  /** Of four parts of the window the least that one has of the whole growth; a fourth where it is even, 0 or less where it stands still. */
  readonly leastPart: number;
  readonly points: number;
  readonly spanHours: number;
};

/** Fewer points say nothing of a trend. */
export const fewestPoints = 10;
/** Neighbours are taken together beyond this: pairs grow with the square. */
const mostPoints = 168;
const dayHours = 24;
/** From so many days on the rhythm of the day is taken out before the line is drawn. */
const daysOfRhythm = 3;
/** With fewer days an hour of the day has too few points for a median, and two are taken together. */
const daysOfHours = 5;
/** Neighbouring residuals as alike as this are a walk that goes anywhere, not noise around a line. */
const wanders = 0.75;
const blocksOfWalk = 12;
const z95 = 1.96;
/** Taking the rhythm out takes some of the noise along; by so much the interval would be too narrow (measured). */
const widerWithoutDay = 1.4;

/**
 * The robust line through points, and whether there is one: Theil-Sen with the test of Mann and Kendall, whose variance is widened for
 * neighbours that depend on each other (Hamed and Rao 1998). What wanders like a walk is tested by the steps between twelve blocks
 * instead, which a walk without drift passes as seldom as `p` says. Undefined for fewer than ten points.
 */
export function findTrend(given: Points): Trend | undefined {
  const raw = thinned(given);
  const n = raw.values.length;
  if (n < fewestPoints) return undefined;
  const { hours } = raw;
  const spanHours = (hours[n - 1] as number) - (hours[0] as number);
  if (spanHours <= 0) return undefined;
  const values = spanHours >= daysOfRhythm * dayHours ? withoutDay(raw) : raw.values;

  const slopes = slopesOf(hours, values);
  let s = 0;
  for (const slope of slopes) s += Math.sign(slope);
  const pairs = slopes.length;
  slopes.sort();
  const perHour = middleOf(slopes);
  const residuals = values.map((value, i) => value - perHour * (hours[i] as number));
  const base = middleOf(Float64Array.from(residuals).sort());
  for (let i = 0; i < n; i += 1) residuals[i] = (residuals[i] as number) - base;
  const spread = 1.4826 * middleOf(Float64Array.from(residuals, Math.abs).sort());

  // What is left of a line that is all there is, is rounding: it depends on its neighbours and means nothing.
  const isExact = spread <= 1e-9 * Math.abs(perHour * spanHours);
  const ranks = ranksOf(residuals);
  const variance = Math.max(1e-9, varianceOf(values) * (isExact ? 1 : dependence(ranks)));
  const z = s === 0 ? 0 : (s - Math.sign(s)) / Math.sqrt(variance);
  const p = !isExact && autocorrelation(ranks, 1) > wanders ? pOfWalk(values) : twoSided(Math.abs(z));
  const reach = z95 * Math.sqrt(variance) * (values === raw.values ? 1 : widerWithoutDay);
  const at = (rank: number): number => slopes[Math.min(pairs - 1, Math.max(0, Math.round(rank)))] as number;
  return {
    ...{ perHour, p, spread, spanHours, points: n, tau: s / pairs },
    perHourLow: Math.min(perHour, at((pairs - reach) / 2 - 1)),
    perHourHigh: Math.max(perHour, at((pairs + reach) / 2)),
    atEnd: base + perHour * (hours[n - 1] as number),
    leastPart: leastPartOf(values),
  };
}

/** Medians of neighbours, so that at most 168 points are left. */
export function thinned({ hours, values }: Points): Points {
  const together = Math.ceil(values.length / mostPoints);
  if (together <= 1) return { hours, values };
  const thin = { hours: [] as number[], values: [] as number[] };
  for (let at = 0; at < values.length; at += together) {
    const times = hours.slice(at, at + together);
    thin.hours.push(times.reduce((sum, one) => sum + one, 0) / times.length);
    thin.values.push(middleOf(Float64Array.from(values.slice(at, at + together)).sort()));
  }
  return thin;
}

/** The same without what comes and goes with the hour of the day: what a line leaves over, as a median of its time of day, is taken away. */
export function withoutDay({ hours, values }: Points): number[] {
  const slopes = slopesOf(hours, values).sort();
  const slope = middleOf(slopes);
  const left = values.map((value, i) => value - slope * (hours[i] as number));
  const slotHours = (hours.at(-1) ?? 0) - (hours[0] ?? 0) >= daysOfHours * dayHours ? 1 : 2;
  const slotOf = (hour: number): number => Math.floor((((hour % dayHours) + dayHours) % dayHours) / slotHours);
  const bySlot = new Map<number, number[]>();
  for (const [i, rest] of left.entries()) {
    const slot = slotOf(hours[i] as number);
    const list = bySlot.get(slot);
    if (list) list.push(rest);
    else bySlot.set(slot, [rest]);
  }
  const middle = middleOf(Float64Array.from(left).sort());
  const usual = new Map([...bySlot].map(([slot, list]) => [slot, middleOf(Float64Array.from(list).sort()) - middle]));
  return values.map((value, i) => value - (usual.get(slotOf(hours[i] as number)) ?? 0));
}

function slopesOf(hours: readonly number[], values: readonly number[]): Float64Array {
  const n = values.length;
  const slopes = new Float64Array((n * (n - 1)) / 2);
  let at = 0;
  for (let i = 0; i < n; i += 1)
    for (let j = i + 1; j < n; j += 1) {
      const apart = (hours[j] as number) - (hours[i] as number);
      slopes[at] = apart > 0 ? ((values[j] as number) - (values[i] as number)) / apart : 0;
      at += 1;
    }
  return slopes;
}

/** Of the sum of signs, where nothing depends on anything; equal values make it less. */
function varianceOf(values: readonly number[]): number {
  const n = values.length;
  const ties = new Map<number, number>();
  for (const value of values) ties.set(value, (ties.get(value) ?? 0) + 1);
  const of = (count: number): number => count * (count - 1) * (2 * count + 5);
  let sum = of(n);
  for (const count of ties.values()) if (count > 1) sum -= of(count);
  return sum / 18;
}

/** By how much dependent neighbours widen that variance; at least 1. */
function dependence(ranks: readonly number[]): number {
  const n = ranks.length;
  const significant = z95 / Math.sqrt(n);
  let sum = 0;
  for (let lag = 1; lag < n / 3; lag += 1) {
    const r = autocorrelation(ranks, lag);
    if (Math.abs(r) > significant) sum += (n - lag) * (n - lag - 1) * (n - lag - 2) * r;
  }
  return Math.max(1, 1 + (2 * sum) / (n * (n - 1) * (n - 2)));
}

export function autocorrelation(values: readonly number[], lag: number): number {
  const n = values.length;
  let mean = 0;
  for (const value of values) mean += value / n;
  let cross = 0;
  let square = 0;
  for (let i = 0; i < n; i += 1) {
    const off = (values[i] as number) - mean;
    square += off * off;
    if (i + lag < n) cross += off * ((values[i + lag] as number) - mean);
  }
  return square === 0 ? 0 : cross / square;
}

/** Average ranks, 1 to n; equal values share theirs. */
export function ranksOf(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => (values[a] as number) - (values[b] as number));
  const ranks = new Array<number>(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to + 1 < order.length && values[order[to + 1] as number] === values[order[from] as number]) to += 1;
    for (let i = from; i <= to; i += 1) ranks[order[i] as number] = (from + to) / 2 + 1;
    from = to + 1;
  }
  return ranks;
}

/** Steps between medians of blocks against none on average: what a walk without drift makes is spread around nothing. */
function pOfWalk(values: readonly number[]): number {
  const n = values.length;
  const blocks = Math.min(blocksOfWalk, Math.floor(n / 3));
  if (blocks < 4) return 1;
  const medians = Array.from({ length: blocks }, (_, b) =>
    middleOf(Float64Array.from(values.slice(Math.floor((b * n) / blocks), Math.floor(((b + 1) * n) / blocks))).sort()),
  );
  const steps = medians.slice(1).map((value, i) => value - (medians[i] as number));
  const mean = steps.reduce((sum, one) => sum + one, 0) / steps.length;
  const square = steps.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (steps.length - 1);
  if (square === 0) return mean === 0 ? 1 : 0;
  // Student's t as a normal deviate (Wallace 1959), good for a handful of degrees of freedom.
  const df = steps.length - 1;
  const t = Math.abs(mean) / Math.sqrt(square / steps.length);
  return twoSided(((8 * df + 1) / (8 * df + 3)) * Math.sqrt(df * Math.log1p((t * t) / df)));
}

function leastPartOf(values: readonly number[]): number {
  const parts = 4;
  const n = values.length;
  // A mark is the median of an eighth around it, and of a sixteenth at the ends.
  const mark = (part: number): number => {
    const middle = (part * (n - 1)) / parts;
    const reach = Math.max(1, n / 16);
    const from = Math.max(0, Math.round(middle - reach));
    return middleOf(Float64Array.from(values.slice(from, Math.round(middle + reach) + 1)).sort());
  };
  const marks = [0, 1, 2, 3, 4].map(mark);
  const total = (marks[4] as number) - (marks[0] as number);
  if (total === 0) return 0;
  return Math.min(...marks.slice(1).map((value, i) => (value - (marks[i] as number)) / total));
}

/** Both tails of the normal distribution (Abramowitz and Stegun 26.2.17; far out by its asymptotic series). */
export function twoSided(z: number): number {
  if (z > 6) return Math.min(1, (2 * Math.exp((-z * z) / 2)) / (z * Math.sqrt(2 * Math.PI)));
  const t = 1 / (1 + 0.2316419 * z);
  const tail = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return Math.min(1, (2 * Math.exp((-z * z) / 2) * tail) / Math.sqrt(2 * Math.PI));
}
