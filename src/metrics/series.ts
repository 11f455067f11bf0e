/**
 * Series and the handles that record into them. A family keeps its numbers in columns, one slot per series, so that recording on a
 * bound handle writes one element of a typed array: no allocation, no look-up.
 */
import { greatestMagnitude } from './recording-rules.ts';
import { type Batch, Interval } from './summary.ts';

export type MetricType = 'counter' | 'gauge' | 'histogram' | 'unknown';

export type FamilyDefinition = {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  /** Base unit (`seconds`, `bytes`, `ratio`); said in OpenMetrics where the name ends with it. */
  readonly unit?: string | undefined;
  readonly labelNames: readonly string[];
  /** Each series has labels of its own; what is given as label values are then names and values by turns. */
  readonly freeLabels?: true;
  /** Name in the store and the API, where it is not the name on `/metrics`. */
  readonly storedName?: string;
  /** What a recorded value is multiplied by on `/metrics`, which speaks in base units. */
  readonly scale?: number;
  /** Every value set counts, so each is a sample of its own; levels that others look up are sampled as they stand. */
  readonly keepsEach?: true;
  /** Upper bounds of a histogram's buckets, ascending, without +Inf. */
  readonly bounds: readonly number[];
};

/** Slot 0 belongs to no series: what is written through a handle whose series is gone ends there and is never read. */
const sinkSlot = 0;
const overflowValue = '_overflow';
const overflowLabels: readonly string[] = ['overflow', 'true'];
const longestLabelValue = 1024;

export type SeriesHandle = { slot: number };

/** Series that may still be begun, of several families together. */
export type SeriesBudget = { left: number };

export class Family {
  readonly definition: FamilyDefinition;
  /** Value of a counter, gauge or unknown; the sum of a histogram. */
  values: Float64Array;
  /** 1: has a value; 0: never set, or gone; 2: had a value before the collector run that is under way. */
  present: Uint8Array;
  /** Histograms: bounds + 1 counts per slot, not cumulative. */
  buckets: Float64Array;
  /** Label values per slot; undefined for the sink and for slots that wait to be used again. */
  readonly labelValues: (readonly string[] | undefined)[] = [undefined];
  /** Label text per slot as the exposition writes it, made when first asked for: labels of a series never change. */
  readonly labelText: (string | undefined)[] = [];
  /** What was refused: NaN, infinities and negative amounts on counters and histograms. */
  rejected = 0;
  /** Look-ups of label sets beyond the bound. */
  overflowed = 0;
  /** What was recorded per slot since the store last took it; only where `keepsEach`. */
  readonly intervals: (Interval | undefined)[] = [];
  /** 1: set since the store last took it; only where `keepsEach`. */
  changed: Uint8Array;
  /** Slots of series that the store has not seen yet. */
  readonly born = new Set<number>();
  /** Its totals are counted elsewhere, and did not begin at zero when the series did. */
  mirrored = false;
  /** Kept out of `/metrics`. */
  hidden = false;
  readonly #maxSeries: number;
  readonly #budget: SeriesBudget | undefined;
  readonly #onOverflow: (family: Family) => void;
  readonly #byLabels = new Map<string, SeriesHandle>();
  readonly #freeSlots: number[] = [];
  #order: readonly number[] | undefined;

  constructor(
    definition: FamilyDefinition,
    maxSeries: number,
    onOverflow: (family: Family) => void,
    budget?: SeriesBudget,
  ) {
    this.definition = definition;
    this.#maxSeries = maxSeries;
    this.#budget = budget;
    this.#onOverflow = onOverflow;
    this.values = new Float64Array(4);
    this.present = new Uint8Array(4);
    this.changed = new Uint8Array(definition.keepsEach ? 4 : 0);
    this.buckets = new Float64Array(definition.type === 'histogram' ? 4 * (definition.bounds.length + 1) : 0);
  }

  get seriesCount(): number {
    return this.#byLabels.size;
  }

  /** Names and values of the labels of a slot, by turns. */
  labelsOf(slot: number): readonly string[] {
    const values = this.labelValues[slot] ?? [];
    return this.definition.freeLabels
      ? values
      : this.definition.labelNames.flatMap((name, i) => [name, values[i] ?? '']);
  }

  /** The handle of these label values, made at first use. `make` must always make the same kind for one family. */
  handleFor<H extends SeriesHandle>(values: readonly string[], make: (slot: number) => H): H {
    const key = values.length === 1 ? values[0]! : values.join('\0');
    const known = this.#byLabels.get(key);
    // One family makes one kind of handle, so what the map holds is what `make` returns.
    if (known !== undefined && !holdsSeparator(values)) return known as H;
    const clean = values.map(cleanLabelValue);
    const cleanKey = clean.join('\0');
    const existing = this.#byLabels.get(cleanKey);
    if (existing !== undefined) return existing as H;
    if (this.#byLabels.size >= this.#maxSeries || (this.#budget && this.#budget.left <= 0)) return this.#overflow(make);
    return this.#add(clean, cleanKey, make);
  }

  /** Ends a series. Its old handles record into nothing from now on, never into a later series. */
  remove(values: readonly string[]): void {
    const key = values.map(cleanLabelValue).join('\0');
    const handle = this.#byLabels.get(key);
    if (handle === undefined) return;
    const { slot } = handle;
    this.present[slot] = 0;
    // A metric without labels has one handle for good.
    if (this.definition.labelNames.length === 0 && !this.definition.freeLabels) return;
    if (this.#budget) this.#budget.left += 1;
    this.intervals[slot] = undefined;
    this.born.delete(slot);
    this.#byLabels.delete(key);
    this.labelValues[slot] = undefined;
    this.#freeSlots.push(slot);
    this.#order = undefined;
    handle.slot = sinkSlot;
  }

  /** Before a collector runs: everything present is marked as not yet seen. */
  markAll(): void {
    for (let slot = 1; slot < this.labelValues.length; slot += 1) if (this.present[slot] === 1) this.present[slot] = 2;
  }

  /** After it: what it did not set is gone; with `all`, everything is. */
  sweep(all: boolean): void {
    for (let slot = 1; slot < this.labelValues.length; slot += 1) {
      const values = this.labelValues[slot];
      if (values !== undefined && (all || this.present[slot] === 2)) this.remove(values);
    }
  }

  /** Slots in the order of their label values, those without a value included. */
  slotsInOrder(): readonly number[] {
    if (this.#order === undefined) {
      const slots: number[] = [];
      for (let slot = 1; slot < this.labelValues.length; slot += 1) if (this.labelValues[slot]) slots.push(slot);
      const keys = this.labelValues.map((values) => values?.join('\0') ?? '');
      this.#order = slots.sort((a, b) => (keys[a]! < keys[b]! ? -1 : 1));
    }
    return this.#order;
  }

  #overflow<H extends SeriesHandle>(make: (slot: number) => H): H {
    this.overflowed += 1;
    if (this.overflowed === 1) this.#onOverflow(this);
    // Amounts of many series can be added up; levels cannot, so a gauge beyond the bound is not recorded at all.
    if (this.definition.type === 'gauge' || this.definition.type === 'unknown') return make(sinkSlot);
    const values = this.definition.freeLabels ? overflowLabels : this.definition.labelNames.map(() => overflowValue);
    const key = values.join('\0');
    // See handleFor.
    return (this.#byLabels.get(key) as H | undefined) ?? this.#add(values, key, make);
  }

  #add<H extends SeriesHandle>(values: readonly string[], key: string, make: (slot: number) => H): H {
    const slot = this.#freeSlots.pop() ?? this.labelValues.length;
    if (slot >= this.values.length) this.#grow();
    if (this.#budget) this.#budget.left -= 1;
    const width = this.definition.bounds.length + 1;
    this.values[slot] = 0;
    const { type, keepsEach } = this.definition;
    if (type === 'counter' || (type === 'histogram' && !keepsEach)) this.born.add(slot);
    if (keepsEach) this.changed[slot] = 0;
    if (this.definition.type === 'histogram') this.buckets.fill(0, slot * width, (slot + 1) * width);
    // A counter that exists has counted nothing yet; a gauge that was never set has no value.
    this.present[slot] = this.definition.type === 'counter' || this.definition.type === 'histogram' ? 1 : 0;
    this.labelValues[slot] = values;
    this.labelText[slot] = undefined;
    this.#order = undefined;
    const handle = make(slot);
    this.#byLabels.set(key, handle);
    return handle;
  }

  #grow(): void {
    const capacity = this.values.length * 2;
    const values = new Float64Array(capacity);
    values.set(this.values);
    this.values = values;
    const present = new Uint8Array(capacity);
    present.set(this.present);
    this.present = present;
    if (this.definition.keepsEach) {
      const changed = new Uint8Array(capacity);
      changed.set(this.changed);
      this.changed = changed;
    }
    const buckets = new Float64Array(this.buckets.length * 2);
    buckets.set(this.buckets);
    this.buckets = buckets;
  }
}

const holdsSeparator = (values: readonly string[]): boolean =>
  values.length > 1 && values.some((v) => v.includes('\0'));

/** Bounded, valid Unicode, and free of the separator of our own keys. */
function cleanLabelValue(value: string): string {
  const text = value.length > longestLabelValue ? value.slice(0, longestLabelValue) : value;
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}

export class CounterHandle {
  slot: number;
  readonly family: Family;
  constructor(family: Family, slot: number) {
    this.family = family;
    this.slot = slot;
  }
  /** Adds `by` (default 1), which must be finite and not negative; anything else is refused and counted. */
  inc(by = 1): void {
    const { family, slot } = this;
    if (by >= 0 && by <= greatestMagnitude) {
      family.values[slot] = family.values[slot]! + by;
      family.present[slot] = 1;
    } else family.rejected += 1;
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

export class GaugeHandle {
  slot: number;
  readonly family: Family;
  constructor(family: Family, slot: number) {
    this.family = family;
    this.slot = slot;
  }
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
export class LevelHandle {
  slot: number;
  readonly family: Family;
  constructor(family: Family, slot: number) {
    this.family = family;
    this.slot = slot;
  }
  set(value: number): void {
    const { family, slot } = this;
    if (value >= -greatestMagnitude && value <= greatestMagnitude) {
      family.values[slot] = value;
      family.present[slot] = 1;
      family.changed[slot] = 1;
    } else family.rejected += 1;
  }
  value(): number | undefined {
    return this.family.present[this.slot] === 0 ? undefined : this.family.values[this.slot]!;
  }
}

/** Many values: in buckets since the start for `/metrics`, and in full detail since the store last took them. */
export class DistributionHandle {
  slot: number;
  readonly family: Family;
  readonly #interval: Interval;
  readonly #scale: number;
  constructor(family: Family, slot: number) {
    this.family = family;
    this.slot = slot;
    this.#scale = family.definition.scale ?? 1;
    this.#interval = new Interval();
    if (slot !== sinkSlot) family.intervals[slot] = this.#interval;
  }
  /** One value in the unit of the metric; NaN, infinities and negative ones are refused and counted. */
  observe(value: number): void {
    const { family, slot } = this;
    if (!(value >= 0 && value <= greatestMagnitude)) {
      family.rejected += 1;
      return;
    }
    const { bounds } = family.definition;
    const exposed = value * this.#scale;
    let bucket = 0;
    while (bucket < bounds.length && exposed > bounds[bucket]!) bucket += 1;
    const at = slot * (bounds.length + 1) + bucket;
    family.buckets[at] = family.buckets[at]! + 1;
    family.values[slot] = family.values[slot]! + value;
    family.present[slot] = 1;
    this.#interval.add(value);
  }
  /** Many values that were counted elsewhere. */
  observeMany(batch: Batch): void {
    const { family, slot } = this;
    const { bounds } = family.definition;
    for (let i = 0; i < batch.values.length; i += 1) {
      const exposed = batch.values[i]! * this.#scale;
      let bucket = 0;
      while (bucket < bounds.length && exposed > bounds[bucket]!) bucket += 1;
      const at = slot * (bounds.length + 1) + bucket;
      family.buckets[at] = family.buckets[at]! + batch.counts[i]!;
    }
    family.values[slot] = family.values[slot]! + batch.sum;
    family.present[slot] = 1;
    this.#interval.addBatch(batch);
  }
  count(): number {
    return histogramCount(this.family, this.slot);
  }
}

export class HistogramHandle {
  slot: number;
  readonly family: Family;
  constructor(family: Family, slot: number) {
    this.family = family;
    this.slot = slot;
  }
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

export function histogramCount(family: Family, slot: number): number {
  const width = family.definition.bounds.length + 1;
  let count = 0;
  for (let i = slot * width; i < (slot + 1) * width; i += 1) count += family.buckets[i]!;
  return count;
}
