import { mostBuckets } from '../intake/batch.ts';
import type { Counted, Intake, PointSeries, PointTime, PointValue } from '../intake/intake.ts';
import { LabelStep } from '../label-step.ts';
import type { Refusal } from '../recorder.ts';
import type {
  OtlpAttribute,
  OtlpExponentialPoint,
  OtlpHistogramPoint,
  OtlpMetric,
  OtlpNumber,
  OtlpNumberPoint,
  OtlpRequest,
  OtlpSummaryPoint,
} from './otlp-messages.ts';
import { addLabels, numberOf, textOf, translateName } from './otlp-names.ts';

export type OtlpOutcome = {
  readonly accepted: number;
  readonly rejected: number;
  /** The first few different reasons, in sentences. */
  readonly reasons: readonly string[];
};

type Timed = {
  readonly attributes?: readonly OtlpAttribute[] | undefined;
  readonly startTimeUnixNano?: OtlpNumber | undefined;
  readonly timeUnixNano?: OtlpNumber | undefined;
  readonly flags?: number | undefined;
};

const toldReasons = 10;
/** Of `flags`: the series has ended. */
const noRecordedValue = 1;

/**
 * Series by what was sent of them, so that what comes again and again is translated once. Two ways to write the same labels are two
 * entries for one series.
 */
export type KnownSeries = {
  /** Of a metric of one source, by the attributes of its points. */
  of(source: Readonly<Record<string, string>>, about: Omit<PointSeries, 'labels'>): LabelStep<PointSeries>;
  /** Counts one that was added; rather all are learnt anew than remembered without end. */
  added(): void;
};

const mostKnown = 100_000;
/** Also of those that were refused. */
const mostMetrics = 10_000;

export function createKnownSeries(): KnownSeries {
  const known = new Map<string, LabelStep<PointSeries>>();
  let count = 0;
  return {
    of(source, about) {
      const key = JSON.stringify([about.name, about.unit, source.job, source.instance]);
      const found = known.get(key);
      if (found !== undefined) return found;
      if (known.size >= mostMetrics) known.clear();
      const added = new LabelStep<PointSeries>();
      known.set(key, added);
      return added;
    },
    added() {
      count += 1;
      if (count < mostKnown) return;
      count = 0;
      known.clear();
    },
  };
}

const valueText = ({ value }: OtlpAttribute): string => (value === undefined || value === null ? '' : textOf(value));

/** What is known of a point's attributes; undefined when they come for the first time. */
function knownSeries(root: LabelStep<PointSeries>, attributes: readonly OtlpAttribute[] = []): PointSeries | undefined {
  let step: LabelStep<PointSeries> | undefined = root;
  for (let i = 0; i < attributes.length && step !== undefined; i += 1)
    step = step.find(attributes[i]!.key, valueText(attributes[i]!));
  return step?.held;
}

function remember(root: LabelStep<PointSeries>, attributes: readonly OtlpAttribute[] = [], series: PointSeries): void {
  let step = root;
  for (const one of attributes) step = step.add(one.key, valueText(one));
  step.held = series;
}

/** Hands every point of a request to the intake, each by itself: a bad one keeps no other out. */
export function takeOtlp(
  request: OtlpRequest,
  { intake, known, now }: { intake: Intake; known: KnownSeries; now: () => number },
): OtlpOutcome {
  let accepted = 0;
  let rejected = 0;
  const reasons = new Set<string>();
  const count = (name: string, refusal: Refusal | undefined): void => {
    if (refusal === undefined) {
      accepted += 1;
      return;
    }
    rejected += 1;
    if (reasons.size < toldReasons) reasons.add(`${name.slice(0, 100)}: ${refusal.detail}`);
  };
  for (const { resource, scopeMetrics } of request.resourceMetrics ?? []) {
    const source = sourceOf(resource?.attributes);
    for (const { metrics } of scopeMetrics ?? [])
      for (const metric of metrics ?? []) takeMetric(metric, { source, intake, known, now, count });
  }
  return { accepted, rejected, reasons: [...reasons] };
}

/** `job` and `instance`, as Prometheus calls who a series comes from. */
function sourceOf(attributes: readonly OtlpAttribute[] | undefined): Readonly<Record<string, string>> {
  const told: Record<string, string> = {};
  for (const { key, value } of attributes ?? [])
    if (value && (key === 'service.name' || key === 'service.namespace' || key === 'service.instance.id'))
      told[key] = textOf(value);
  const { 'service.name': name, 'service.namespace': space, 'service.instance.id': instance } = told;
  return {
    ...(name === undefined || name === '' ? {} : { job: space ? `${space}/${name}` : name }),
    ...(instance ? { instance } : {}),
  };
}

type Taking = {
  readonly source: Readonly<Record<string, string>>;
  readonly intake: Intake;
  readonly known: KnownSeries;
  now(): number;
  count(name: string, refusal: Refusal | undefined): void;
};

function takeMetric(metric: OtlpMetric, taking: Taking): void {
  const { sum, gauge, histogram, exponentialHistogram, summary } = metric;
  const given = metric.name ?? '';
  const isTotal = sum?.isMonotonic === true;
  const isLevel = gauge != null;
  const { name, unit } = translateName(given, metric.unit ?? '', isTotal, isLevel);
  const about = { name, unit, description: metric.description?.slice(0, 1_000) || undefined };
  const root = taking.known.of(taking.source, about);
  const each = <P extends Timed>(points: readonly P[] | undefined, read: (point: P) => PointValue | string): void => {
    for (const point of points ?? []) {
      const known = knownSeries(root, point.attributes);
      const series = known ?? seriesOf(about, point, taking.source);
      const time = timeOf(point, taking.now);
      if (((point.flags ?? 0) & noRecordedValue) !== 0) {
        taking.intake.end(series, time);
        taking.count(given, undefined);
        continue;
      }
      const value = read(point);
      const refusal =
        typeof value === 'string' ? taking.intake.refuse(name, value) : taking.intake.take(series, time, value);
      if (refusal === undefined && known === undefined) {
        remember(root, point.attributes, series);
        taking.known.added();
      }
      taking.count(given, refusal);
    }
  };
  if (gauge) each(gauge.dataPoints, (point) => ({ kind: 'level', value: numberIn(point) }));
  if (sum)
    each(sum.dataPoints, (point) => {
      const counted = countedOf(sum.aggregationTemporality);
      if (counted === undefined) return untold;
      if (isTotal) return { kind: 'amount', value: numberIn(point), counted };
      return { kind: counted === 'since-start' ? 'level' : 'level change', value: numberIn(point) };
    });
  if (histogram) {
    const counted = countedOf(histogram.aggregationTemporality);
    each(histogram.dataPoints, (point) => (counted === undefined ? untold : bucketsOf(point, counted)));
  }
  if (exponentialHistogram) {
    const counted = countedOf(exponentialHistogram.aggregationTemporality);
    each(exponentialHistogram.dataPoints, (point) => (counted === undefined ? untold : exponentialOf(point, counted)));
  }
  if (summary) for (const point of summary.dataPoints ?? []) takeSummary(about, point, given, taking);
}

const untold =
  'it does not say whether it counts since its start (2) or since the last point (1): aggregationTemporality';

function countedOf(temporality: number | undefined): Counted | undefined {
  if (temporality === 2) return 'since-start';
  return temporality === 1 ? 'since-last' : undefined;
}

function seriesOf(
  about: Omit<PointSeries, 'labels'>,
  point: Timed,
  source: Readonly<Record<string, string>>,
): PointSeries {
  const labels: Record<string, string> = { ...source };
  addLabels(labels, point.attributes);
  return { ...about, labels };
}

/** Nanoseconds, whose last digits a number does not hold, become the nearest milliseconds; a point without a time is of now. */
function timeOf(point: Timed, now: () => number): PointTime {
  const atMs = Math.round(numberOf(point.timeUnixNano) / 1e6);
  const startMs = Math.round(numberOf(point.startTimeUnixNano) / 1e6);
  return { atMs: atMs === 0 ? now() : atMs, startMs: startMs > 0 ? startMs : undefined };
}

/** Only own fields were sent: a message from the wire has zero for every other one. NaN: there is no value. */
function numberIn(point: OtlpNumberPoint): number {
  if (Object.hasOwn(point, 'asInt')) return numberOf(point.asInt);
  return Object.hasOwn(point, 'asDouble') ? numberOf(point.asDouble) : Number.NaN;
}

const optional = (value: OtlpNumber | null | undefined): number | undefined =>
  value === null || value === undefined ? undefined : numberOf(value);

/** NaN where the least or the greatest is not known, as some senders write it. */
const bound = (value: OtlpNumber | null | undefined): number | undefined => {
  const found = optional(value);
  return found === undefined || !Number.isFinite(found) ? undefined : found;
};

const isCount = (value: number): boolean => Number.isInteger(value) && value >= 0;

function bucketsOf(point: OtlpHistogramPoint, counted: Counted): PointValue | string {
  const count = numberOf(point.count);
  const told = point.bucketCounts ?? [];
  if (told.length > mostBuckets) return `a distribution has at most ${mostBuckets} buckets`;
  const bounds = (point.explicitBounds ?? []).map(numberOf);
  const counts = told.length === 0 ? [count] : told.map(numberOf);
  if (!isCount(count) || !counts.every(isCount)) return 'counts are whole numbers, not below zero';
  if (counts.length !== bounds.length + 1)
    return `${bounds.length} bounds have ${bounds.length + 1} buckets between them, not ${counts.length}`;
  if (!bounds.every((one, i) => Number.isFinite(one) && (i === 0 || one > bounds[i - 1]!)))
    return 'the bounds of buckets are finite and ascend';
  if (counts.reduce((sum, one) => sum + one, 0) !== count)
    return 'its buckets do not hold as many values as it counted';
  const sum = optional(point.sum);
  if (bounds.length === 0 && sum === undefined && count > 0) return 'it has neither buckets nor a sum';
  return { kind: 'buckets', counted, value: { counts, bounds, sum, min: bound(point.min), max: bound(point.max) } };
}

function exponentialOf(point: OtlpExponentialPoint, counted: Counted): PointValue | string {
  const scale = point.scale ?? 0;
  if (!Number.isInteger(scale) || scale < -10 || scale > 20) return 'a scale is a whole number from -10 to 20';
  const sides = [point.positive, point.negative].map((side) => ({
    offset: side?.offset ?? 0,
    counts: (side?.bucketCounts ?? []).map(numberOf),
  }));
  const [positive, negative] = sides as [(typeof sides)[0], (typeof sides)[0]]; // one each of two
  const zeroCount = numberOf(point.zeroCount);
  let count = zeroCount;
  for (const { offset, counts } of sides) {
    if (counts.length > mostBuckets) return `a distribution has at most ${mostBuckets} buckets to each side`;
    if (!counts.every(isCount)) return 'counts are whole numbers, not below zero';
    if (!Number.isInteger(offset) || (offset + counts.length) * 2 ** -scale > 1_023 || offset * 2 ** -scale < -1_074)
      return 'its buckets lie beyond all numbers';
    for (const one of counts) count += one;
  }
  if (!isCount(zeroCount) || count !== numberOf(point.count))
    return 'its buckets do not hold as many values as it counted';
  return {
    ...{ kind: 'exponential buckets', counted, sum: optional(point.sum) },
    ...{ min: bound(point.min), max: bound(point.max) },
    value: { scale, zeroCount, positive, negative },
  };
}

/** Percentiles that somebody else took cannot be put together: they stay levels, by `q`. Count and sum are totals. */
function takeSummary(
  about: Omit<PointSeries, 'labels'>,
  point: OtlpSummaryPoint,
  given: string,
  { source, intake, now, count }: Taking,
): void {
  const series = seriesOf(about, point, source);
  const time = timeOf(point, now);
  const { name, labels, description } = series;
  const total = (suffix: string, unit: string | undefined, value: number): Refusal | undefined =>
    intake.take({ name: `${name}${suffix}`, labels, unit, description }, time, {
      ...{ kind: 'amount', value, counted: 'since-start' },
    });
  if (((point.flags ?? 0) & noRecordedValue) !== 0) {
    for (const suffix of ['_count', '_sum']) intake.end({ ...series, name: `${name}${suffix}` }, time);
    count(given, undefined);
    return;
  }
  let refusal = total('_count', undefined, numberOf(point.count)) ?? total('_sum', about.unit, numberOf(point.sum));
  for (const { quantile, value } of point.quantileValues ?? []) {
    const level = numberOf(value);
    // So a summary says that it has seen nothing lately.
    if (Number.isNaN(level)) continue;
    const q = String(numberOf(quantile));
    refusal = intake.take({ ...series, labels: { ...labels, q } }, time, { kind: 'level', value: level }) ?? refusal;
  }
  count(given, refusal);
}
