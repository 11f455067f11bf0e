import { mostBuckets } from '../intake/batch.ts';
import type { Intake, PointSeries, PointTime, PointValue } from '../intake/intake.ts';
import type { Labels } from '../metric-definition.ts';
import type { Refusal } from '../recorder.ts';
import type { ScrapedFamily, ScrapedSample } from './exposition-parser.ts';

export type ScrapedTaking = {
  readonly intake: Intake;
  /** Of the endpoint: `job`, `instance` and what the settings add. */
  readonly labels: Labels;
  /** When it was read. */
  readonly atMs: number;
  keeps(name: string): boolean;
  refused(name: string, refusal: Refusal): void;
};

/** Hands each sample to the intake as what its family says it is. @returns how many were taken */
export function takeScraped(families: readonly ScrapedFamily[], taking: ScrapedTaking): number {
  let taken = 0;
  const hand = (series: PointSeries, time: PointTime, value: PointValue | string): void => {
    const refusal =
      typeof value === 'string' ? taking.intake.refuse(series.name, value) : taking.intake.take(series, time, value);
    if (refusal === undefined) taken += 1;
    else taking.refused(series.name, refusal);
  };
  for (const family of families) {
    const { type } = family;
    if (type === 'histogram') takeDistributions(family, taking, hand);
    else if (type === 'gaugehistogram') {
      if (taking.keeps(family.name))
        hand(
          seriesOf(family, family.name, {}, taking),
          { atMs: taking.atMs, startMs: undefined },
          'a distribution that shrinks has no place here',
        );
    } else takeNumbers(family, taking, hand);
  }
  return taken;
}

type Hand = (series: PointSeries, time: PointTime, value: PointValue | string) => void;

function seriesOf(
  family: ScrapedFamily,
  name: string,
  labels: Labels,
  taking: Pick<ScrapedTaking, 'labels'>,
): PointSeries {
  const all: Record<string, string> = { ...taking.labels };
  for (const [label, value] of Object.entries(labels)) {
    // What the endpoint calls so itself stands beside what names the endpoint.
    if (value !== '') all[label in taking.labels ? `exported_${label}` : label] = value;
  }
  return { name, labels: all, unit: family.unit || undefined, description: family.help.slice(0, 1_000) || undefined };
}

/** Instants at which totals began, by labels: `…_created` in OpenMetrics. */
function beginnings({ samples }: ScrapedFamily): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const { name, labels, value } of samples)
    if (name.endsWith('_created') && Number.isFinite(value)) found.set(keyOf(labels), Math.round(value * 1_000));
  return found;
}

const keyOf = (labels: Labels): string => JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
const without = (labels: Labels, name: string): Labels => {
  const { [name]: _, ...rest } = labels;
  return rest;
};

function takeNumbers(family: ScrapedFamily, taking: ScrapedTaking, hand: Hand): void {
  const { type } = family;
  const began = beginnings(family);
  for (const { name, labels, value, atMs = taking.atMs } of family.samples) {
    if (!taking.keeps(name)) continue;
    if (name.endsWith('_created') && name !== family.name) continue;
    const isTotal = type === 'counter' || (type === 'summary' && (name.endsWith('_sum') || name.endsWith('_count')));
    const time = { atMs, startMs: isTotal && began.size > 0 ? began.get(keyOf(labels)) : undefined };
    if (isTotal) {
      hand(seriesOf(family, name, labels, taking), time, { kind: 'amount', value, counted: 'since-start' });
      continue;
    }
    // So a level says that it has no value, as a percentile of nothing.
    if (Number.isNaN(value)) continue;
    const { quantile } = labels;
    // The name is kept for summaries; the percentile of one is a level like others.
    const own = quantile === undefined ? labels : { ...without(labels, 'quantile'), q: quantile };
    hand(seriesOf(family, name, own, taking), time, { kind: 'level', value });
  }
}

/** The samples of one series of a histogram, put together. */
function takeDistributions(family: ScrapedFamily, taking: ScrapedTaking, hand: Hand): void {
  if (!taking.keeps(family.name)) return;
  const began = beginnings(family);
  const parts = new Map<
    string,
    { labels: Labels; atMs: number | undefined; buckets: ScrapedSample[]; sum?: number; count?: number }
  >();
  for (const sample of family.samples) {
    const isBucket = sample.name.endsWith('_bucket');
    const labels = isBucket ? without(sample.labels, 'le') : sample.labels;
    const key = keyOf(labels);
    let part = parts.get(key);
    if (part === undefined) {
      part = { labels, atMs: sample.atMs, buckets: [] };
      parts.set(key, part);
    }
    if (isBucket) part.buckets.push(sample);
    else if (sample.name.endsWith('_sum')) part.sum = sample.value;
    else if (sample.name.endsWith('_count')) part.count = sample.value;
  }
  for (const [key, { labels, atMs = taking.atMs, buckets, sum, count }] of parts) {
    // Only when it was created stands there.
    if (buckets.length === 0 && count === undefined) continue;
    hand(
      seriesOf(family, family.name, labels, taking),
      { atMs, startMs: began.get(key) },
      bucketsOf(buckets, sum, count),
    );
  }
}

function bucketsOf(
  samples: readonly ScrapedSample[],
  sum: number | undefined,
  count: number | undefined,
): PointValue | string {
  if (samples.length > mostBuckets) return `a distribution has at most ${mostBuckets} buckets`;
  const sorted = samples
    .map(({ labels: { le = '' }, value }) => ({
      bound: /^\+?inf$/i.test(le) ? Infinity : le === '' ? Number.NaN : Number(le),
      value,
    }))
    .sort((a, b) => a.bound - b.bound);
  if (sorted.some(({ bound, value }) => Number.isNaN(bound) || !(value >= 0 && value < Infinity)))
    return 'a bucket has no bound, or no count';
  if (sorted.at(-1)?.bound !== Infinity) {
    if (count === undefined) return 'the bucket of all values is missing';
    sorted.push({ bound: Infinity, value: count });
  }
  const counts = sorted.map(({ value }, i) => value - (sorted[i - 1]?.value ?? 0));
  if (counts.some((one) => one < 0)) return 'its buckets hold less the farther they reach';
  const bounds = sorted.slice(0, -1).map(({ bound }) => bound);
  if (bounds.some((bound, i) => bound === bounds[i - 1])) return 'a bound stands there twice';
  if (bounds.length === 0 && sum === undefined) return 'it has neither buckets nor a sum';
  const known = sum === undefined || Number.isNaN(sum) ? undefined : sum;
  return { kind: 'buckets', counted: 'since-start', value: { counts, bounds, sum: known } };
}
