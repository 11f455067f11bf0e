/** What a series is recorded through. Taken once and kept, since finding it again costs more than recording. */
import type { Distributions } from './distributions.ts';
import { greatestMagnitude } from './recording-rules.ts';
import { type Family, histogramCount } from './series.ts';
import type { Batch } from './summary.ts';

/** Of one series: where its values stand. */
class Handle {
  slot: number;
  readonly family: Family;
  constructor(family: Family, slot: number) {
    this.family = family;
    this.slot = slot;
  }
}

export class CounterHandle extends Handle {
  /**
   * Adds `by` (default 1), which must be finite and not negative; anything else is refused and counted. The series is there since it
   * was begun: only one that a collector mirrors is ever absent, and only `mirror` brings it back.
   */
  inc(by = 1): void {
    const { family, slot } = this;
    if (by >= 0 && by <= greatestMagnitude) family.values[slot] = family.values[slot]! + by;
    else family.rejected += 1;
  }
  /** Takes over a total that is counted elsewhere (in the kernel, in the database). It may fall when that one began anew. */
  mirror(total: number): void {
    const { family, slot } = this;
    family.mirrored = true;
    if (total >= 0 && total < Infinity) {
      family.values[slot] = total;
      family.present[slot] = 1;
    } else family.rejected += 1;
  }
  value(): number {
    return this.family.values[this.slot]!;
  }
}

export class GaugeHandle extends Handle {
  set(value: number): void {
    this.family.values[this.slot] = value;
    this.family.present[this.slot] = 1;
  }
  add(by: number): void {
    this.family.values[this.slot] = this.family.values[this.slot]! + by;
    this.family.present[this.slot] = 1;
  }
  /** Back to having no value: the sample is absent until the next `set`. */
  clear(): void {
    this.family.values[this.slot] = 0;
    this.family.present[this.slot] = 0;
  }
  /** Undefined when it was never set. */
  value(): number | undefined {
    return this.family.present[this.slot] === 0 ? undefined : this.family.values[this.slot]!;
  }
}

/** A level of which every value counts: NaN and infinities are refused and counted. */
export class LevelHandle extends Handle {
  set(value: number): void {
    const { family, slot } = this;
    if (value >= -greatestMagnitude && value <= greatestMagnitude) {
      family.values[slot] = value;
      // What has changed is present, so neither is written again until the store has looked.
      if (family.changed[slot] !== 0) return;
      family.changed[slot] = 1;
      family.present[slot] = 1;
    } else family.rejected += 1;
  }
  value(): number | undefined {
    return this.family.present[this.slot] === 0 ? undefined : this.family.values[this.slot]!;
  }
}

/** Many values: in buckets since the start for `/metrics`, and in full detail since the store last took them. */
export class DistributionHandle extends Handle {
  readonly #distributions: Distributions;
  constructor(family: Family, slot: number) {
    super(family, slot);
    this.#distributions = family.requireDistributions();
  }
  /** One value in the unit of the metric; NaN, infinities and negative ones are refused and counted. */
  observe(value: number): void {
    if (value >= 0 && value <= greatestMagnitude) this.#distributions.add(this.slot, value);
    else this.family.rejected += 1;
  }
  /** Many values that were counted elsewhere. */
  observeMany(batch: Batch): void {
    if (this.slot !== 0) this.#distributions.addBatch(this.slot, batch);
  }
  count(): number {
    return histogramCount(this.family, this.slot);
  }
}

export class HistogramHandle extends Handle {
  /** One observation in the unit of the metric's name; NaN, infinities and negative ones are refused and counted. */
  observe(value: number): void {
    const { family, slot } = this;
    if (!(value >= 0 && value < Infinity)) {
      family.rejected += 1;
      return;
    }
    const { bounds } = family.definition;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket += 1;
    const at = slot * (bounds.length + 1) + bucket;
    family.buckets[at] = family.buckets[at]! + 1;
    family.values[slot] = family.values[slot]! + value;
    family.present[slot] = 1;
  }
  count(): number {
    return histogramCount(this.family, this.slot);
  }
}
