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
  of(source: Readonly<Record<string, string>>, about: AboutMetric): KnownPoints;
  /**
   * Counts one that was added; rather all are learnt anew than remembered without end.
   * @param bytes how long its attributes are
   */
  added(bytes: number): void;
};

export type AboutMetric = Omit<PointSeries, 'labels'>;
/** Of a metric of one source. */
export type KnownPoints = {
  /** By the attributes of the points. */
  readonly steps: LabelStep<PointSeries>;
  /** By the bytes of the attributes, each as a character. */
  readonly byBytes: Map<string, PointSeries>;
};

const mostKnown = 100_000;
const mostKnownBytes = 32 * 1024 * 1024;
/** Also of those that were refused. */
const mostMetrics = 10_000;
/** A metric whose name and source are longer together is looked at anew each time. */
const longestKey = 4_096;

export function createKnownSeries(): KnownSeries {
  const known = new Map<string, KnownPoints>();
  let count = 0;
  let size = 0;
  const forget = (): void => {
    count = 0;
    size = 0;
    known.clear();
  };
  return {
    of(source, about) {
      const key = JSON.stringify([about.name, about.unit, source.job, source.instance]);
      const found = known.get(key);
      if (found !== undefined) return found;
      const added: KnownPoints = { steps: new LabelStep<PointSeries>(), byBytes: new Map() };
      if (key.length > longestKey) return added;
      if (known.size >= mostMetrics || size + key.length >= mostKnownBytes) forget();
      size += key.length;
      known.set(key, added);
      return added;
    },
    added(bytes) {
      count += 1;
      size += bytes;
      if (count >= mostKnown || size >= mostKnownBytes) forget();
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

/** @returns how long the attributes are */
function remember(
  root: LabelStep<PointSeries>,
  attributes: readonly OtlpAttribute[] = [],
  series: PointSeries,
): number {
  let step = root;
  let length = 0;
  for (const one of attributes) {
    const text = valueText(one);
    step = step.add(one.key, text);
    length += one.key.length + text.length;
  }
  step.held = series;
  return length;
}

/** Hands every point of a request to the intake, each by itself: a bad one keeps no other out. */
export function takeOtlp(request: OtlpRequest, taking: Common): void {
  for (const one of request.resourceMetrics ?? []) takeResource(one, taking);
}

/** What comes of a request is counted while it is taken. */
export function createOutcome(): { count: Taking['count']; outcome(): OtlpOutcome } {
  let accepted = 0;
  let rejected = 0;
  const reasons = new Set<string>();
  return {
    count(name, refusal) {
      if (refusal === undefined) {
        accepted += 1;
        return;
      }
      rejected += 1;
      if (reasons.size < toldReasons) reasons.add(`${name.slice(0, 100)}: ${refusal.detail}`);
    },
    outcome: () => ({ accepted, rejected, reasons: [...reasons] }),
  };
}

export function takeResource(
  { resource, scopeMetrics }: NonNullable<OtlpRequest['resourceMetrics']>[number],
  common: Common,
): void {
  const taking = { ...common, source: sourceOf(resource?.attributes) };
  for (const { metrics } of scopeMetrics ?? []) for (const metric of metrics ?? []) takeMetric(metric, taking);
}

/** `job` and `instance`, as Prometheus calls who a series comes from. */
export function sourceOf(attributes: readonly OtlpAttribute[] | undefined): Readonly<Record<string, string>> {
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

export type Taking = {
  readonly source: Readonly<Record<string, string>>;
  readonly intake: Intake;
  readonly known: KnownSeries;
  now(): number;
  count(name: string, refusal: Refusal | undefined): void;
};
type Common = Omit<Taking, 'source'>;

/** A metric as it was called, and as it is called here. */
export type MetricAtHand = { readonly given: string; readonly about: AboutMetric; readonly known: KnownPoints };

export function metricAtHand(
  { name: given = '', unit = '', description }: Pick<OtlpMetric, 'name' | 'unit' | 'description'>,
  isTotal: boolean,
  isLevel: boolean,
  taking: Taking,
): MetricAtHand {
  const about = {
    ...translateName(given, unit, isTotal, isLevel),
    description: description?.slice(0, 1_000) || undefined,
  };
  return { given, about, known: taking.known.of(taking.source, about) };
}

/** @returns whether something new was learnt of the series */
export function takePoint(
  { given, about }: MetricAtHand,
  series: PointSeries,
  time: PointTime,
  flags: number,
  value: PointValue | string,
  { intake, count }: Taking,
): boolean {
  if ((flags & noRecordedValue) !== 0) {
    intake.end(series, time);
    count(given, undefined);
    return false;
  }
  const refusal = typeof value === 'string' ? intake.refuse(about.name, value) : intake.take(series, time, value);
  count(given, refusal);
  return refusal === undefined;
}

export const levelValue = (value: number): PointValue => ({ kind: 'level', value });

/** What the points of a sum say. */
export function sumValue({
  aggregationTemporality,
  isMonotonic,
}: Pick<NonNullable<OtlpMetric['sum']>, 'aggregationTemporality' | 'isMonotonic'>): (
  value: number,
) => PointValue | string {
  const counted = countedOf(aggregationTemporality);
  if (counted === undefined) return () => untold;
  if (isMonotonic === true) return (value) => ({ kind: 'amount', value, counted });
  const kind = counted === 'since-start' ? 'level' : 'level change';
  return (value) => ({ kind, value });
}

export function takeMetric(metric: OtlpMetric, taking: Taking): void {
  const { sum, gauge, histogram, exponentialHistogram, summary } = metric;
  const hand = metricAtHand(metric, sum?.isMonotonic === true, gauge != null, taking);
  const { steps } = hand.known;
  const each = <P extends Timed>(points: readonly P[] | undefined, read: (point: P) => PointValue | string): void => {
    for (const point of points ?? []) {
      const known = knownSeries(steps, point.attributes);
      const series = known ?? seriesOf(hand.about, point.attributes, taking.source);
      const isTaken = takePoint(hand, series, timeOf(point, taking.now), point.flags ?? 0, read(point), taking);
      if (isTaken && known === undefined) taking.known.added(remember(steps, point.attributes, series));
    }
  };
  if (gauge) each(gauge.dataPoints, (point) => levelValue(numberIn(point)));
  if (sum) {
    const toValue = sumValue(sum);
    each(sum.dataPoints, (point) => toValue(numberIn(point)));
  }
  if (histogram) {
    const counted = countedOf(histogram.aggregationTemporality);
    each(histogram.dataPoints, (point) => (counted === undefined ? untold : bucketsOf(point, counted)));
  }
  if (exponentialHistogram) {
    const counted = countedOf(exponentialHistogram.aggregationTemporality);
    each(exponentialHistogram.dataPoints, (point) => (counted === undefined ? untold : exponentialOf(point, counted)));
  }
  if (summary) for (const point of summary.dataPoints ?? []) takeSummary(hand.about, point, hand.given, taking);
}

const untold =
  'it does not say whether it counts since its start (2) or since the last point (1): aggregationTemporality';

function countedOf(temporality: number | undefined): Counted | undefined {
  if (temporality === 2) return 'since-start';
  return temporality === 1 ? 'since-last' : undefined;
}

export function seriesOf(
  about: AboutMetric,
  attributes: readonly OtlpAttribute[] | undefined,
  source: Readonly<Record<string, string>>,
): PointSeries {
  const labels: Record<string, string> = { ...source };
  addLabels(labels, attributes);
  return { ...about, labels };
}

const timeOf = (point: Timed, now: () => number): PointTime =>
  timeAt(numberOf(point.timeUnixNano), numberOf(point.startTimeUnixNano), now);

/** Nanoseconds, whose last digits a number does not hold, become the nearest milliseconds; a point without a time is of now. */
export function timeAt(timeNano: number, startNano: number, now: () => number): PointTime {
  const atMs = Math.round(timeNano / 1e6);
  const startMs = Math.round(startNano / 1e6);
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
  about: AboutMetric,
  point: OtlpSummaryPoint,
  given: string,
  { source, intake, now, count }: Taking,
): void {
  const series = seriesOf(about, point.attributes, source);
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
