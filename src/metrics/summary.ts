import { Sketch } from './sketch.ts';

/** Samples taken together. Totals of neighbouring windows, or of several series, merge into the total of both. */
export type Total = {
  count: number;
  sum: number;
  /** Infinity when there is none. */
  min: number;
  /** -Infinity when there is none. */
  max: number;
  /** The latest value; NaN when there is none. */
  last: number;
  /** Of a counter: how much it grew, what was counted before it began anew included. */
  increase: number;
};

/** A total as it is stored, with the counts behind its percentiles as bytes where it has them. */
export type Summary = Readonly<Total> & { readonly sketch?: Uint8Array | undefined };

export const emptyTotal = (): Total => ({
  count: 0,
  sum: 0,
  min: Infinity,
  max: -Infinity,
  last: Number.NaN,
  increase: 0,
});

/**
 * What a counter grew by from one sample to the next. A lower value than before means that it began anew, at zero.
 * @param before undefined when nothing is known about earlier: then nothing is claimed
 */
export const growth = (before: number | undefined, value: number): number => {
  if (before === undefined || Number.isNaN(before)) return 0;
  return value >= before ? value - before : value;
};

/** A counter goes on from a sample before the window that is asked for; one in an earlier block may lie so far back. */
export const lookbackMs = 300_000;

/** Takes in one sample. NaN says that there is no value. */
export function addToTotal(into: Total, value: number, increase: number): void {
  if (Number.isNaN(value)) return;
  into.count += 1;
  into.sum += value;
  if (value < into.min) into.min = value;
  if (value > into.max) into.max = value;
  into.last = value;
  into.increase += increase;
}

/** @param other later than what is in `into`, which decides whose last value is the last */
export function mergeSummary(into: Total, other: Readonly<Total>): void {
  if (other.count === 0) return;
  into.count += other.count;
  into.sum += other.sum;
  into.min = Math.min(into.min, other.min);
  into.max = Math.max(into.max, other.max);
  into.last = other.last;
  into.increase += other.increase;
}

/**
 * Many values that somebody else counted in buckets: `counts[i]` times the value `values[i]`, which stands for its bucket. Count and
 * sum are those of the values themselves.
 */
export type Batch = {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly values: readonly number[];
  readonly counts: readonly number[];
};

/** So many values wait before they are counted, which costs less for several at once. */
const mostWaiting = 32;

/** Many values of one interval, as they are recorded: in typed arrays, so that no number is boxed. */
export class Interval {
  /** Count, sum, least, greatest, last. */
  readonly #numbers = Float64Array.of(0, 0, Infinity, -Infinity, Number.NaN);
  readonly #waiting = new Float64Array(mostWaiting);
  readonly #halves = new Uint32Array(this.#waiting.buffer);
  #waits = 0;
  /** Only once more came than can wait: most series have a few values at a time. */
  #sketch: Sketch | undefined;

  get count(): number {
    return this.#numbers[0]! + this.#waits;
  }

  add(value: number): void {
    const at = this.#waits;
    this.#waiting[at] = value;
    this.#waits = at + 1;
    if (at === mostWaiting - 1) this.#count();
  }

  #count(): void {
    const waits = this.#waits;
    if (waits === 0) return;
    this.#total();
    this.#sketch ??= new Sketch();
    this.#sketch.addMany(this.#waiting, this.#halves, 0, waits);
  }

  /** Takes what waits into the totals; it waits no more. */
  #total(): void {
    const numbers = this.#numbers;
    const waiting = this.#waiting;
    const waits = this.#waits;
    this.#waits = 0;
    let sum = numbers[1]!;
    let min = numbers[2]!;
    let max = numbers[3]!;
    for (let i = 0; i < waits; i += 1) {
      const value = waiting[i]!;
      sum += value;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    numbers[0] = numbers[0]! + waits;
    numbers[1] = sum;
    numbers[2] = min;
    numbers[3] = max;
    numbers[4] = waiting[waits - 1]!;
  }

  /** Their order is not known, so that the last is said to be the average. */
  addBatch(batch: Batch): void {
    this.#count();
    const numbers = this.#numbers;
    numbers[0]! += batch.count;
    numbers[1]! += batch.sum;
    if (batch.min < numbers[2]!) numbers[2] = batch.min;
    if (batch.max > numbers[3]!) numbers[3] = batch.max;
    numbers[4] = batch.sum / batch.count;
    this.#sketch ??= new Sketch();
    for (let i = 0; i < batch.values.length; i += 1) this.#sketch.add(batch.values[i]!, batch.counts[i]!);
  }

  peek(): Summary {
    this.#count();
    return this.#summary(this.#sketch);
  }

  #summary(sketch: Sketch | undefined): Summary {
    const [count, sum, min, max, last] = this.#numbers;
    return { count: count!, sum: sum!, min: min!, max: max!, last: last!, increase: 0, sketch: sketch?.pack() };
  }

  /** What was recorded since it was last taken; undefined when nothing was. */
  take(): Summary | undefined {
    if (this.count === 0) return undefined;
    let sketch = this.#sketch;
    if (sketch === undefined) {
      sketch = new Sketch();
      sketch.addMany(this.#waiting, this.#halves, 0, this.#waits);
      this.#total();
    } else this.#count();
    const taken = this.#summary(sketch);
    this.#numbers.set([0, 0, Infinity, -Infinity, Number.NaN]);
    this.#sketch?.clear();
    return taken;
  }
}
