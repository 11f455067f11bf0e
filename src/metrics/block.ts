import { readBlockV1 } from './block-v1.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { readColumn, writeColumn } from './column.ts';
import { mostBytes, openFrame, type Packing, packFrame } from './frame.ts';
import { addToTotal, emptyTotal, growth, mergeSummary, type Summary, type Total } from './summary.ts';

/** What a series is in the store: a counter only grows or begins anew; a distribution has many values at each instant. */
export const seriesTypes = ['counter', 'gauge', 'unknown', 'distribution'] as const;
export type SeriesType = (typeof seriesTypes)[number];

export type SeriesName = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly type: SeriesType;
};

/** One value at each instant. */
export type Samples = SeriesName & {
  readonly kind: 'samples';
  /** Epoch milliseconds, ascending, at least one. Series that were sampled together share the array or a stretch of it. */
  readonly times: Float64Array;
  readonly values: Float64Array;
  // Of a block that still grows, which is written and asked again and again, what need not be worked out anew each time:
  readonly text?: string;
  readonly all?: Readonly<Total>;
  /** The values, not copied. */
  readonly raw?: ArrayLike<number>;
};

/** Many values at each instant, or what was made of all samples of the window that begins there. */
export type Summaries = SeriesName & {
  readonly kind: 'summaries';
  readonly times: Float64Array;
  readonly rows: readonly Summary[];
};

export type BlockSeries = Samples | Summaries;

/** What stands before the columns and can be read without them. */
export type BlockEntry = SeriesName & {
  readonly kind: BlockSeries['kind'];
  readonly firstMs: number;
  readonly lastMs: number;
  /** The first value of samples, with which a counter continues an earlier block. */
  readonly first: number;
  /** Everything in it as one, its percentiles left out. */
  readonly all: Readonly<Total>;
};

export type ReadBlock = {
  readonly entries: readonly BlockEntry[];
  /** The series of the entries, in their order. @throws Error when they are damaged */
  series(): Promise<readonly BlockSeries[]>;
};

/** First byte of every payload; a reader that does not know it must not guess. */
const version = 2;
/** The longest columns of times are tried for every series; what fits into none of them is written as it is. */
const triedColumns = 8;

/** A directory (times, names, totals) and the columns of values behind it, so that whole blocks can be added up unread. */
export async function encodeBlock(series: readonly BlockSeries[], packing: Packing): Promise<Buffer> {
  const directory = new ByteWriter();
  const columns = new ByteWriter();
  const times = planTimes(series);
  directory.count(times.columns.length);
  for (const column of times.columns) {
    directory.count(column.length);
    writeColumn(directory, column);
  }
  directory.count(series.length);
  let before = '';
  for (const one of series) {
    const text = (one.kind === 'samples' ? one.text : undefined) ?? seriesText(one);
    const shared = sharedLength(before, text);
    before = text;
    directory.count(shared);
    directory.text(text.slice(shared));
    directory.byte(seriesTypes.indexOf(one.type) * 2 + (one.kind === 'samples' ? 0 : 1));
    const { column, from } = times.of(one.times);
    directory.count(column);
    directory.count(from);
    directory.count(one.times.length);
    writeTotal(directory, one);
    if (one.kind === 'samples') writeColumn(columns, one.raw ?? one.values);
    else writeSummaries(columns, one.rows, one.type);
  }
  return packFrame(version, packing, directory.take(), columns.take());
}

/** Name and labels as they stand in the directory. */
export const seriesText = ({ name, labels }: SeriesName): string =>
  JSON.stringify([name, ...Object.entries(labels).flat()]);

/** @throws Error when the payload is of another version or damaged */
export async function openBlock(payload: Uint8Array): Promise<ReadBlock> {
  if (payload[0] === 1) return blockOf(await readBlockV1(payload));
  const frame = openFrame(version, payload);
  const { entries, times } = readDirectory(new ByteReader(await frame.first()));
  return {
    entries,
    async series() {
      const from = new ByteReader(await frame.second());
      return entries.map(({ name, labels, type, kind }, i): BlockSeries => {
        const own = { name, labels, type, times: times[i]! };
        return kind === 'samples'
          ? { ...own, kind, values: readColumn(from, own.times.length) }
          : { ...own, kind, rows: readSummaries(from, own.times.length, type) };
      });
    },
  };
}

/** A block that is in memory, as if it had been read. */
export const blockOf = (series: readonly (BlockSeries | (BlockSeries & BlockEntry))[]): ReadBlock => ({
  entries: series.map((one) => ('firstMs' in one ? one : entryOf(one))),
  series: async () => series,
});

const entryOf = (one: BlockSeries): BlockEntry => ({
  name: one.name,
  labels: one.labels,
  type: one.type,
  kind: one.kind,
  firstMs: one.times[0]!,
  lastMs: one.times[one.times.length - 1]!,
  first: one.kind === 'samples' ? one.values[0]! : Number.NaN,
  all: totalOf(one),
});

function readDirectory(from: ByteReader): { entries: BlockEntry[]; times: Float64Array[] } {
  const columns: Float64Array[] = [];
  for (let left = from.length(); left > 0; left -= 1) {
    const n = from.count();
    if (n > mostBytes / 8) throw new Error('a column of times is too long');
    columns.push(readColumn(from, n));
  }
  const entries: BlockEntry[] = [];
  const times: Float64Array[] = [];
  let before = '';
  for (let left = from.length(); left > 0; left -= 1) {
    const text = before.slice(0, from.count()) + from.text();
    before = text;
    const [name = '', ...flat] = JSON.parse(text) as string[]; // written by encodeBlock, and the checksum held
    const labels: Record<string, string> = {};
    for (let i = 0; i < flat.length; i += 2) labels[flat[i]!] = flat[i + 1]!;
    const head = from.byte();
    const type = seriesTypes[head >> 1];
    const column = columns[from.count()];
    const at = from.count();
    const n = from.count();
    if (type === undefined || column === undefined || at + n > column.length || n === 0)
      throw new Error(`the entry of ${name} does not hold together`);
    const own = column.subarray(at, at + n);
    times.push(own);
    const kind = head % 2 === 0 ? 'samples' : 'summaries';
    const first = kind === 'samples' ? from.double() : Number.NaN;
    const all = readTotal(from, type);
    entries.push({ name, labels, type, kind, firstMs: own[0]!, lastMs: own[n - 1]!, first, all });
  }
  return { entries, times };
}

/** Distinct columns of times, and where in them each series lies: most share one, or the end of one. */
function planTimes(series: readonly BlockSeries[]) {
  const columns: Float64Array[] = [];
  const places = new Map<Float64Array, { column: number; from: number }>();
  const findPlace = (times: Float64Array): { column: number; from: number } => {
    for (const [column, have] of columns.slice(0, triedColumns).entries()) {
      const from = have.indexOf(times[0]!);
      if (from < 0 || from + times.length > have.length) continue;
      let same = true;
      for (let i = 1; i < times.length && same; i += 1) same = have[from + i] === times[i];
      if (same) return { column, from };
    }
    columns.push(times);
    return { column: columns.length - 1, from: 0 };
  };
  const longestFirst = [...new Set(series.map((one) => one.times))].sort((a, b) => b.length - a.length);
  for (const times of longestFirst) places.set(times, findPlace(times));
  return { columns, of: (times: Float64Array) => places.get(times)! };
}

function totalOf(series: BlockSeries): Readonly<Total> {
  if (series.kind === 'samples' && series.all !== undefined) return series.all;
  const all = emptyTotal();
  if (series.kind === 'summaries') for (const row of series.rows) mergeSummary(all, row);
  else addSamples(all, series.values, series.type, 0, series.values.length);
  return all;
}

/** By index: in code that runs seldom an iterator boxes each of the numbers. */
export function addSamples(into: Total, values: ArrayLike<number>, type: SeriesType, from: number, to: number): void {
  for (let at = from; at < to; at += 1) {
    const value = values[at]!;
    addToTotal(into, value, type === 'counter' && at > 0 ? growth(values[at - 1], value) : 0);
  }
}

function writeTotal(out: ByteWriter, series: BlockSeries): void {
  const all = totalOf(series);
  if (series.kind === 'samples') out.double((series.raw ?? series.values)[0]!);
  out.count(all.count);
  out.double(all.sum);
  out.double(all.min);
  out.double(all.max);
  out.double(all.last);
  if (series.type === 'counter') out.double(all.increase);
}

function readTotal(from: ByteReader, type: SeriesType): Total {
  return {
    count: from.count(),
    sum: from.double(),
    min: from.double(),
    max: from.double(),
    last: from.double(),
    increase: type === 'counter' ? from.double() : 0,
  };
}

const summaryColumns = ['count', 'sum', 'min', 'max', 'last'] as const;

function writeSummaries(out: ByteWriter, rows: readonly Summary[], type: SeriesType): void {
  for (const field of summaryColumns)
    writeColumn(
      out,
      rows.map((row) => row[field]),
    );
  if (type === 'counter')
    writeColumn(
      out,
      rows.map((row) => row.increase),
    );
  for (const { sketch } of rows) {
    out.count(sketch?.length ?? 0);
    if (sketch) out.raw(sketch);
  }
}

function readSummaries(from: ByteReader, n: number, type: SeriesType): Summary[] {
  const columns = summaryColumns.map(() => readColumn(from, n));
  const increase = type === 'counter' ? readColumn(from, n) : undefined;
  return Array.from({ length: n }, (_, i) => {
    const length = from.count();
    return {
      count: columns[0]![i]!,
      sum: columns[1]![i]!,
      min: columns[2]![i]!,
      max: columns[3]![i]!,
      last: columns[4]![i]!,
      increase: increase?.[i] ?? 0,
      sketch: length === 0 ? undefined : from.raw(length),
    };
  });
}

function sharedLength(a: string, b: string): number {
  let i = 0;
  while (i < a.length && i < b.length && a[i] === b[i]) i += 1;
  return i;
}
