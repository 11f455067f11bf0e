/**
 * Series and the handles that record into them. A family keeps its numbers in columns, one slot per series, so that recording on a
 * bound handle writes one element of a typed array: no allocation, no look-up.
 */
import { Distributions } from './distributions.ts';
import { grown } from './grown.ts';
import { createLabelNames, KnownNames, type LabelNames } from './label-names.ts';
import { SeriesTable } from './series-table.ts';

export type MetricType = 'counter' | 'gauge' | 'histogram' | 'unknown';

export type FamilyDefinition = {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  /** Base unit (`seconds`, `bytes`, `ratio`); said in OpenMetrics where the name ends with it. */
  readonly unit?: string | undefined;
  readonly labelNames: readonly string[];
  /** Each series has labels of its own, and `labelNames` is empty. */
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
const overflowNames: readonly string[] = ['overflow'];
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
  /** What was refused: NaN, infinities and negative amounts on counters and histograms. */
  rejected = 0;
  /** Look-ups of label sets beyond the bound. */
  overflowed = 0;
  /** Of a histogram that `keepsEach`, from its first series on. */
  distributions: Distributions | undefined;
  /** 1: set since the store last took it; only where `keepsEach`. */
  changed: Uint8Array;
  /** 1: a series that the store has not seen yet. */
  born: Uint8Array;
  bornCount = 0;
  /** Its totals are counted elsewhere, and did not begin at zero when the series did. */
  mirrored = false;
  /** Kept out of `/metrics`. */
  hidden = false;
  /** The names of labels of their own, where the series have them. */
  readonly names = new KnownNames();
  readonly #maxSeries: number;
  readonly #budget: SeriesBudget | undefined;
  readonly #onOverflow: (family: Family) => void;
  readonly #ownNames: LabelNames;
  readonly #table: SeriesTable;
  readonly #handles: (SeriesHandle | undefined)[] = [undefined];
  readonly #freeSlots: number[] = [];
  #order: readonly number[] | undefined;
  /** Of series that ended since the store last looked, by their handles: values of theirs may still wait. */
  #endedLabels: WeakMap<SeriesHandle, readonly string[]> | undefined;
  /** Label text per slot as the exposition writes it, made when first asked for: labels of a series never change. */
  readonly #labelTexts: (string | undefined)[] = [];

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
    this.#ownNames = createLabelNames(definition.labelNames);
    this.#table = new SeriesTable(definition.labelNames.length);
    this.values = new Float64Array(4);
    this.present = new Uint8Array(4);
    this.born = new Uint8Array(4);
    this.changed = new Uint8Array(definition.keepsEach ? 4 : 0);
    this.buckets = new Float64Array(definition.type === 'histogram' ? 4 * (definition.bounds.length + 1) : 0);
  }

  get seriesCount(): number {
    return this.#table.size;
  }

  /** What stands for the series of a slot, the same as long as it lasts; undefined when the slot has none. */
  seriesAt(slot: number): SeriesHandle | undefined {
    return this.#handles[slot];
  }

  /** The values of the labels of a slot, in the order of their names. */
  labelValuesOf(slot: number): readonly string[] | undefined {
    return this.#table.valuesOf(slot);
  }

  /** Names and values of the labels of a slot, by turns. */
  labelsOf(slot: number): readonly string[] {
    const values = this.#table.valuesOf(slot) ?? [];
    return this.#table.namesOf(slot)?.names.flatMap((name, i) => [name, values[i]!]) ?? [];
  }

  /** The same of a series, also of one that ended since the store last looked; undefined of one that ended before. */
  labelsOfSeries(handle: SeriesHandle): readonly string[] | undefined {
    return handle.slot === sinkSlot ? this.#endedLabels?.get(handle) : this.labelsOf(handle.slot);
  }

  /** The text of a slot's labels, made at first use. */
  labelTextOf(slot: number, make: () => string): string {
    const known = this.#labelTexts[slot];
    if (known !== undefined) return known;
    const text = make();
    this.#labelTexts[slot] = text;
    return text;
  }

  /** @throws Error where there is nothing to distribute */
  requireDistributions(): Distributions {
    if (this.distributions === undefined) throw new Error(`${this.definition.name} keeps no values`);
    return this.distributions;
  }

  /** The handle of these labels; undefined when there is no such series. See SeriesTable. */
  find(names: LabelNames, values: readonly string[], order?: Uint8Array): SeriesHandle | undefined {
    return this.#handles[this.#table.find(names, values, order)];
  }

  /**
   * The handle of these label values, made at first use. `make` must always make the same kind for one family.
   * @param names of labels of their own
   */
  handleFor<H extends SeriesHandle>(values: readonly string[], make: (slot: number) => H, names = this.#ownNames): H {
    // One family makes one kind of handle, so what is held is what `make` returns.
    const known = this.find(names, values) as H | undefined;
    if (known !== undefined) return known;
    const clean = values.map(cleanLabelValue);
    const existing = this.find(names, clean) as H | undefined;
    if (existing !== undefined) return existing;
    if (this.#table.size >= this.#maxSeries || (this.#budget && this.#budget.left <= 0)) return this.#overflow(make);
    return this.#add(names, clean, make);
  }

  /** Ends the series of these values of the family's own labels. */
  removeOf(values: readonly string[]): void {
    this.remove(this.find(this.#ownNames, values.map(cleanLabelValue))?.slot ?? sinkSlot);
  }

  /** Ends a series. Its old handles record into nothing from now on, never into a later series. */
  remove(slot: number): void {
    const handle = this.#handles[slot];
    if (handle === undefined) return;
    this.present[slot] = 0;
    // A metric without labels has one handle for good.
    if (this.definition.labelNames.length === 0 && !this.definition.freeLabels) return;
    if (this.#budget) this.#budget.left += 1;
    if (this.definition.keepsEach && this.definition.type !== 'counter') {
      this.#endedLabels ??= new WeakMap();
      this.#endedLabels.set(handle, this.labelsOf(slot));
    }
    this.distributions?.end(slot);
    this.bornCount -= this.born[slot]!;
    this.born[slot] = 0;
    this.#table.remove(slot);
    this.#handles[slot] = undefined;
    if (slot < this.#labelTexts.length) this.#labelTexts[slot] = undefined;
    this.#freeSlots.push(slot);
    this.#order = undefined;
    handle.slot = sinkSlot;
  }

  /** Before a collector runs: everything present is marked as not yet seen. */
  markAll(): void {
    for (let slot = 1; slot < this.#handles.length; slot += 1) if (this.present[slot] === 1) this.present[slot] = 2;
  }

  /** After it: what it did not set is gone; with `all`, everything is. */
  sweep(all: boolean): void {
    for (let slot = 1; slot < this.#handles.length; slot += 1)
      if (this.#handles[slot] !== undefined && (all || this.present[slot] === 2)) this.remove(slot);
  }

  /** The store has seen every series. */
  forgetBirths(): void {
    if (this.bornCount > 0) this.born.fill(0);
    this.bornCount = 0;
    this.#endedLabels = undefined;
  }

  /** Slots in the order of their label values, those without a value included. What was recorded is counted by then. */
  slotsInOrder(): readonly number[] {
    this.distributions?.settle();
    if (this.#order === undefined) {
      const slots: number[] = [];
      for (let slot = 1; slot < this.#handles.length; slot += 1) if (this.#handles[slot]) slots.push(slot);
      const { freeLabels } = this.definition;
      const keys: string[] = [];
      for (const slot of slots) keys[slot] = (freeLabels ? this.labelsOf(slot) : this.labelValuesOf(slot)!).join('\0');
      this.#order = slots.sort((a, b) => (keys[a]! < keys[b]! ? -1 : 1));
    }
    return this.#order;
  }

  #overflow<H extends SeriesHandle>(make: (slot: number) => H): H {
    this.overflowed += 1;
    if (this.overflowed === 1) this.#onOverflow(this);
    // Amounts of many series can be added up; levels cannot, so a gauge beyond the bound is not recorded at all.
    if (this.definition.type === 'gauge' || this.definition.type === 'unknown') return make(sinkSlot);
    const { freeLabels, labelNames } = this.definition;
    const names = freeLabels ? this.names.of(overflowNames) : this.#ownNames;
    const values = freeLabels ? ['true'] : labelNames.map(() => overflowValue);
    // See handleFor.
    return (this.find(names, values) as H | undefined) ?? this.#add(names, values, make);
  }

  #add<H extends SeriesHandle>(names: LabelNames, values: readonly string[], make: (slot: number) => H): H {
    const { type, keepsEach, bounds, scale } = this.definition;
    const slot = this.#freeSlots.pop() ?? this.#handles.length;
    if (slot >= this.values.length) this.#grow();
    if (this.#budget) this.#budget.left -= 1;
    this.values[slot] = 0;
    if (type === 'counter' || (type === 'histogram' && !keepsEach)) {
      this.born[slot] = 1;
      this.bornCount += 1;
    }
    if (keepsEach) this.changed[slot] = 0;
    if (type === 'histogram') this.buckets.fill(0, slot * (bounds.length + 1), (slot + 1) * (bounds.length + 1));
    if (type === 'histogram' && keepsEach) {
      this.distributions ??= new Distributions(bounds, scale ?? 1, this);
      this.distributions.begin(slot);
    }
    // A counter that exists has counted nothing yet; a gauge that was never set has no value.
    this.present[slot] = type === 'counter' || type === 'histogram' ? 1 : 0;
    this.#table.add(slot, names, values);
    this.#order = undefined;
    const handle = make(slot);
    this.#handles[slot] = handle;
    return handle;
  }

  #grow(): void {
    const capacity = this.values.length * 2;
    const { keepsEach } = this.definition;
    this.values = grown(this.values, new Float64Array(capacity));
    this.present = grown(this.present, new Uint8Array(capacity));
    this.born = grown(this.born, new Uint8Array(capacity));
    if (keepsEach) this.changed = grown(this.changed, new Uint8Array(capacity));
    this.buckets = grown(this.buckets, new Float64Array(this.buckets.length * 2));
  }
}

/** Bounded, valid Unicode, and free of the separator of our own keys. */
function cleanLabelValue(value: string): string {
  const text = value.length > longestLabelValue ? value.slice(0, longestLabelValue) : value;
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}

export function histogramCount(family: Family, slot: number): number {
  family.distributions?.settle();
  const width = family.definition.bounds.length + 1;
  let count = 0;
  for (let i = slot * width; i < (slot + 1) * width; i += 1) count += family.buckets[i]!;
  return count;
}
