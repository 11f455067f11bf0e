/** Growing bytes and the few forms in which blocks write numbers. All counts are whole and not negative; bit operations stop at 2^31, so they are avoided. */
export class ByteWriter {
  #bytes: Uint8Array;
  #at = 0;
  readonly #number = new Float64Array(1);
  readonly #raw = new Uint8Array(this.#number.buffer);

  constructor(capacity = 4_096) {
    this.#bytes = new Uint8Array(capacity);
  }

  byte(value: number): void {
    if (this.#at >= this.#bytes.length) this.#grow(1);
    this.#bytes[this.#at] = value;
    this.#at += 1;
  }

  /** LEB128 of a whole number from 0 to 2^53; a greater one is written as that, since nobody could read it back. */
  count(value: number): void {
    if (this.#at + 10 > this.#bytes.length) this.#grow(10);
    let rest = value > 2 ** 53 ? 2 ** 53 : value;
    while (rest >= 0x80) {
      this.#bytes[this.#at] = (rest % 0x80) + 0x80;
      this.#at += 1;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at] = rest;
    this.#at += 1;
  }

  /** A whole number of either sign whose double is exact. */
  signed(value: number): void {
    this.count(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  /** Any double, bit for bit. Whole numbers, the usual ones, take as few bytes as they need. */
  double(value: number): void {
    if (Number.isInteger(value) && Math.abs(value) < 2 ** 48 && !Object.is(value, -0)) {
      this.count(zigzag(value) + 1);
      return;
    }
    this.count(0);
    this.#number[0] = value;
    this.raw(this.#raw);
  }

  text(value: string): void {
    const bytes = Buffer.from(value, 'utf8');
    this.count(bytes.length);
    this.raw(bytes);
  }

  raw(bytes: Uint8Array): void {
    this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  take(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  #grow(by: number): void {
    if (this.#at + by <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + by));
    bytes.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = bytes;
  }
}

/** Reads what `ByteWriter` wrote. @throws Error past the end: what was cut off is never read as numbers */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  readonly #number = new Float64Array(1);
  readonly #raw = new Uint8Array(this.#number.buffer);

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    const value = this.#bytes[this.#at];
    if (value === undefined) throw new Error('the block ends too early');
    this.#at += 1;
    return value;
  }

  count(): number {
    let value = this.byte();
    if (value < 0x80) return value;
    value -= 0x80;
    for (let scale = 0x80; ; scale *= 0x80) {
      const next = this.byte();
      if (next < 0x80) return value + next * scale;
      if (scale >= 2 ** 49) throw new Error('a number of the block is too large');
      value += (next - 0x80) * scale;
    }
  }

  /** A count of things that each take a byte at least: a damaged one does not take the memory. */
  length(): number {
    const value = this.count();
    if (value > this.left) throw new Error('a length in the block is beyond its end');
    return value;
  }

  signed(): number {
    return unzigzag(this.count());
  }

  double(): number {
    const value = this.count();
    if (value > 0) return unzigzag(value - 1);
    this.#raw.set(this.raw(8));
    return this.#number[0]!;
  }

  text(): string {
    return Buffer.from(this.raw(this.count())).toString('utf8');
  }

  raw(length: number): Uint8Array {
    if (length > this.left) throw new Error('the block ends too early');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

const zigzag = (value: number): number => (value >= 0 ? value * 2 : -value * 2 - 1);
const unzigzag = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2);
