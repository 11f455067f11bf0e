import type { Clock } from '../../platform/clock.ts';
import { CounterHandle, DistributionHandle, LevelHandle } from '../handles.ts';
import type { Labels } from '../metric-definition.ts';
import type { RecordedHandle } from '../recorded-handles.ts';
import type { Recorder, Refusal } from '../recorder.ts';
import { findTimeProblem, findValueProblem, greatestMagnitude } from '../recording-rules.ts';
import type { MetricRegistry } from '../registry.ts';
import type { Batch } from '../summary.ts';
import type { ExplicitBuckets, ExponentialBuckets } from './batch.ts';
import { type BucketTotals, batchOf, bucketsIn, growthBatch, totalsOf } from './bucket-totals.ts';

/** Of which metric a point is, and of which of its series. */
export type PointSeries = {
  readonly name: string;
  readonly labels: Labels;
  readonly unit?: string | undefined;
  readonly description?: string | undefined;
};
export type PointTime = {
  readonly atMs: number;
  /** Since when a total is counted, where it is told. */
  readonly startMs: number | undefined;
};

/** What a point says. `since-start` is a total, `since-last` what was added to it. */
export type PointValue =
  | { readonly kind: 'level'; readonly value: number }
  | { readonly kind: 'level change'; readonly value: number }
  | { readonly kind: 'amount'; readonly value: number; readonly counted: Counted }
  | { readonly kind: 'buckets'; readonly value: ExplicitBuckets; readonly counted: Counted }
  | {
      readonly kind: 'exponential buckets';
      readonly value: ExponentialBuckets;
      readonly sum: number | undefined;
      readonly min: number | undefined;
      readonly max: number | undefined;
      readonly counted: Counted;
    };
export type Counted = 'since-start' | 'since-last';

/** How much a counter or a distribution grew by one point. */
export type Growth = Batch | { readonly count: number; readonly sum: number };

export type Intake = {
  /** Takes one point. Never throws. */
  take(series: PointSeries, time: PointTime, value: PointValue): Refusal | undefined;
  /** Counts a point whose value has no meaning. */
  refuse(name: string, detail: string): Refusal;
  /** The series has ended and said so: from now on there is a gap. */
  end(series: PointSeries, time: PointTime): void;
  /** Ends series of which nothing was heard since then, for long unless told. @returns how many */
  expire(silentSinceMs?: number): number;
  readonly streams: number;
};

/** One series of one life of the program that counts it. */
type Stream = {
  handle: RecordedHandle;
  startMs: number | undefined;
  atMs: number;
  /** When it was last heard of, by our clock. */
  heardMs: number;
  /** The total, or the level that changes added up to. */
  total: number;
  /** No more among the streams. */
  isForgotten: boolean;
  /** Of a distribution, where the total is told per bucket. */
  buckets: BucketTotals | undefined;
};

const mostStreams = 100_000;
/** Of all streams together; 100 MB at most. */
const mostBucketsHeld = 2_000_000;
const forgottenAfterMs = 86_400_000;

/**
 * Takes in points that another process counted: levels as they are, totals by what they grew. What a total was when it was first
 * seen counts only if it began after this process knows of everything, else it was counted by an earlier life, or before anybody
 * looked; a total that falls began anew.
 */
export function createIntake(options: {
  recorder: Recorder;
  counters: ReturnType<typeof createIntakeCounters>;
  clock: Clock;
  source: 'otlp' | 'scrape';
  /** Keeps the series off `/metrics`. */
  hidden?: boolean;
  /** After so long without a point a series is ended. */
  endedAfterMs: number;
  onGrown?: (series: PointSeries, time: PointTime, growth: Growth) => void;
}): Intake {
  const { recorder, counters, clock, source, hidden, endedAfterMs, onGrown } = options;
  const streams = new Map<string, Stream>();
  let bucketsHeld = 0;
  /** Whoever hands in the same object for a series again spares the look-up by its labels. */
  const recent = new WeakMap<PointSeries, { readonly startMs: number | undefined; readonly stream: Stream }>();
  /** Of the point that is being taken. */
  let nowMs = 0;
  /** Every stream that began after this is in `streams` if it was ever seen. */
  let knownSinceMs = clock.now();
  const received = counters.received.labels(source);
  const repeated = counters.repeated.labels(source);

  const refuse = (name: string, reason: Refusal['reason'], detail: string): Refusal =>
    recorder.refuse(name, detail, reason);

  /** The stream of a point, with a handle of its series. A series that is refused leaves nothing behind. */
  const find = (
    series: PointSeries,
    type: 'counter' | 'gauge' | 'histogram',
    startMs: number | undefined,
  ): Stream | Refusal => {
    const before = recent.get(series);
    if (
      before !== undefined &&
      before.startMs === startMs &&
      !before.stream.isForgotten &&
      before.stream.handle.slot !== 0
    )
      return before.stream;
    const found = findByLabels(series, type, startMs);
    if (!('reason' in found)) recent.set(series, { startMs, stream: found });
    return found;
  };

  const findByLabels = (
    series: PointSeries,
    type: 'counter' | 'gauge' | 'histogram',
    startMs: number | undefined,
  ): Stream | Refusal => {
    const key = keyOf(series, startMs);
    const known = streams.get(key);
    // A series that was ended has a handle into nothing.
    if (known !== undefined && known.handle.slot !== 0) return known;
    if (known === undefined && streams.size >= mostStreams)
      return refuse(series.name, 'too-many', `${mostStreams} series are taken in already`);
    const handle = recorder.series({ ...series, type, hidden });
    if ('reason' in handle) return handle;
    if (known !== undefined) {
      known.handle = handle;
      return known;
    }
    const begun: Stream = {
      ...{ handle, startMs: undefined, atMs: Number.NEGATIVE_INFINITY, heardMs: nowMs },
      ...{ total: 0, isForgotten: false, buckets: undefined },
    };
    streams.set(key, begun);
    return begun;
  };

  /** Whether all that a total says when it is first seen was counted since it could have been seen. */
  const isWhole = ({ startMs }: PointTime): boolean => startMs !== undefined && startMs > knownSinceMs;

  const takeLevel = (series: PointSeries, time: PointTime, given: number, isChange: boolean): Refusal | undefined => {
    const stream = find(series, 'gauge', undefined);
    if ('reason' in stream) return stream;
    const { handle } = stream;
    if (!(handle instanceof LevelHandle)) return refuse(series.name, 'type', `${series.name} is no level`);
    if (isChange && isRepeated(stream, time)) {
      repeated.inc();
      return undefined;
    }
    stream.total = isChange ? stream.total + given : given;
    recorder.take(handle, time.atMs, stream.total);
    advance(stream, time);
    return undefined;
  };

  const takeAmount = (series: PointSeries, time: PointTime, value: number, counted: Counted): Refusal | undefined => {
    if (value < 0) return refuse(series.name, 'value', 'a total that only grows is never below zero');
    const stream = find(series, 'counter', counted === 'since-start' ? time.startMs : undefined);
    if ('reason' in stream) return stream;
    const { handle } = stream;
    if (!(handle instanceof CounterHandle)) return refuse(series.name, 'type', `${series.name} is no counter`);
    const isFirst = stream.atMs === Number.NEGATIVE_INFINITY;
    if (counted === 'since-last' ? isRepeated(stream, time) : time.atMs <= stream.atMs) {
      repeated.inc();
      return undefined;
    }
    let grown = value;
    if (counted === 'since-start') {
      if (isFirst) grown = isWhole(time) ? value : 0;
      else if (value >= stream.total) grown = value - stream.total;
      stream.total = value;
    }
    handle.inc(grown);
    advance(stream, time);
    if (grown > 0) onGrown?.(series, time, { count: 1, sum: grown });
    return undefined;
  };

  const takeDistribution = (
    series: PointSeries,
    time: PointTime,
    point: Extract<PointValue, { kind: 'buckets' | 'exponential buckets' }>,
  ): Refusal | undefined => {
    const { counted } = point;
    const stream = find(series, 'histogram', counted === 'since-start' ? time.startMs : undefined);
    if ('reason' in stream) return stream;
    const { handle } = stream;
    if (!(handle instanceof DistributionHandle))
      return refuse(series.name, 'type', `${series.name} is no distribution`);
    if (counted === 'since-last' ? isRepeated(stream, time) : time.atMs <= stream.atMs) {
      repeated.inc();
      return undefined;
    }
    let batch: Batch | undefined;
    if (counted === 'since-last') batch = batchOf(point);
    else {
      const totals = totalsOf(point);
      const more = bucketsIn(totals) - bucketsIn(stream.buckets);
      if (more > 0 && bucketsHeld + more > mostBucketsHeld)
        return refuse(series.name, 'too-many', `${mostBucketsHeld} buckets are remembered already`);
      bucketsHeld += more;
      if (stream.buckets !== undefined) batch = growthBatch(stream.buckets, totals, point);
      else if (isWhole(time)) batch = batchOf(point);
      stream.buckets = totals;
    }
    if (batch !== undefined) {
      recorder.take(handle, time.atMs, batch);
      onGrown?.(series, time, batch);
    }
    advance(stream, time);
    return undefined;
  };

  const advance = (stream: Stream, time: PointTime): void => {
    stream.startMs = time.startMs;
    stream.atMs = Math.max(stream.atMs, time.atMs);
    stream.heardMs = nowMs;
    received.inc();
  };

  return {
    get streams() {
      return streams.size;
    },
    take(series, time, value) {
      nowMs = clock.now();
      const late = findTimeProblem(time.atMs, nowMs);
      if (late !== undefined) return refuse(series.name, 'time', late);
      const problem = findPointProblem(value);
      if (problem !== undefined) return refuse(series.name, 'value', problem);
      switch (value.kind) {
        case 'level':
        case 'level change':
          return takeLevel(series, time, value.value, value.kind === 'level change');
        case 'amount':
          return takeAmount(series, time, value.value, value.counted);
        case 'buckets':
        case 'exponential buckets':
          return takeDistribution(series, time, value);
        default:
          return value satisfies never;
      }
    },
    refuse: (name, detail) => refuse(name, 'value', detail),
    end(series, { startMs }) {
      for (const key of [keyOf(series, undefined), keyOf(series, startMs)]) {
        const handle = streams.get(key)?.handle;
        if (handle !== undefined && handle.slot !== 0) endSeries(handle);
      }
    },
    expire(silentSinceMs) {
      nowMs = clock.now();
      const sinceMs = silentSinceMs ?? nowMs - endedAfterMs;
      let ended = 0;
      for (const [key, stream] of streams) {
        if (stream.heardMs >= sinceMs) continue;
        if (stream.handle.slot !== 0) {
          endSeries(stream.handle);
          ended += 1;
        }
        // What it counted is remembered longer, so that nothing counts twice when it is heard of again.
        if (stream.heardMs > nowMs - forgottenAfterMs && streams.size < mostStreams / 2) continue;
        knownSinceMs = Math.max(knownSinceMs, stream.startMs ?? stream.heardMs);
        stream.isForgotten = true;
        bucketsHeld -= bucketsIn(stream.buckets);
        streams.delete(key);
      }
      return ended;
    },
  };
}

/** Shared by every way in. */
export const createIntakeCounters = (registry: MetricRegistry) => ({
  received: registry.counter({
    name: 'ragwarden_metrics_received_total',
    help: 'Points that were taken in from other processes, by their way.',
    labels: ['source'],
  }),
  repeated: registry.counter({
    name: 'ragwarden_metrics_repeated_total',
    help: 'Points that said nothing new: taken in before, or older than what is known of their total.',
    labels: ['source'],
  }),
});

const endSeries = (handle: RecordedHandle): void => handle.family.remove(handle.slot);

/** Labels in the order they came would make two of one series. */
function keyOf({ name, labels }: PointSeries, startMs: number | undefined): string {
  let key = `${name}\0`;
  for (const label of Object.keys(labels).sort()) key += `${label}\0${labels[label]!.length}\0${labels[label]}`;
  return `${key}\0${startMs ?? ''}`;
}

/** Of amounts added one after the other the same one came twice, as from a sender that did not hear the answer. */
const isRepeated = (stream: Stream, time: PointTime): boolean =>
  time.startMs !== undefined && stream.atMs === time.atMs && stream.startMs === time.startMs;

function findPointProblem(point: PointValue): string | undefined {
  if (point.kind !== 'buckets' && point.kind !== 'exponential buckets') return findValueProblem(point.value);
  const isExponential = point.kind === 'exponential buckets';
  const { sum, min, max } = isExponential ? point : point.value;
  for (const one of [sum, min, max]) {
    const problem = one === undefined ? undefined : findValueProblem(one);
    if (problem !== undefined) return problem;
  }
  const { value } = point;
  let count = 0;
  if ('bounds' in value) {
    for (const one of value.counts) count += one;
    // They ascend.
    if (!isBetween(value.bounds[0]) || !isBetween(value.bounds.at(-1))) return tooFar;
  } else {
    count = value.zeroCount;
    for (const { offset, counts } of [value.positive, value.negative]) {
      for (const one of counts) count += one;
      if (!isBetween(2 ** ((offset + counts.length) * 2 ** -value.scale))) return tooFar;
    }
  }
  return count <= Number.MAX_SAFE_INTEGER ? undefined : 'more values than can be counted (2^53)';
}

const tooFar = `its buckets reach beyond ${greatestMagnitude}`;
const isBetween = (bound: number | undefined): boolean => bound === undefined || Math.abs(bound) <= greatestMagnitude;
