import { AppError } from '../platform/errors.ts';
import type { BlockEntry, BlockSeries, SeriesType } from './block.ts';
import type { FoundBlock } from './block-reader.ts';
import { Bucket, percentiles } from './bucket.ts';
import type { Aggregation, Labels } from './metric-definition.ts';
import { growth, lookbackMs } from './summary.ts';
import { rollupTiers } from './tiers.ts';

export type SeriesTier = 'raw' | '5m' | '1h';

export type QueryRequest = {
  readonly name: string;
  /** Labels that a series must have; `instance` is one of them. */
  readonly match?: Labels | undefined;
  /** What else its labels must meet, `instance` among them. */
  readonly where?: ((labels: Labels) => boolean) | undefined;
  /** One answer per combination of these labels; undefined keeps every series apart. */
  readonly groupBy?: readonly string[] | undefined;
  readonly aggregation: Aggregation;
  /** Both ends included. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Undefined: the whole range is one window. */
  readonly stepMs?: number | undefined;
  /** Series of the answer. */
  readonly limit?: number | undefined;
};

export type QuerySource = { readonly tier: SeriesTier; readonly fromMs: number; readonly toMs: number };

export type QueryAnswer = {
  readonly type: SeriesType | undefined;
  /** Begin of each window; windows with a step begin at whole multiples of it. */
  readonly times: readonly number[];
  readonly stepMs: number;
  /** Which stretch came from which tier, in the order of time. */
  readonly sources: readonly QuerySource[];
  /** Null where nothing was recorded: a gap stays a gap. */
  readonly series: readonly { readonly labels: Labels; readonly values: readonly (number | null)[] }[];
  /** How many series there are in all. */
  readonly total: number;
  /** Percentiles that were read from counts in buckets, and are within 0.8 %. */
  readonly approximate: boolean;
};

/** Where the blocks of a tier come from, in the order of time within one instance. */
export type QueryBlocks = {
  read(tier: SeriesTier, fromMs: number, toMs: number): AsyncIterable<FoundBlock>;
  extent(tier: SeriesTier): Promise<Extent>;
};
type Extent = { readonly firstMs: number; readonly lastMs: number } | undefined;

const mostWindows = 11_000;
/** Below this every sample is read, and percentiles are exact. */
const readInFullMs = 6 * 3_600_000;
const tiersFineFirst: readonly SeriesTier[] = ['raw', ...rollupTiers.map(({ name }) => name)];
const windowOf = (tier: SeriesTier): number => rollupTiers.find(({ name }) => name === tier)?.windowMs ?? 1;

type Group = { readonly labels: Labels; readonly buckets: (Bucket | undefined)[] };

/**
 * Aggregates the series of a name. What several series or instants of a window have counts together: `average` is over all
 * samples, `sum` of a counter is what it grew by, `rate` is that per second.
 * @throws AppError `request/invalid` for more windows than 11,000, percentiles of a counter, the rate of a gauge
 */
export async function runQuery(blocks: QueryBlocks, request: QueryRequest): Promise<QueryAnswer> {
  const { name, match, aggregation, fromMs, toMs } = request;
  const stepMs = request.stepMs ?? Math.max(1, toMs - fromMs + 1);
  const originMs = request.stepMs === undefined ? fromMs : Math.floor(fromMs / stepMs) * stepMs;
  const windows = Math.floor((toMs - originMs) / stepMs) + 1;
  if (!(toMs >= fromMs)) throw invalid('to', 'The range ends before it begins.');
  if (windows > mostWindows)
    throw invalid(
      'step_seconds',
      `The range has ${windows} windows of ${stepMs / 1_000} s; at most ${mostWindows} can be asked for. Ask for a longer step.`,
    );
  const percentile = percentiles[aggregation];
  const sources = await planSources(blocks, { originMs, fromMs, toMs, stepMs: request.stepMs });
  const groups = new Map<string, Group>();
  const before = new Map<string, number>();
  let type: SeriesType | undefined;
  let approximate = false;

  /** Of a series, by instance and labels; undefined: not asked for. */
  const groupOfSeries = new Map<string, Group | undefined>();
  const groupOf = (seriesKey: string, labels: Labels, instance: string): Group | undefined => {
    if (groupOfSeries.has(seriesKey)) return groupOfSeries.get(seriesKey);
    const all: Labels = labels.instance === undefined ? { ...labels, instance } : labels;
    if (request.where?.(all) === false) {
      groupOfSeries.set(seriesKey, undefined);
      return undefined;
    }
    const own = request.groupBy === undefined ? all : pick(all, request.groupBy);
    const key = textOf(own);
    const group = groups.get(key) ?? { labels: own, buckets: [] };
    groups.set(key, group);
    groupOfSeries.set(seriesKey, group);
    return group;
  };
  const bucketAt = (group: Group, at: number): Bucket => {
    const index = Math.floor((at - originMs) / stepMs);
    group.buckets[index] ??= new Bucket(percentile !== undefined);
    return group.buckets[index];
  };
  const indexOf = (at: number): number => Math.floor((at - originMs) / stepMs);

  for (const source of sources) {
    const back = source.tier === 'raw' ? lookbackMs : 0;
    for await (const { instance, block } of blocks.read(source.tier, source.fromMs - back, source.toMs)) {
      let series: readonly BlockSeries[] | undefined;
      for (const at of placesOf(block.entries, name)) {
        const entry = block.entries[at]!;
        if (!holds(entry.labels, match, instance)) continue;
        type ??= entry.type;
        requireMeaning(name, entry.type, aggregation);
        if (entry.lastMs < source.fromMs - back) continue;
        const key = `${instance} ${textOf(entry.labels)}`;
        const group = groupOf(key, entry.labels, instance);
        if (group === undefined) continue;
        // A block within one window is added up unread, unless its single values matter.
        if (
          percentile === undefined &&
          entry.firstMs >= source.fromMs &&
          entry.lastMs <= source.toMs &&
          indexOf(entry.firstMs) === indexOf(entry.lastMs)
        ) {
          addWhole(bucketAt(group, entry.firstMs), entry, before, key);
          continue;
        }
        series ??= await block.series();
        const one = series[at];
        // Columns that could not be read.
        if (one === undefined) continue;
        if (one.kind === 'samples') {
          let last = before.get(key);
          for (let i = 0; i < one.times.length; i += 1) {
            const time = one.times[i]!;
            if (time > source.toMs) break;
            const value = one.values[i]!;
            if (Number.isNaN(value)) continue;
            const grown = one.type === 'counter' ? growth(last, value) : 0;
            last = value;
            if (time >= source.fromMs) bucketAt(group, time).add(time, value, grown);
          }
          if (last !== undefined) before.set(key, last);
        } else
          for (let i = 0; i < one.times.length; i += 1) {
            const time = one.times[i]!;
            if (time < source.fromMs || time > source.toMs) continue;
            const row = one.rows[i]!;
            bucketAt(group, time).merge(time, row);
            if (percentile !== undefined) approximate = true;
            if (one.type === 'counter') before.set(key, row.last);
          }
      }
    }
  }
  const found = [...groups.values()].filter(({ buckets }) => buckets.length > 0);
  const secondsOf = (index: number): number => {
    const begin = Math.max(originMs + index * stepMs, fromMs);
    return (Math.min(originMs + (index + 1) * stepMs, toMs + 1) - begin) / 1_000;
  };
  return {
    type,
    stepMs,
    times: Array.from({ length: windows }, (_, i) => originMs + i * stepMs),
    sources,
    approximate,
    total: found.length,
    series: found
      .sort((a, b) => (textOf(a.labels) < textOf(b.labels) ? -1 : 1))
      .slice(0, request.limit ?? Infinity)
      .map(({ labels, buckets }) => ({
        labels,
        values: Array.from({ length: windows }, (_, i) => buckets[i]?.value(aggregation, type, secondsOf(i)) ?? null),
      })),
  };
}

/** Where in a block the series of a name stand; found once, since many questions are asked of the same block. */
function placesOf(entries: readonly BlockEntry[], name: string): readonly number[] {
  let places = placesByName.get(entries);
  if (places === undefined) {
    places = new Map();
    for (const [at, entry] of entries.entries()) {
      const known = places.get(entry.name);
      if (known === undefined) places.set(entry.name, [at]);
      else known.push(at);
    }
    placesByName.set(entries, places);
  }
  return places.get(name) ?? [];
}
const placesByName = new WeakMap<readonly BlockEntry[], Map<string, number[]>>();

/** @param at the field of the request, as the API has it */
const invalid = (at: string, message: string): AppError =>
  new AppError('request/invalid', message, { violations: [{ at, message }] });

function requireMeaning(name: string, type: SeriesType, aggregation: Aggregation): void {
  if (type === 'counter' && percentiles[aggregation] !== undefined)
    throw invalid('aggregation', `${name} is a counter, which has no percentiles. Ask for its rate.`);
  if ((type === 'gauge' || type === 'unknown') && (aggregation === 'rate' || aggregation === 'increase'))
    throw invalid('aggregation', `${name} is a ${type}, which has no ${aggregation}. Ask for its average.`);
}

function addWhole(bucket: Bucket, entry: BlockEntry, before: Map<string, number>, key: string): void {
  const { all } = entry;
  if (all.count === 0) return;
  const joined = entry.kind === 'samples' && entry.type === 'counter' ? growth(before.get(key), entry.first) : 0;
  bucket.merge(entry.lastMs, joined === 0 ? all : { ...all, increase: all.increase + joined });
  if (entry.type === 'counter') before.set(key, all.last);
}

/**
 * Short ranges are read in full. Longer ones come from the coarsest tier whose windows fit into the step; what that tier does not
 * have yet comes from finer ones, and what finer ones have no longer from coarser ones.
 */
async function planSources(
  blocks: QueryBlocks,
  range: { originMs: number; fromMs: number; toMs: number; stepMs: number | undefined },
): Promise<readonly QuerySource[]> {
  const { fromMs, toMs, stepMs } = range;
  const fits = (tier: SeriesTier): boolean => tier === 'raw' || stepMs === undefined || stepMs % windowOf(tier) === 0;
  const preferred = toMs - fromMs <= readInFullMs ? 'raw' : (tiersFineFirst.findLast((tier) => fits(tier)) ?? 'raw');
  // Asked for only where it decides something: a short range that the finest tier holds needs no other.
  const known = new Map<SeriesTier, Promise<Extent>>();
  const extentOf = (tier: SeriesTier): Promise<Extent> => {
    const found = known.get(tier) ?? blocks.extent(tier);
    known.set(tier, found);
    return found;
  };
  const at = tiersFineFirst.indexOf(preferred);
  const sources: QuerySource[] = [];
  // From the preferred tier to finer ones, each takes up where the coarser one ends.
  let begin = await coarserHead(extentOf, at, fromMs, toMs, sources);
  for (let i = at; i >= 0 && begin <= toMs; i -= 1) {
    const tier = tiersFineFirst[i]!;
    if (i === 0) {
      sources.push({ tier, fromMs: begin, toMs });
      break;
    }
    const extent = await extentOf(tier);
    if (extent === undefined || extent.lastMs < begin) continue;
    // A window counts where it begins, so a range that begins within one leaves that one to the finer tier.
    const windowMs = windowOf(tier);
    const first = Math.ceil(begin / windowMs) * windowMs;
    const end = Math.min(
      Math.floor((toMs + 1) / windowMs) * windowMs,
      Math.floor((extent.lastMs + 1) / windowMs) * windowMs,
    );
    if (end <= first) continue;
    if (first > begin) sources.push({ tier: tiersFineFirst[0]!, fromMs: begin, toMs: first - 1 });
    sources.push({ tier, fromMs: first, toMs: end - 1 });
    begin = end;
  }
  return sources.filter((source) => source.toMs >= source.fromMs);
}

/** What is older than the preferred tier reaches, from coarser ones. @returns where the preferred tier takes up */
async function coarserHead(
  extentOf: (tier: SeriesTier) => Promise<Extent>,
  at: number,
  fromMs: number,
  toMs: number,
  sources: QuerySource[],
): Promise<number> {
  const own = await extentOf(tiersFineFirst[at]!);
  if (own !== undefined && own.firstMs <= fromMs) return fromMs;
  const coarser = tiersFineFirst[at + 1];
  if (coarser === undefined) return fromMs;
  const theirs = await extentOf(coarser);
  const startMs = own?.firstMs ?? toMs + 1;
  const windowMs = windowOf(coarser);
  // Its first window begins a little before the first sample of which it was made.
  if (theirs === undefined || theirs.firstMs > startMs - windowMs) return fromMs;
  // The window in which the finer tier begins was made when that one still had all of it.
  const end = Math.min(
    Math.ceil(startMs / windowMs) * windowMs,
    Math.floor(theirs.lastMs / windowMs + 1) * windowMs,
    toMs + 1,
  );
  if (end <= fromMs) return fromMs;
  const begin = await coarserHead(extentOf, at + 1, fromMs, end - 1, sources);
  sources.push({ tier: coarser, fromMs: begin, toMs: end - 1 });
  return end;
}

/** Labels in their order as text; told apart by it, whatever order they were written in. Kept as long as the labels are. */
const texts = new WeakMap<Labels, string>();
function textOf(labels: Labels): string {
  let text = texts.get(labels);
  if (text === undefined) {
    text = JSON.stringify(Object.entries(labels).sort((a, b) => (a[0] < b[0] ? -1 : 1)));
    texts.set(labels, text);
  }
  return text;
}

const pick = (labels: Labels, names: readonly string[]): Labels =>
  Object.fromEntries(names.flatMap((name) => (labels[name] === undefined ? [] : [[name, labels[name]]])));

function holds(labels: Labels, wanted: Labels | undefined, instance: string): boolean {
  for (const name in wanted) {
    const own = labels[name] ?? (name === 'instance' ? instance : undefined);
    if ((own ?? '') !== wanted[name]) return false;
  }
  return true;
}
