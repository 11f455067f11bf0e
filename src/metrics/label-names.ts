/** The names of a series' labels, sorted, without those whose value is empty: one object for all series that have the same ones. */
export type LabelNames = {
  readonly names: readonly string[];
  /** Of the names, for the table of the series. */
  readonly hash: number;
};

/** A name that changes again and again must not be remembered each time: beyond so many all are learnt anew. */
const mostRemembered = 1_000;

export const createLabelNames = (names: readonly string[]): LabelNames => {
  let hash = names.length;
  for (const name of names) hash = hashText(hash, name);
  return { names, hash };
};

export const isSameNames = (a: LabelNames, b: LabelNames): boolean =>
  a === b ||
  (a.hash === b.hash && a.names.length === b.names.length && a.names.every((name, i) => name === b.names[i]));

/** Longer texts are no values of labels here, so only equal beginnings need equal hashes. */
const longestHashed = 1_024;

/** Taken once: a package that changes the prototype of strings (ioredis does) makes every look-up of a method on a text five times slower. */
const { charCodeAt } = String.prototype;

/** Two units of text at a time; `finishHash` mixes what came of it. Each step is a bijection, so nothing is lost before. */
export function hashText(seed: number, text: string): number {
  let hash = seed;
  const length = Math.min(text.length, longestHashed);
  for (let i = 1; i < length; i += 2)
    hash = Math.imul(hash ^ (charCodeAt.call(text, i - 1) | (charCodeAt.call(text, i) << 16)), 0x85ebca6b);
  if (length % 2 === 1) hash = Math.imul(hash ^ charCodeAt.call(text, length - 1), 0xc2b2ae35);
  return Math.imul(hash ^ length, 0x27d4eb2f);
}

/** The upper bits, which hold the most, come into the lower ones, by which a table is entered. */
export function finishHash(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  return mixed ^ (mixed >>> 15);
}

/** Names in the order in which somebody writes them. */
export type WrittenNames = {
  readonly known: LabelNames;
  /** Where the value of each sorted name stands; undefined when they were written sorted. */
  readonly order: Uint8Array | undefined;
};

/** One name further. Most calls write the same names in the same order, so the way is a comparison per name. */
export class NameStep {
  written: WrittenNames | undefined = undefined;
  #name: string | undefined = undefined;
  #next: NameStep | undefined = undefined;
  #others: Map<string, NameStep> | undefined = undefined;

  find(name: string): NameStep | undefined {
    return name === this.#name ? this.#next : this.#others?.get(name);
  }

  /** @returns the step, which is a new one the first time */
  add(name: string): NameStep {
    const found = this.find(name);
    if (found !== undefined) return found;
    const added = new NameStep();
    if (this.#next === undefined) {
      this.#name = name;
      this.#next = added;
    } else {
      this.#others ??= new Map();
      this.#others.set(name, added);
    }
    return added;
  }
}

/** The names of one family's series: an object per set of them, and the ways in which they are written. */
export class KnownNames {
  start = new NameStep();
  readonly #sets = new Map<string, LabelNames>();
  #ways = 0;

  /** @param names sorted */
  of(names: readonly string[]): LabelNames {
    const key = names.join('\0');
    let known = this.#sets.get(key);
    if (known === undefined) {
      if (this.#sets.size >= mostRemembered) this.#sets.clear();
      known = createLabelNames(names);
      this.#sets.set(key, known);
    }
    return known;
  }

  /** @param written the names as they came, without those of empty values */
  remember(written: readonly string[], known: LabelNames): void {
    if (this.#ways >= mostRemembered) {
      this.start = new NameStep();
      this.#ways = 0;
    }
    let step = this.start;
    for (const name of written) step = step.add(name);
    if (step.written !== undefined) return;
    const order = known.names.map((name) => written.indexOf(name));
    step.written = { known, order: order.every((at, i) => at === i) ? undefined : Uint8Array.from(order) };
    this.#ways += 1;
  }
}
