import type { Labels, MetricAnswer, MetricRanking } from '../api/metric-wire.ts';

export type ChartSeries = {
  readonly name: string;
  readonly labels: Labels;
  readonly values: readonly (number | null)[];
  /** Of the whole range, by which series are put in order. */
  readonly rank: number;
  readonly latest: { readonly atMs: number; readonly value: number } | undefined;
  readonly least: number | undefined;
  readonly greatest: number | undefined;
};

export type Chart = {
  /** Where each window begins, epoch milliseconds. */
  readonly times: readonly number[];
  readonly series: readonly ChartSeries[];
  readonly total: number;
};

const keyOf = (labels: Labels): string => JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

/** The series of the ranking in its order, each with its course. One whose course did not come is left out of both. */
export function layChart(course: MetricAnswer, ranking: MetricRanking): Chart {
  const times = course.times.map((at) => Date.parse(at));
  const byLabels = new Map(course.series.map((one) => [keyOf(one.labels), one]));
  const drawn = ranking.items.flatMap(({ labels, value }) => {
    const found = byLabels.get(keyOf(labels));
    return found ? [{ ...found, rank: value }] : [];
  });
  const names = namesOf(drawn.map(({ labels }) => labels));
  return {
    times,
    total: ranking.total_series,
    series: drawn.map(({ labels, values, rank }, place) => {
      const known = values.filter((value) => value !== null);
      const last = values.findLastIndex((value) => value !== null);
      const [atMs, value] = [times[last], values[last]];
      return {
        name: names[place]!,
        labels,
        values,
        rank,
        latest: atMs === undefined || value === undefined || value === null ? undefined : { atMs, value },
        least: known.length === 0 ? undefined : Math.min(...known),
        greatest: known.length === 0 ? undefined : Math.max(...known),
      };
    }),
  };
}

/** By the labels that tell them apart: the one instance that recorded all of them says nothing. */
export function namesOf(series: readonly Labels[]): string[] {
  const instances = new Set(series.map((labels) => labels.instance));
  return series.map(
    (labels) =>
      Object.entries(labels)
        .filter(([label]) => label !== 'instance' || instances.size > 1)
        .map(([label, value]) => `${label}=${value}`)
        .join(' ') || 'all',
  );
}

/** Each label with its values, in order. */
export function labelValues(series: readonly { readonly labels: Labels }[]): Map<string, string[]> {
  const found = new Map<string, Set<string>>();
  for (const { labels } of series)
    for (const [label, value] of Object.entries(labels)) found.set(label, (found.get(label) ?? new Set()).add(value));
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([label, values]) => [label, [...values].sort()]));
}

/** Places of values between two gaps: no line shows them, so they get a dot. */
export const alone = (values: readonly (number | null | undefined)[]): number[] =>
  values.flatMap((value, at) =>
    value != null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null ? [at] : [],
  );
