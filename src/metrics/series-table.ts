import { grown } from './grown.ts';
import { finishHash, hashText, isSameNames, type LabelNames } from './label-names.ts';

const fewest = 8;
/** Texts that many series share are kept once; only so many and so short ones, since most others are of one series alone. */
const mostShared = 256;
const longestShared = 64;

/**
 * Finds the slot of a series by its labels: a table of slots with open addressing (linear probing, never more than three quarters
 * full) over columns of hashes and of label values. A series costs some 60 bytes here and no object of its own.
 */
export class SeriesTable {
  /** 0: free, since slot 0 belongs to no series. */
  #table = new Int32Array(fewest);
  #hashes = new Int32Array(4);
  /** By slot; undefined for the sink and for slots that wait to be used again. */
  readonly #names: (LabelNames | undefined)[] = [undefined];
  /** `width` of them per slot, in the order of the names. */
  #texts: (string | undefined)[] = [];
  #width: number;
  readonly #shared = new Map<string, string>();
  #size = 0;

  /** @param width how many labels a series has; it grows with the first that has more */
  constructor(width: number) {
    this.#width = width;
  }

  get size(): number {
    return this.#size;
  }

  /** One above the greatest slot that was ever used. */
  get end(): number {
    return this.#names.length;
  }

  namesOf(slot: number): LabelNames | undefined {
    return this.#names[slot];
  }

  /** The values of the labels in the order of their names; undefined when the slot has no series. */
  valuesOf(slot: number): readonly string[] | undefined {
    const names = this.#names[slot];
    if (names === undefined) return undefined;
    const from = slot * this.#width;
    return this.#texts.slice(from, from + names.names.length) as string[]; // a slot with names has their values
  }

  /**
   * The slot of these labels, or 0.
   * @param order where the value of each name stands; as they come unless told
   */
  find(names: LabelNames, values: readonly string[], order?: Uint8Array): number {
    const count = names.names.length;
    let hash = names.hash;
    for (let i = 0; i < count; i += 1) hash = hashText(hash, values[order === undefined ? i : order[i]!]!);
    hash = finishHash(hash);
    const table = this.#table;
    const mask = table.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = table[at]!;
      if (slot === 0) return 0;
      if (this.#hashes[slot] === hash && this.#isOf(slot, names, values, order)) return slot;
    }
  }

  #isOf(slot: number, names: LabelNames, values: readonly string[], order: Uint8Array | undefined): boolean {
    const own = this.#names[slot]!;
    if (own !== names && !isSameNames(own, names)) return false;
    const from = slot * this.#width;
    for (let i = 0; i < names.names.length; i += 1)
      if (this.#texts[from + i] !== values[order === undefined ? i : order[i]!]) return false;
    return true;
  }

  /** A series that is not in the table, into a slot that has none. */
  add(slot: number, names: LabelNames, values: readonly string[]): void {
    const count = names.names.length;
    if (count > this.#width) this.#widen(count);
    let hash = names.hash;
    for (let i = 0; i < count; i += 1) hash = hashText(hash, values[i]!);
    hash = finishHash(hash);
    this.#names[slot] = names;
    const from = slot * this.#width;
    for (let i = 0; i < this.#width; i += 1) this.#texts[from + i] = i < count ? this.#share(values[i]!) : undefined;
    if (slot >= this.#hashes.length) this.#hashes = grown(this.#hashes, new Int32Array(2 * slot));
    this.#hashes[slot] = hash;
    this.#size += 1;
    if (4 * this.#size > 3 * this.#table.length) this.#grow();
    else this.#put(slot);
  }

  remove(slot: number): void {
    const table = this.#table;
    const mask = table.length - 1;
    let free = this.#hashes[slot]! & mask;
    while (table[free] !== slot) free = (free + 1) & mask;
    // Those behind it move up as far as their hashes let them, so that no look-up ends too soon.
    for (let at = (free + 1) & mask; table[at] !== 0; at = (at + 1) & mask) {
      const home = this.#hashes[table[at]!]! & mask;
      if (((at - home) & mask) < ((at - free) & mask)) continue;
      table[free] = table[at]!;
      free = at;
    }
    table[free] = 0;
    this.#names[slot] = undefined;
    this.#texts.fill(undefined, slot * this.#width, (slot + 1) * this.#width);
    this.#size -= 1;
  }

  #put(slot: number): void {
    const mask = this.#table.length - 1;
    let at = this.#hashes[slot]! & mask;
    while (this.#table[at] !== 0) at = (at + 1) & mask;
    this.#table[at] = slot;
  }

  #grow(): void {
    this.#table = new Int32Array(2 * this.#table.length);
    for (let slot = 1; slot < this.#names.length; slot += 1) if (this.#names[slot] !== undefined) this.#put(slot);
  }

  #widen(width: number): void {
    const texts: (string | undefined)[] = [];
    for (let slot = 0; slot < this.#names.length; slot += 1)
      for (let i = 0; i < width; i += 1) texts.push(i < this.#width ? this.#texts[slot * this.#width + i] : undefined);
    this.#texts = texts;
    this.#width = width;
  }

  #share(text: string): string {
    if (text.length > longestShared) return text;
    const known = this.#shared.get(text);
    if (known !== undefined) return known;
    if (this.#shared.size < mostShared) this.#shared.set(text, text);
    return text;
  }
}
