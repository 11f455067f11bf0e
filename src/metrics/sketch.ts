import { ByteReader, ByteWriter } from './bytes.ts';

/**
 * Counts of values in buckets whose width is 1/64 of their octave: a percentile read from it is at most 1/128 (0.8 %) beside the
 * value of that rank. Merging adds counts, so percentiles over any number of series, windows and tiers are as right as over one.
 * The bucket of a double is its exponent and the first six bits of its fraction: no logarithm, and nothing is allocated to count.
 */
const number = new Float64Array(1);
const words = new Uint32Array(number.buffer);
const high = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0;
/** Where the upper half of a double stands among the 32 bit words of an array of them. */
export const highWordAt = (index: number): number => 2 * index + high;
/** Bits of the high word that are not part of the bucket: 20 of the fraction less six. */
const dropped = 14;
/** 2,048 exponents of 64 buckets each, without the sign. */
const buckets = 2 ** 17;

/** Of a finite number above zero. */
function bucketOf(value: number): number {
  number[0] = value;
  return words[high]! >>> dropped;
}

/** The middle of a bucket. */
function middleOf(bucket: number): number {
  words[high] = bucket << dropped;
  words[1 - high] = 0;
  const from = number[0]!;
  words[high] = (bucket + 1) << dropped;
  const to = number[0]!;
  return Number.isFinite(to) ? from + (to - from) / 2 : from;
}

const pageBits = 4;
const pageSize = 1 << pageBits;
const noCounts = (): number[] => [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/** Counts of one sign, in pages that exist where something was counted: a few far apart cost little. */
class Side {
  #pages: (number[] | undefined)[] = [];
  #first = 0;

  add(bucket: number, by: number): void {
    const at = (bucket >>> pageBits) - this.#first;
    const page = at >= 0 && at < this.#pages.length ? this.#pages[at] : undefined;
    if (page === undefined) this.#makePage(bucket >>> pageBits)[bucket % pageSize]! += by;
    else page[bucket % pageSize]! += by;
  }

  /** In the order of the buckets, or against it, until `stop` says true. */
  some(stop: (bucket: number, count: number) => boolean, backwards = false): boolean {
    for (let i = 0; i < this.#pages.length; i += 1) {
      const at = backwards ? this.#pages.length - 1 - i : i;
      const page = this.#pages[at];
      if (page === undefined) continue;
      for (let j = 0; j < pageSize; j += 1) {
        const place = backwards ? pageSize - 1 - j : j;
        const count = page[place]!;
        if (count > 0 && stop((this.#first + at) * pageSize + place, count)) return true;
      }
    }
    return false;
  }

  /** The pages stay: what was counted once is counted again. */
  clear(): void {
    for (const page of this.#pages) page?.fill(0);
  }

  #makePage(number: number): number[] {
    if (this.#pages.length === 0) this.#first = number;
    if (number < this.#first) {
      this.#pages = [...new Array<undefined>(this.#first - number), ...this.#pages];
      this.#first = number;
    }
    while (number >= this.#first + this.#pages.length) this.#pages.push(undefined);
    const page = noCounts();
    this.#pages[number - this.#first] = page;
    return page;
  }
}

export class Sketch {
  zero = 0;
  readonly #above = new Side();
  readonly #below = new Side();

  /** NaN has no bucket and must not come here; infinities have one of their own. */
  add(value: number, by = 1): void {
    if (value > 0) this.#above.add(bucketOf(value), by);
    else if (value < 0) this.#below.add(bucketOf(-value), by);
    else this.zero += by;
  }

  /**
   * So many values, which are finite.
   * @param halves the same memory, so that the bucket of a value is read off it
   */
  addMany(values: Float64Array, halves: Uint32Array, from: number, count: number): void {
    const above = this.#above;
    for (let i = from; i < from + count; i += 1) {
      const value = values[i]!;
      if (value > 0) above.add(halves[2 * i + high]! >>> dropped, 1);
      else this.add(value);
    }
  }

  clear(): void {
    this.zero = 0;
    this.#above.clear();
    this.#below.clear();
  }

  count(): number {
    let sum = this.zero;
    const add = (_: number, count: number): boolean => {
      sum += count;
      return false;
    };
    this.#above.some(add);
    this.#below.some(add);
    return sum;
  }

  /**
   * The value of rank ⌈q·n⌉ of n (nearest rank), within 1/128.
   * @param q from 0 to 1
   * @returns undefined when nothing was counted
   */
  quantile(q: number): number | undefined {
    const n = this.count();
    if (n === 0) return undefined;
    let left = Math.max(1, Math.ceil(q * n));
    let found: number | undefined;
    const reach = (bucket: number, count: number): boolean => {
      left -= count;
      if (left <= 0) found = middleOf(bucket);
      return left <= 0;
    };
    if (this.#below.some(reach, true)) return -found!;
    left -= this.zero;
    if (left <= 0) return 0;
    this.#above.some(reach);
    return found;
  }

  /** The counts as bytes: zeros, then per sign the buckets that were used, by their distance, with what they counted. */
  pack(): Uint8Array {
    const out = new ByteWriter(64);
    out.count(this.zero);
    for (const side of [this.#above, this.#below]) {
      let used = 0;
      side.some(() => {
        used += 1;
        return false;
      });
      out.count(used);
      let before = 0;
      side.some((bucket, count) => {
        out.count(bucket - before);
        out.count(count);
        before = bucket;
        return false;
      });
    }
    return out.take();
  }

  /** Adds what another sketch packed. @throws Error when these are not the bytes of a sketch */
  mergePacked(packed: Uint8Array): void {
    const from = new ByteReader(packed);
    this.zero += from.count();
    for (const side of [this.#above, this.#below]) {
      let bucket = 0;
      for (let left = from.length(); left > 0; left -= 1) {
        bucket += from.count();
        if (bucket >= buckets) throw new Error('a bucket of the block is beyond all numbers');
        side.add(bucket, from.count());
      }
    }
  }
}
