import { autocorrelation, type Points, ranksOf, twoSided, withoutDay } from './trend.ts';

/** How one series moves after another. */
export type Relation = {
  readonly leader: string;
  readonly follower: string;
  /** The follower moves so much later. */
  readonly lagHours: number;
  /** Spearman's, of what is left without trend and rhythm of the day. */
  readonly rho: number;
  /** Times the pairs and lags that were tried (Bonferroni). */
  readonly p: number;
  /** Share of eight stretches of the window in which it has the same sign, and is more than nothing. */
  readonly holds: number;
  /** Hours that both have. */
  readonly hours: number;
};

/** One series on whole hours. `moves`: hours of what stands without trend and daily rhythm; of a stock, what it grew by. */
export type Mover = {
  readonly key: string;
  /** Of one thing in two figures; such pairs say nothing. */
  readonly family: string;
  readonly values: readonly (number | null)[];
  readonly kind: 'level' | 'flow' | 'stock';
};

/** Later than this is not looked for. Hours. */
const mostLag = 6;
/** The smallest first. */
const lags = Array.from({ length: 2 * mostLag + 1 }, (_, i) => (i % 2 === 1 ? (i + 1) / 2 : -i / 2));
export const fewestHours = 48;
const leastRho = 0.4;
const stretches = 8;
const enoughInStretch = 0.15;
const leastHolds = 0.75;
const shiftedShare = 0.8;
/** All of a week. */
const mostShifts = 168;
const shiftsAtOnce = 8;
/** Of all pairs together; a chance relation is told in one of a hundred runs at most. */
export const relationError = 0.01;

/**
 * Pairs that move together: Spearman's rank correlation at lags of up to six hours, of what trend and the rhythm of the day leave over, since
 * these make strangers alike. The degrees of freedom are those of series whose neighbours depend on each other (Bartlett 1946), the
 * significance is corrected for all pairs and lags, and shifting one against the other by any other time must not do as well.
 * @param movers on the same whole hours
 */
export const findRelations = (movers: readonly Mover[]): Relation[] =>
  [...relate(movers)].filter((one) => typeof one === 'object');

/**
 * The same pair by pair, and in pieces of a pair, so that whoever has other things to do can do them in between; undefined: this pair
 * has nothing, `more`: it is not over yet.
 */
export function* relate(movers: readonly Mover[]): Generator<Relation | undefined | 'more'> {
  const moved = movers.flatMap((mover) => {
    const moves = movesOf(mover);
    return moves ? [{ ...mover, moves }] : [];
  });
  const pairs: [Moved, Moved][] = [];
  for (const [i, a] of moved.entries())
    for (const b of moved.slice(i + 1)) if (a.family !== b.family) pairs.push([a, b]);
  const tests = pairs.length * (2 * mostLag + 1);
  for (const [a, b] of pairs) yield yield* relateTwo(a, b, tests);
}

type Moved = Mover & { readonly moves: Moves };

function* relateTwo(a: Moved, b: Moved, tests: number): Generator<'more', Relation | undefined> {
  let best: { lag: number; rho: number; p: number; hours: number } | undefined;
  for (const lag of lags) {
    const one = correlate(a.moves, b.moves, lag);
    // The shorter lag is the simpler answer, where a longer one is hardly better.
    if (one && Math.abs(one.rho) >= leastRho && (!best || Math.abs(one.rho) > Math.abs(best.rho) + 0.02))
      best = { lag, ...one };
  }
  if (!best) return undefined;
  const p = Math.min(1, best.p * tests);
  if (p > relationError) return undefined;
  const holds = shareThatHolds(a.moves, b.moves, best.lag, Math.sign(best.rho));
  if (holds < leastHolds || !(yield* beatsShifts(a.moves, b.moves, best))) return undefined;
  const [leader, follower] = best.lag >= 0 ? [a, b] : [b, a];
  return {
    ...{ leader: leader.key, follower: follower.key, lagHours: Math.abs(best.lag), rho: best.rho, p, holds },
    hours: best.hours,
  };
}

/** Undefined for what does not move, or is not known for two days. */
function movesOf({ values, kind }: Mover): (number | null)[] | undefined {
  const taken =
    kind === 'stock'
      ? values.map((value, i) => {
          const before = values[i - 1];
          return value === null || before === null || before === undefined ? null : value - before;
        })
      : values;
  const points: Points & { hours: number[]; values: number[] } = { hours: [], values: [] };
  for (const [hour, value] of taken.entries())
    if (value !== null) {
      points.hours.push(hour);
      points.values.push(value);
    }
  if (points.values.length < fewestHours) return undefined;
  // A handful of different values has no order to compare.
  if (new Set(points.values).size < 8) return undefined;
  const left = lineTakenOut({ hours: points.hours, values: withoutDay(points) });
  // What walks is compared by its steps: two walks resemble each other without a reason.
  const walks = kind !== 'stock' && autocorrelation(left, 1) > 0.9;
  const moves = new Array<number | null>(values.length).fill(null);
  for (const [i, hour] of points.hours.entries()) {
    const value = left[i] as number;
    if (!walks) moves[hour] = value;
    else if (i > 0 && points.hours[i - 1] === hour - 1) moves[hour] = value - (left[i - 1] as number);
  }
  return moves;
}

function lineTakenOut({ hours, values }: Points): number[] {
  const n = values.length;
  const meanX = hours.reduce((sum, one) => sum + one, 0) / n;
  const meanY = values.reduce((sum, one) => sum + one, 0) / n;
  let cross = 0;
  let square = 0;
  for (let i = 0; i < n; i += 1) {
    cross += ((hours[i] as number) - meanX) * ((values[i] as number) - meanY);
    square += ((hours[i] as number) - meanX) ** 2;
  }
  const slope = square === 0 ? 0 : cross / square;
  return values.map((value, i) => value - meanY - slope * ((hours[i] as number) - meanX));
}

type Moves = readonly (number | null)[];

/** Those that both have, `b` so many hours later. */
function aligned(a: Moves, b: Moves, lag: number, from = 0, to = a.length): [number[], number[]] {
  const x: number[] = [];
  const y: number[] = [];
  for (let i = from; i < to; i += 1) {
    const left = a[i];
    const right = b[i + lag];
    if (left === null || left === undefined || right === null || right === undefined) continue;
    x.push(left);
    y.push(right);
  }
  return [x, y];
}

function correlate(a: Moves, b: Moves, lag: number): { rho: number; p: number; hours: number } | undefined {
  const [x, y] = aligned(a, b, lag);
  const n = x.length;
  if (n < fewestHours / 2) return undefined;
  const [rx, ry] = [ranksOf(x), ranksOf(y)];
  const rho = pearson(rx, ry);
  if (Math.abs(rho) < leastRho) return { rho, p: 1, hours: n };
  let depend = 1;
  for (let k = 1; k <= Math.min(24, n / 4); k += 1) {
    const both = autocorrelation(rx, k) * autocorrelation(ry, k);
    if (both > 0) depend += 2 * (1 - k / n) * both;
  }
  const free = n / depend;
  if (free < 8) return { rho, p: 1, hours: n };
  return { rho, hours: n, p: twoSided(Math.atanh(Math.min(0.9999, Math.abs(rho))) * Math.sqrt((free - 3) / 1.06)) };
}

export function pearson(x: readonly number[], y: readonly number[]): number {
  const n = x.length;
  let [mx, my] = [0, 0];
  for (let i = 0; i < n; i += 1) {
    mx += (x[i] as number) / n;
    my += (y[i] as number) / n;
  }
  let [xx, yy, xy] = [0, 0, 0];
  for (let i = 0; i < n; i += 1) {
    const [dx, dy] = [(x[i] as number) - mx, (y[i] as number) - my];
    xx += dx * dx;
    yy += dy * dy;
    xy += dx * dy;
  }
  return xx === 0 || yy === 0 ? 0 : xy / Math.sqrt(xx * yy);
}

function shareThatHolds(a: Moves, b: Moves, lag: number, sign: number): number {
  let [held, seen] = [0, 0];
  for (let part = 0; part < stretches; part += 1) {
    const [x, y] = aligned(
      ...([a, b, lag] as const),
      Math.floor((part * a.length) / stretches),
      Math.floor(((part + 1) * a.length) / stretches),
    );
    if (x.length < 5) continue;
    seen += 1;
    if (sign * pearson(ranksOf(x), ranksOf(y)) > enoughInStretch) held += 1;
  }
  return seen < 4 ? 0 : held / seen;
}

/**
 * Shifted round by what is no lag any more, the same two series must look much less alike: what a shared rhythm makes comes back. Of a
 * long window the shifts are tried that lie evenly over it.
 */
function* beatsShifts(a: Moves, b: Moves, best: { lag: number; rho: number }): Generator<'more', boolean> {
  const n = b.length;
  const apart = Math.max(1, Math.ceil((n - 4 * mostLag) / mostShifts));
  for (let shift = 2 * mostLag; shift < n - 2 * mostLag; shift += apart) {
    if (shift % (shiftsAtOnce * apart) < apart) yield 'more';
    const turned = Array.from({ length: n }, (_, i) => b[(i + best.lag + shift) % n] ?? null);
    const [x, y] = aligned(a, turned, 0);
    if (x.length >= fewestHours / 2 && Math.abs(pearson(ranksOf(x), ranksOf(y))) >= shiftedShare * Math.abs(best.rho))
      return false;
  }
  return true;
}
