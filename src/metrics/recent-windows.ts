import { measureTotal, percentiles } from './bucket.ts';
import type { CurrentSeries } from './current-values.ts';
import type { Column } from './growing-samples.ts';
import type { Aggregation, Labels } from './metric-definition.ts';
import type { OpenBlock } from './open-block.ts';
import { emptyTotal, growth, lookbackMs, type Total } from './summary.ts';

/** The block that is being filled with what is looked up. */
export type RecentBlock = {
  readonly block: Pick<OpenBlock, 'times' | 'columnsOf'>;
  /** The latest sample of this stream that is in another block; undefined while that is not known. */
  readonly othersUntilMs: number | undefined;
};

export type WindowRequest = {
  readonly name: string;
  /** Whether labels, `instance` among them, are those of a wanted series. */
  readonly wants: (labels: Labels) => boolean;
  /** One label of which `wants` takes only these values: among a thousand series these are found at once. */
  readonly near?: { readonly label: string; readonly values: readonly string[] } | undefined;
  readonly aggregation: Aggregation;
};

/**
 * Windows that end now and lie in the block that is being filled: their samples are in memory, in order, one array per series, and
 * are added up where they lie, a few dozen numbers each. Nothing is kept between two readings that a late sample, a restart or a
 * counter that begins anew could make wrong, and the answer is the very one of `runQuery`.
 */
export type RecentWindows = { choose(request: WindowRequest): RecentWindow };
export type RecentWindow = {
  /**
   * Undefined where more than this block has to be asked: for what lies further back, where several series have the same labels, and
   * for what cannot be told from a total. The array is the caller's until the next read.
   */
  read(fromMs: number, toMs: number): readonly CurrentSeries[] | undefined;
};

type Placed = { readonly column: Column; readonly series: CurrentSeries };

export function createRecentWindows(options: { instance: string; find(): RecentBlock | undefined }): RecentWindows {
  const { instance, find } = options;
  /** Made once for all who choose among the same series of a block. */
  const placesOf = new WeakMap<readonly Column[], Places>();
  /** Most rules ask for the window of the rule before them. */
  let asked = { times: noTimes, count: 0, fromMs: 0, toMs: 0, from: 0, to: 0 };
  const rowsOf = (times: readonly number[], fromMs: number, toMs: number): { from: number; to: number } => {
    const { length: count } = times;
    if (asked.times !== times || asked.count !== count || asked.fromMs !== fromMs || asked.toMs !== toMs) {
      const [from, to] = [firstAtOrAfter(times, fromMs), firstAtOrAfter(times, toMs + 1)];
      asked = { times, count, fromMs, toMs, from, to };
    }
    return asked;
  };
  return {
    choose({ name, wants, near, aggregation }) {
      const wantsExtremes = aggregation === 'min' || aggregation === 'max';
      let columns: readonly Column[] | undefined;
      let ofBlock: RecentBlock['block'] | undefined;
      let count = 0;
      let chosen: readonly Placed[] | undefined;
      const answer: CurrentSeries[] = [];
      const choose = (all: readonly Column[]): void => {
        columns = all;
        count = all.length;
        let places = placesOf.get(all);
        if (places?.columns !== count) {
          places = createPlaces(all, instance);
          placesOf.set(all, places);
        }
        const own = places.near(near).filter(({ series }) => wants(series.labels));
        chosen =
          own.every(({ column }) => tells(column, aggregation)) && areDistinct(own)
            ? own.map(({ column, series: { labels } }) => ({ column, series: { labels, value: Number.NaN } }))
            : undefined;
      };
      return {
        read(fromMs, toMs) {
          const { block, othersUntilMs = Number.POSITIVE_INFINITY } = find() ?? {};
          if (block === undefined || fromMs <= othersUntilMs) return undefined;
          // One block has the same array for a name, once there is something of it.
          const all = block === ofBlock && columns !== undefined ? columns : block.columnsOf(name);
          if (all.length === 0) return undefined;
          if (all !== columns || all.length !== count) choose(all);
          ofBlock = block;
          if (chosen === undefined) return undefined;
          const { from, to } = rowsOf(block.times, fromMs, toMs);
          const seconds = (toMs - fromMs + 1) / 1_000;
          const wanted = { goesOnAlone: fromMs - lookbackMs > othersUntilMs, wantsExtremes };
          let found = 0;
          for (const { column, series } of chosen) {
            const total = totalOf(column, from, to, wanted);
            if (total === undefined) return undefined;
            if (total.count === 0) continue;
            series.value = measureTotal(total, aggregation, column.type, seconds) ?? Number.NaN;
            answer[found] = series;
            found += 1;
          }
          // Setting a length is dear, and seldom changes it.
          if (answer.length !== found) answer.length = found;
          return answer;
        },
      };
    },
  };
}

/** What makes no sense of a series is left to the question, which says so. */
const tells = ({ type }: Column, aggregation: Aggregation): boolean =>
  percentiles[aggregation] === undefined &&
  (type === 'counter' || (aggregation !== 'rate' && aggregation !== 'increase'));

/** A series that ended and began anew has two columns, which only a question puts together. */
const areDistinct = (placed: readonly Placed[]): boolean =>
  placed.length < 2 || new Set(placed.map(({ column }) => column.text)).size === placed.length;

type Places = { readonly columns: number; near(near: WindowRequest['near']): readonly Placed[] };

function createPlaces(columns: readonly Column[], instance: string): Places {
  const all = columns.map((column): Placed => {
    const { labels } = column;
    return {
      column,
      series: { labels: labels.instance === undefined ? { ...labels, instance } : labels, value: Number.NaN },
    };
  });
  const byLabel = new Map<string, Map<string, Placed[]>>();
  return {
    columns: columns.length,
    near(near) {
      if (near === undefined) return all;
      const known = byLabel.get(near.label) ?? Map.groupBy(all, ({ series: { labels } }) => labels[near.label] ?? '');
      byLabel.set(near.label, known);
      return [...new Set(near.values)].flatMap((value) => known.get(value) ?? []);
    },
  };
}

const noTimes: readonly number[] = [];

/** Overwritten by the next one. */
const total: Total = emptyTotal();

/**
 * Of its samples in the rows from `from` to before `to`, in the order in which a question adds them up.
 * @param wanted.goesOnAlone no other block has what a counter went on from
 * @param wanted.wantsExtremes the least and the greatest too, which are those of another window otherwise
 * @returns undefined: what a counter went on from may lie in another block
 */
function totalOf(
  column: Column,
  from: number,
  to: number,
  { goesOnAlone, wantsExtremes }: { readonly goesOnAlone: boolean; readonly wantsExtremes: boolean },
): Readonly<Total> | undefined {
  const { values, rows, first } = column;
  const begin = rows === undefined ? Math.max(0, from - first) : firstAtOrAfter(rows, from);
  const end = rows === undefined ? Math.min(values.length, Math.max(0, to - first)) : firstAtOrAfter(rows, to);
  const isCounter = column.type === 'counter';
  let before: number | undefined;
  if (isCounter) {
    for (let at = begin - 1; at >= 0 && before === undefined; at -= 1)
      if (!Number.isNaN(values[at]!)) before = values[at];
    if (before === undefined && begin < end && !goesOnAlone) return undefined;
  }
  // In variables: numbers in an object are written to memory with each sample.
  let count = 0;
  let sum = 0;
  let increase = 0;
  let last = before;
  for (let at = begin; at < end; at += 1) {
    const value = values[at]!;
    if (Number.isNaN(value)) continue;
    count += 1;
    sum += value;
    if (isCounter) increase += growth(last, value);
    last = value;
  }
  total.count = count;
  total.sum = sum;
  total.last = last ?? Number.NaN;
  total.increase = increase;
  if (wantsExtremes) addExtremes(values, begin, end);
  return total;
}

/** In a walk of its own, which most do not ask for: with it the sum alone takes half as long again. */
function addExtremes(values: readonly number[], begin: number, end: number): void {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let at = begin; at < end; at += 1) {
    const value = values[at]!;
    // Neither holds of what is no number.
    if (value < min) min = value;
    if (value > max) max = value;
  }
  total.min = min;
  total.max = max;
}

/** Where in ascending numbers the first one stands that is not less; their length when none is. */
function firstAtOrAfter(ascending: readonly number[], least: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
