import { addSamples, type BlockEntry, type Samples, type SeriesName, type SeriesType, seriesText } from './block.ts';
import { addToTotal, emptyTotal, growth, type Total } from './summary.ts';

/** Sampled with all others: a value per row from `first` on, or in the rows that are listed when it was not in every one. */
export class Column {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly type: SeriesType;
  readonly values: number[];
  readonly text: string;
  first: number;
  rows: number[] | undefined;
  /** Of the first `#totalled` values, which do not change any more. */
  readonly #total = emptyTotal();
  #totalled = 0;

  constructor(name: SeriesName, row: number, value: number) {
    this.name = name.name;
    this.labels = name.labels;
    this.type = name.type;
    this.text = seriesText(name);
    this.first = row;
    this.values = [value];
  }

  /** Of its first `count` values, the last of which was `last`. What was added up before is not added up again. */
  totalOf(count: number, last: number): Total {
    const { values, type } = this;
    const all = emptyTotal();
    // Asked later than somebody who saw more of it.
    if (this.#totalled >= count) addSamples(all, values, type, 0, count - 1);
    else {
      addSamples(this.#total, values, type, this.#totalled, count - 1);
      this.#totalled = count - 1;
      Object.assign(all, this.#total);
    }
    addToTotal(all, last, type === 'counter' && count > 1 ? growth(values[count - 2], last) : 0);
    return all;
  }
}

/** The times of all rows, and stretches of them: columns that began together share theirs, so that it is looked for and kept once. */
export class RowTimes {
  readonly all: Float64Array;
  readonly #stretches = new Map<number, Float64Array>();
  constructor(times: readonly number[]) {
    this.all = new Float64Array(times);
  }
  stretch(first: number, length: number): Float64Array {
    if (first === 0 && length === this.all.length) return this.all;
    if (first + length < this.all.length) return this.all.subarray(first, first + length);
    const known = this.#stretches.get(first) ?? this.all.subarray(first);
    this.#stretches.set(first, known);
    return known;
  }
}

/**
 * A column as it was at one moment, which is made out only where somebody looks: of a thousand series a question asks for one, and a
 * block that is written needs no copy of any. The column may grow meanwhile, and its last value may be replaced.
 */
export class GrowingSamples implements Samples, BlockEntry {
  readonly kind = 'samples';
  readonly #column: Column;
  readonly #rowTimes: RowTimes;
  readonly #first: number;
  readonly #rows: readonly number[] | undefined;
  readonly #count: number;
  readonly #last: number;
  #times: Float64Array | undefined;
  #values: Float64Array | undefined;
  #all: Total | undefined;

  constructor(column: Column, rowTimes: RowTimes) {
    this.#column = column;
    this.#rowTimes = rowTimes;
    this.#first = column.first;
    this.#rows = column.rows;
    this.#count = column.values.length;
    this.#last = column.values[this.#count - 1]!;
  }
  get name(): string {
    return this.#column.name;
  }
  get labels(): Readonly<Record<string, string>> {
    return this.#column.labels;
  }
  get type(): SeriesType {
    return this.#column.type;
  }
  get times(): Float64Array {
    this.#times ??=
      this.#rows === undefined
        ? this.#rowTimes.stretch(this.#first, this.#count)
        : Float64Array.from(this.#rows.slice(0, this.#count), (row) => this.#rowTimes.all[row]!);
    return this.#times;
  }
  get values(): Float64Array {
    this.#values ??= Float64Array.from(this.raw);
    return this.#values;
  }
  /** Not copied unless it has to be: of use at once, not later. */
  get raw(): ArrayLike<number> {
    const { values } = this.#column;
    if (values.length === this.#count && values[this.#count - 1] === this.#last) return values;
    const own = values.slice(0, this.#count);
    own[this.#count - 1] = this.#last;
    return own;
  }
  get text(): string {
    return this.#column.text;
  }
  get firstMs(): number {
    return this.#rowTimes.all[this.#rows?.[0] ?? this.#first]!;
  }
  get lastMs(): number {
    return this.#rowTimes.all[this.#rows?.[this.#count - 1] ?? this.#first + this.#count - 1]!;
  }
  get first(): number {
    return this.#count === 1 ? this.#last : this.#column.values[0]!;
  }
  get all(): Readonly<Total> {
    this.#all ??= this.#column.totalOf(this.#count, this.#last);
    return this.#all;
  }
}
