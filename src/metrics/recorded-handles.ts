import { findLabelsProblem, type Labels } from './metric-definition.ts';
import { CounterHandle, DistributionHandle, type Family, LevelHandle } from './series.ts';

export type RecordedHandle = CounterHandle | LevelHandle | DistributionHandle;

/** The handle of a series, or what is wrong with its labels. */
export function handleIn(family: Family, labels: Labels): RecordedHandle | string {
  const problem = findLabelsProblem(labels);
  if (problem !== undefined) return problem;
  const flat: string[] = [];
  for (const name of Object.keys(labels).sort()) if (labels[name] !== '') flat.push(name, labels[name]!);
  return family.handleFor(flat, (slot): RecordedHandle => {
    if (family.definition.type === 'counter') return new CounterHandle(family, slot);
    return family.definition.type === 'gauge' ? new LevelHandle(family, slot) : new DistributionHandle(family, slot);
  });
}

/** Whether the handle is not of these labels alone, since there are too many series. */
export function sharesOverflow({ family, slot }: RecordedHandle, labels: Labels): boolean {
  if (slot === 0) return true;
  const flat = family.labelsOf(slot);
  return flat[0] === 'overflow' && flat.length === 2 && labels.overflow === undefined;
}

/** Whether the labels of a series, names and values by turns, hold these. */
export function holdsFlat(flat: readonly string[], labels: Labels): boolean {
  return Object.entries(labels).every(([name, value]) => {
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1] === value;
    return false;
  });
}

/**
 * One label further on the way to a handle, by the labels as they were written, so that a call finds its handle without making a key.
 * Most calls name the same labels in the same order, and many labels have one value: neither is looked up in a map.
 */
export class LabelStep {
  handle: RecordedHandle | undefined = undefined;
  #name: string | undefined = undefined;
  /** While there is one value of the label. */
  #value: string | undefined = undefined;
  #next: LabelStep | undefined = undefined;
  #values: Map<string, LabelStep> | undefined = undefined;
  /** By the name of another label that came in this place. */
  #others: Map<string, LabelStep> | undefined = undefined;

  find(name: string, value: string): LabelStep | undefined {
    if (name !== this.#name) return this.#others?.get(name)?.find(name, value);
    if (this.#values !== undefined) return this.#values.get(value);
    return value === this.#value ? this.#next : undefined;
  }

  add(name: string, value: string): LabelStep {
    const known = this.find(name, value);
    if (known !== undefined) return known;
    if (this.#name !== undefined && name !== this.#name) {
      this.#others ??= new Map();
      const other = this.#others.get(name) ?? new LabelStep();
      this.#others.set(name, other);
      return other.add(name, value);
    }
    const added = new LabelStep();
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
