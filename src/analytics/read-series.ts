import type { Aggregation, MetricHistory } from '../metrics/index.ts';
import { catalogue, type DefinedMetric, groupOf, keyOf, type Labels, type Source, sourceOf } from './catalogue.ts';
import type { ResourceSeries } from './series.ts';

/** Of what a metric has one series per label set; more of one are not looked at. */
const mostOfOneMetric = 50;
export const minuteMs = 60_000;
const hourMs = 3_600_000;

export type WindowOfSeries = { readonly fromMs: number; readonly toMs: number; readonly stepMs: number };

/** Whole steps that are over; finer ones where less is known, so that there is something to say after some minutes. */
export function windowOf(nowMs: number, windowMs: number, beginMs: number | undefined): WindowOfSeries {
  const known = Math.min(windowMs, nowMs - (beginMs ?? nowMs));
  const stepMs = (known <= 6 * hourMs ? 1 : known <= 48 * hourMs ? 5 : 60) * minuteMs;
  const toMs = Math.floor(nowMs / stepMs) * stepMs - 1;
  const fromMs = Math.ceil((nowMs - Math.max(known, 10 * stepMs)) / stepMs) * stepMs;
  return { fromMs: Math.min(fromMs, toMs + 1 - stepMs), toMs, stepMs };
}

/** So much is asked of all metrics before the next: its blocks then lie at hand, and each is unpacked once. Longer than what is read in full. */
const sliceMs = 8 * hourMs;

/** The newest first: what is there now is chosen before what was. */
function* slicesOf({ fromMs, toMs, stepMs }: WindowOfSeries): Generator<WindowOfSeries> {
  const span = toMs + 1 - fromMs;
  const slices = Math.max(1, Math.floor(span / sliceMs));
  const eachMs = Math.ceil(span / slices / stepMs) * stepMs;
  for (let at = fromMs + (slices - 1) * eachMs; at >= fromMs; at -= eachMs)
    if (at <= toMs) yield { fromMs: at, toMs: Math.min(toMs, at + eachMs - 1), stepMs };
}

type Read = {
  readonly labels: Labels;
  readonly values: (number | null)[];
  readonly tops: (number | null)[] | null;
};

/**
 * Series over the window: those of the catalogue, then what applications recorded, up to the bound. What is beyond it is counted by its labels,
 * and its values are not read.
 * @param options.view of one slice: all of its questions see the same samples, which are put together once
 * @param options.others instances that share the state, which look at what is theirs alone by themselves
 */
export async function readSeries(options: {
  view(): Pick<MetricHistory, 'query'>;
  definitions: readonly DefinedMetric[];
  instance: string;
  others: readonly string[];
  window: WindowOfSeries;
  most: number;
  /** Between two metrics, so that others have their turn. */
  breathe(): Promise<void>;
}): Promise<{ readonly series: ResourceSeries[]; readonly leftOut: number }> {
  const { instance, window, breathe } = options;
  const sources = [...catalogue, ...options.definitions.flatMap((one) => sourceOf(one) ?? [])];
  const choice = createChoice(sources, options);
  const { stepMs } = window;
  const steps = Math.round((window.toMs + 1 - window.fromMs) / stepMs);
  for (const [age, slice] of [...slicesOf(window)].entries()) {
    const view = options.view();
    const range = { fromMs: slice.fromMs, toMs: slice.toMs, stepMs };
    const first = Math.round((slice.fromMs - window.fromMs) / stepMs);
    if (age === 0)
      for (const [at, source] of sources.entries()) {
        await breathe();
        const present: Labels[] = [];
        const where = (labels: Labels): boolean => {
          if (choice.isOurs(at, labels)) present.push(labels);
          return false;
        };
        await view.query({ name: source.metric, ...range, where, aggregation: meanOf(source) });
        choice.choose(at, present);
      }
    for (const [at, source] of sources.entries()) {
      if (!choice.mayHave(at)) continue;
      await breathe();
      const asked = { name: source.metric, groupBy: groupOf(source), ...range };
      const where = (labels: Labels): boolean => choice.isOurs(at, labels) && choice.choose(at, [labels]);
      const fill = (of: 'values' | 'tops', found: Awaited<ReturnType<typeof view.query>>): void => {
        for (const { labels, values } of found.series) {
          const one = choice.readOf(at, labels, steps);
          for (const [i, value] of values.entries()) (one[of] ?? [])[first + i] = value;
        }
      };
      const means = await view.query({ ...asked, where, aggregation: meanOf(source) });
      fill('values', means);
      if (source.type === 'gauge' && means.series.length > 0)
        fill('tops', await view.query({ ...asked, where, aggregation: 'max' }));
    }
  }
  const times = Array.from({ length: steps }, (_, i) => window.fromMs + i * stepMs);
  return {
    series: sources.flatMap((source, at) =>
      choice.found(at).map((one) => seriesFrom(source, one, times, stepMs, instance)),
    ),
    leftOut: choice.leftOut(),
  };
}

const meanOf = ({ type }: Source): Aggregation => (type === 'counter' ? 'increase' : 'average');

/** Which series are read: of each metric the first by their labels, of all so many. Nothing that was chosen is given up for another. */
function createChoice(
  sources: readonly Source[],
  { instance, others, most }: { instance: string; others: readonly string[]; most: number },
) {
  const chosen = sources.map(() => new Map<string, Read | undefined>());
  const leftOut = sources.map(() => new Set<string>());
  const elsewhere = new Set(others);
  let room = most;
  const of = <T>(list: readonly T[], at: number): T => list[at] as T; // made above, one for each
  const nameOf = (at: number, labels: Labels): string => {
    const by = groupOf(of(sources, at));
    const own = Object.entries(labels).filter(([name]) => by === undefined || by.includes(name));
    return JSON.stringify(own.sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  return {
    isOurs(at: number, labels: Labels): boolean {
      const source = of(sources, at);
      if (source.where?.(labels) === false) return false;
      if (source.isShared) return true;
      const { instance: told = instance } = labels;
      // What an application calls its own instance is of that one, wherever it came in.
      return told === instance || (groupOf(source) === undefined && !elsewhere.has(told));
    },
    /** @returns whether the last of these is chosen, now or before */
    choose(at: number, labels: readonly Labels[]): boolean {
      const [mine, beyond] = [of(chosen, at), of(leftOut, at)];
      const names = [...new Set(labels.map((one) => nameOf(at, one)))].sort();
      for (const name of names) {
        if (mine.has(name)) continue;
        if (room > 0 && mine.size < mostOfOneMetric) {
          mine.set(name, undefined);
          beyond.delete(name);
          room -= 1;
        } else beyond.add(name);
      }
      return mine.has(names.at(-1) ?? '');
    },
    mayHave: (at: number): boolean => of(chosen, at).size > 0 || room > 0,
    readOf(at: number, labels: Labels, steps: number): Read {
      const name = nameOf(at, labels);
      const empty = () => new Array<number | null>(steps).fill(null);
      const one = of(chosen, at).get(name) ?? {
        ...{ labels, values: empty(), tops: of(sources, at).type === 'gauge' ? empty() : null },
      };
      of(chosen, at).set(name, one);
      return one;
    },
    /** In the order of their labels. */
    found: (at: number): Read[] =>
      [...of(chosen, at)].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, one]) => (one ? [one] : [])),
    leftOut: (): number => leftOut.reduce((sum, { size }) => sum + size, 0),
  };
}

function seriesFrom(
  source: Source,
  { labels, values, tops }: Read,
  times: number[],
  stepMs: number,
  instance: string,
): ResourceSeries {
  const { kind, unit, metric, capacity = null, mayBeSpare = false } = source;
  const isOfApplication = groupOf(source) === undefined;
  const resourceType = typeof source.resourceType === 'string' ? source.resourceType : source.resourceType(labels);
  const subject = source.subject?.(labels);
  const typed = subject ? `${resourceType}:${subject}` : resourceType;
  const known = tops?.filter((top) => top !== null) ?? [];
  return {
    key: isOfApplication ? keyOf(metric, labels, instance) : typed,
    ...{ resourceType, metric, unit, kind, capacity, mayBeSpare, stepMs, times, tops },
    highest: known.length === 0 ? null : known.reduce((a, b) => Math.max(a, b)),
    family: source.family ?? (kind === 'flow' ? resourceType : typed),
    isShared: source.isShared ?? (isOfApplication && labels.instance !== undefined && labels.instance !== instance),
    values: kind === 'flow' ? paceOf(values, hourMs / stepMs) : values,
  };
}

/** In units per hour. The first step after a gap has what passed in all of the gap, so it says nothing of its own time. */
const paceOf = (values: readonly (number | null)[], perHour: number): (number | null)[] =>
  values.map((value, i) => (value === null || values[i - 1] === null ? null : value * perHour));
