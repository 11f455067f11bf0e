import { grown } from './grown.ts';
import { highWordAt, Sketch } from './sketch.ts';
import type { Batch, Summary } from './summary.ts';

/** So many values of a series wait before they are counted, which costs less for several at once. */
const mostWaiting = 32;
/** Count, sum, least, greatest, last. */
const width = 5;

/** Columns of the totals since the start, which `/metrics` shows. They become others as series come. */
export type Totals = { readonly values: Float64Array; readonly buckets: Float64Array };

/**
 * The values of a family's distributions: into the buckets since the start, and in full detail since the store last took them. Both are
 * filled in one go from what waits, so whoever reads either has to call `settle` first. What has one value costs its columns alone: room
 * for more to wait, and counts behind percentiles, come with the second one and the second different one.
 */
export class Distributions {
  readonly #totals: Totals;
  readonly #steps: BucketSteps;
  readonly #scale: number;
  #numbers = new Float64Array(4 * width);
  /** Only of a series that had two different values: those of all others are known without. */
  readonly #sketches: (Sketch | undefined)[] = [];
  /** How many wait per slot, and in which room of `#waiting`; 0: in none. */
  #waits = new Uint8Array(4);
  #rooms = new Uint32Array(4);
  #waiting = new Float64Array(2 * mostWaiting);
  #halves = new Uint32Array(this.#waiting.buffer);
  #roomCount = 1;
  readonly #freeRooms: number[] = [];
  #isSettled = true;
  /** The values under way in base units. */
  readonly #exposed = new Float64Array(mostWaiting);
  readonly #exposedHalves = new Uint32Array(this.#exposed.buffer);

  /** @param scale what a value is multiplied by before it is held against the bounds */
  constructor(bounds: readonly number[], scale: number, totals: Totals) {
    this.#steps = new BucketSteps(bounds);
    this.#scale = scale;
    this.#totals = totals;
  }

  /** One value, which is finite and not below zero. */
  add(slot: number, value: number): void {
    const room = this.#rooms[slot]!;
    const waits = this.#waits[slot]!;
    if (room === 0) {
      this.#addFirst(slot, value);
      return;
    }
    this.#waiting[room * mostWaiting + waits] = value;
    this.#waits[slot] = waits + 1;
    this.#isSettled = false;
    if (waits === mostWaiting - 1) this.#settleSlot(slot);
  }

  /** Into the columns; the next one will find room. */
  #addFirst(slot: number, value: number): void {
    // Recorded through a handle whose series is gone.
    if (slot === 0) return;
    const at = slot * width;
    if (this.#numbers[at]! > 0) {
      this.#rooms[slot] = this.#takeRoom();
      this.add(slot, value);
      return;
    }
    const { values, buckets } = this.#totals;
    const bucket = slot * (this.#steps.bounds.length + 1) + this.#steps.search(value * this.#scale);
    buckets[bucket] = buckets[bucket]! + 1;
    values[slot] = values[slot]! + value;
    this.#sketches[slot]?.add(value);
    this.#numbers[at] = 1;
    for (let i = 1; i < width; i += 1) this.#numbers[at + i] = value;
  }

  #takeRoom(): number {
    const free = this.#freeRooms.pop();
    if (free !== undefined) return free;
    const room = this.#roomCount;
    this.#roomCount += 1;
    if (this.#roomCount * mostWaiting > this.#waiting.length) {
      this.#waiting = grown(this.#waiting, new Float64Array(2 * this.#waiting.length));
      this.#halves = new Uint32Array(this.#waiting.buffer);
    }
    return room;
  }

  /** Counts what waits of every series. */
  settle(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    for (let slot = 1; slot < this.#waits.length; slot += 1) if (this.#waits[slot] !== 0) this.#settleSlot(slot);
  }

  #settleSlot(slot: number): void {
    const waits = this.#waits[slot]!;
    this.#waits[slot] = 0;
    const from = this.#rooms[slot]! * mostWaiting;
    const waiting = this.#waiting;
    const numbers = this.#numbers;
    const at = slot * width;
    let least = numbers[at + 2]!;
    let greatest = numbers[at + 3]!;
    let sum = 0;
    for (let i = 0; i < waits; i += 1) {
      const value = waiting[from + i]!;
      sum += value;
      if (value < least) least = value;
      if (value > greatest) greatest = value;
      // Plus zero, since a zero below zero has the bits of no step.
      this.#exposed[i] = value * this.#scale + 0;
    }
    this.#sketchFor(slot, least, greatest)?.addMany(waiting, this.#halves, from, waits);
    const { values, buckets } = this.#totals;
    this.#steps.count(this.#exposed, this.#exposedHalves, waits, buckets, slot * (this.#steps.bounds.length + 1));
    values[slot] = values[slot]! + sum;
    numbers[at] = numbers[at]! + waits;
    numbers[at + 1] = numbers[at + 1]! + sum;
    numbers[at + 2] = least;
    numbers[at + 3] = greatest;
    numbers[at + 4] = waiting[from + waits - 1]!;
  }

  /** Undefined while every value, those from least to greatest included, is the same. */
  #sketchFor(slot: number, least: number, greatest: number): Sketch | undefined {
    const known = this.#sketches[slot];
    if (known !== undefined) return known;
    const at = slot * width;
    const count = this.#numbers[at]!;
    const same = this.#numbers[at + 2]!;
    if (least === greatest && (count === 0 || same === least)) return undefined;
    const sketch = new Sketch();
    if (count > 0) sketch.add(same, count);
    this.#sketches[slot] = sketch;
    return sketch;
  }

  /** Many values that were counted elsewhere. Their order is not known, so that the last is said to be the average. */
  addBatch(slot: number, batch: Batch): void {
    this.settle();
    const { values, buckets } = this.#totals;
    const first = slot * (this.#steps.bounds.length + 1);
    for (let i = 0; i < batch.values.length; i += 1) {
      const at = first + this.#steps.search(batch.values[i]! * this.#scale);
      buckets[at] = buckets[at]! + batch.counts[i]!;
    }
    values[slot] = values[slot]! + batch.sum;
    const sketch = this.#sketchFor(slot, Number.NEGATIVE_INFINITY, Infinity);
    for (let i = 0; i < batch.values.length; i += 1) sketch?.add(batch.values[i]!, batch.counts[i]!);
    const numbers = this.#numbers;
    const at = slot * width;
    numbers[at] = numbers[at]! + batch.count;
    numbers[at + 1] = numbers[at + 1]! + batch.sum;
    if (batch.min < numbers[at + 2]!) numbers[at + 2] = batch.min;
    if (batch.max > numbers[at + 3]!) numbers[at + 3] = batch.max;
    numbers[at + 4] = batch.sum / batch.count;
  }

  /** How many values the series has since they were last taken. */
  count(slot: number): number {
    this.settle();
    return this.#numbers[slot * width]!;
  }

  /** What was recorded since it was last taken; undefined when nothing was. */
  take(slot: number): Summary | undefined {
    this.settle();
    const at = slot * width;
    const [count, sum, min, max, last] = Array.from(this.#numbers.subarray(at, at + width)) as unknown as Five;
    if (count === 0) return undefined;
    const sketch = this.#sketches[slot] ?? new Sketch();
    if (this.#sketches[slot] === undefined) sketch.add(min, count);
    const taken: Summary = { count, sum, min, max, last, increase: 0, sketch: sketch.pack() };
    this.#forget(slot);
    // Its pages stay: what was counted once is counted again.
    sketch.clear();
    return taken;
  }

  /** A series begins in this slot. */
  begin(slot: number): void {
    while (slot >= this.#waits.length) {
      const capacity = 2 * this.#waits.length;
      this.#numbers = grown(this.#numbers, new Float64Array(capacity * width));
      this.#waits = grown(this.#waits, new Uint8Array(capacity));
      this.#rooms = grown(this.#rooms, new Uint32Array(capacity));
    }
    this.#forget(slot);
  }

  /** The series of this slot has ended. */
  end(slot: number): void {
    if (slot < this.#sketches.length) this.#sketches[slot] = undefined;
    this.#waits[slot] = 0;
    if (this.#rooms[slot] !== 0) this.#freeRooms.push(this.#rooms[slot]!);
    this.#rooms[slot] = 0;
    this.#forget(slot);
  }

  #forget(slot: number): void {
    this.#numbers.set(nothing, slot * width);
  }
}

type Five = readonly [number, number, number, number, number];
const nothing: Five = [0, 0, Infinity, Number.NEGATIVE_INFINITY, Number.NaN];

/** Eight steps per octave: bounds lie further apart, so from where a step begins the bucket is one comparison away. */
const stepBits = 17;

/** Finds the bucket of a value without going through all bounds. */
class BucketSteps {
  readonly bounds: Float64Array;
  /** The first bucket that holds something of the step. */
  readonly #from: Uint16Array;
  readonly #first: number;

  constructor(bounds: readonly number[]) {
    this.bounds = Float64Array.from(bounds);
    const halves = new Uint32Array(this.bounds.buffer);
    const stepAt = (i: number): number => (this.bounds[i]! > 0 ? halves[highWordAt(i)]! >>> stepBits : 0);
    const last = bounds.length - 1;
    this.#first = bounds.length === 0 ? 0 : stepAt(0);
    this.#from = new Uint16Array(bounds.length === 0 ? 1 : stepAt(last) - this.#first + 2);
    for (let step = 0, bucket = 0; step < this.#from.length; step += 1) {
      while (bucket < bounds.length && stepAt(bucket) < this.#first + step) bucket += 1;
      this.#from[step] = bucket;
    }
  }

  /**
   * Adds one to the bucket of each of the first `count` values, none of which is below zero.
   * @param halves the same memory as the values
   * @param first where the buckets begin
   */
  count(values: Float64Array, halves: Uint32Array, count: number, buckets: Float64Array, first: number): void {
    const bounds = this.bounds;
    const from = this.#from;
    for (let i = 0; i < count; i += 1) {
      const value = values[i]!;
      const step = (halves[highWordAt(i)]! >>> stepBits) - this.#first;
      let bucket = step <= 0 ? 0 : step < from.length ? from[step]! : bounds.length;
      while (bucket < bounds.length && value > bounds[bucket]!) bucket += 1;
      buckets[first + bucket] = buckets[first + bucket]! + 1;
    }
  }

  search(value: number): number {
    let bucket = 0;
    while (bucket < this.bounds.length && value > this.bounds[bucket]!) bucket += 1;
    return bucket;
  }
}
