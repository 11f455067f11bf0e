/**
 * One label further on the way to what belongs to labels as they were written, so that it is found without making a key.
 * Most calls name the same labels in the same order, and many labels have one value: neither is looked up in a map.
 */
export class LabelStep<T> {
  /** What belongs to the labels up to here. */
  held: T | undefined = undefined;
  #name: string | undefined = undefined;
  /** While there is one value of the label. */
  #value: string | undefined = undefined;
  #next: LabelStep<T> | undefined = undefined;
  #values: Map<string, LabelStep<T>> | undefined = undefined;
  /** By the name of another label that came in this place. */
  #others: Map<string, LabelStep<T>> | undefined = undefined;

  find(name: string, value: string): LabelStep<T> | undefined {
    if (name !== this.#name) return this.#others?.get(name)?.find(name, value);
    if (this.#values !== undefined) return this.#values.get(value);
    return value === this.#value ? this.#next : undefined;
  }

  add(name: string, value: string): LabelStep<T> {
    const known = this.find(name, value);
    if (known !== undefined) return known;
    if (this.#name !== undefined && name !== this.#name) {
      this.#others ??= new Map();
      const other = this.#others.get(name) ?? new LabelStep<T>();
      this.#others.set(name, other);
      return other.add(name, value);
    }
    const added = new LabelStep<T>();
    if (this.#next === undefined) {
      this.#name = name;
      this.#value = value;
      this.#next = added;
    } else {
      this.#values ??= new Map([[this.#value!, this.#next]]);
      this.#values.set(value, added);
    }
    return added;
  }
}
