import type { Clock } from '../platform/clock.ts';
import { type Logger, silentLogger } from '../platform/logging.ts';
import { exposeName } from './exposed-name.ts';
import { CounterHandle, DistributionHandle, LevelHandle } from './handles.ts';
import {
  completeDefinition,
  type FirstUse,
  findLabelsProblem,
  findNameProblem,
  type GivenDefinition,
  inferDefinition,
  type Labels,
  type MetricDefinition,
} from './metric-definition.ts';
import {
  findHandle,
  handleIn,
  holdsFlat,
  type RecordedHandle,
  removeSeries,
  sharesOverflow,
} from './recorded-handles.ts';
import {
  byteBuckets,
  findTimeProblem,
  findValueProblem,
  isTakenAs,
  plainBuckets,
  withinSamplingMs,
} from './recording-rules.ts';
import type { MetricRegistry } from './registry.ts';
import type { Family } from './series.ts';
import type { Batch } from './summary.ts';
import type { ValueLog } from './value-log.ts';

/** One value as it comes in, over the API or from a call. */
export type Recording = {
  readonly name: string;
  readonly value: number;
  /** How to take it where nobody defined the metric; `value` leaves that to its name. */
  readonly use: FirstUse;
  readonly labels?: Labels | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Now, unless told. */
  readonly atMs?: number | undefined;
  /** For a metric that nobody defined. */
  readonly unit?: string | undefined;
};

/** Why a value was not taken; counted under the same word. */
export type Refusal = {
  readonly reason: 'unreadable' | 'name' | 'labels' | 'value' | 'time' | 'type' | 'disabled' | 'too-many' | 'metadata';
  readonly detail: string;
};

/** A value with a time of its own, on its way into the store. */
export type PendingSample = {
  /** Not its slot, which another series may have by then. */
  readonly handle: LevelHandle | DistributionHandle;
  readonly atMs: number;
  /** Of a distribution also many at once. */
  readonly value: number | Batch;
  /** The time came with it: the same value for the same instant is then the same value. */
  readonly told: boolean;
};

/** Of a defined metric: handles to keep, which record without looking anything up. */
export type RecordedMetric<H extends RecordedHandle> = {
  readonly definition: MetricDefinition;
  /** The handle of these labels. Take it once. @throws Error for labels against the grammar */
  labels(labels?: Labels): H;
  /** Ends one series; its handles record into nothing from then on. */
  remove(labels?: Labels): void;
};

/** A series as whoever takes in many of them asks for it. */
export type WantedSeries = {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: Labels;
  /** For a metric that nobody defined. */
  readonly unit?: string | undefined;
  readonly description?: string | undefined;
  /** Kept out of `/metrics`: whoever wants it can have it where it came from. */
  readonly hidden?: boolean | undefined;
};

export type Recorder = {
  counter(definition: Omit<GivenDefinition, 'type'>): RecordedMetric<CounterHandle>;
  gauge(definition: Omit<GivenDefinition, 'type'>): RecordedMetric<LevelHandle>;
  histogram(definition: Omit<GivenDefinition, 'type'>): RecordedMetric<DistributionHandle>;
  timer(definition: Omit<GivenDefinition, 'type'>): RecordedMetric<DistributionHandle>;
  /** How many per second: values set are rates as somebody measured them. */
  rate(definition: Omit<GivenDefinition, 'type'>): RecordedMetric<LevelHandle>;
  /** Defines a metric, or says more about one that defined itself. @throws Error for a bad name or another type */
  define(definition: GivenDefinition): MetricDefinition;
  /** A definition that an earlier life of the process knew. */
  restore(definition: MetricDefinition): void;
  /** Takes one value. Never throws and never waits. */
  record(recording: Recording): Refusal | undefined;
  /** Counts a value that is not taken; `unreadable` unless told. */
  refuse(name: string, detail: string, reason?: Refusal['reason']): Refusal;
  /** The handle of a series, to keep. Refused where it would share the overflow series. */
  series(wanted: WantedSeries): RecordedHandle | Refusal;
  /** Takes what has a time of its own into a series: a level, or many values at once. The time was looked at before. */
  take(handle: LevelHandle | DistributionHandle, atMs: number, value: number | Batch): void;
  /** How full the room for values with times of their own is, 0 to 1. It empties at every sampling. */
  fullness(): number;
  definitions(): readonly MetricDefinition[];
  definition(name: string): MetricDefinition | undefined;
  /** What was recorded with times of its own since it was last taken. */
  takePending(): readonly PendingSample[];
  /** Ends every series whose labels hold these, or all; definitions stay. @returns how many */
  reset(labels?: Labels): number;
  /** Says every refused value in the log, not only the first of each kind. */
  setDebugMode(on: boolean): void;
  readonly stats: { recorded: number; refused: number };
};

const mostPending = 200_000;
/** Numbers in them: what was counted in buckets has one per bucket. 64 MB. */
const mostPendingNumbers = 4_000_000;
const longestMetadata = 4_096;
const longestName = 200;
const longestDetail = 500;

type Known = {
  definition: MetricDefinition;
  readonly family: Family;
};
const noLabels: Labels = {};

/**
 * What applications record, under the names of their own. Each metric has a family in the registry, shown on `/metrics` in base
 * units, and the store takes from it what was recorded since it last looked. The number of metrics, of series of each, and of series
 * in total is bounded; what goes beyond is counted in an overflow series.
 */
export function createRecorder(options: {
  registry: MetricRegistry;
  clock: Clock;
  log?: Logger;
  values?: ValueLog;
  /** Told of each value that was taken. */
  onRecorded?: (definition: MetricDefinition, recording: Recording, atMs: number) => void;
  /** Told of each metric that is new or was told more about. */
  onDefinition?: (definition: MetricDefinition) => void;
  /** Of what ragwarden itself records: name → name on `/metrics`. */
  ownNames?: ReadonlyMap<string, string>;
  maxMetrics?: number;
  maxSeries?: number;
}): Recorder {
  const { registry, clock, log = silentLogger, values, maxMetrics = 2_000 } = options;
  const metrics = new Map<string, Known>();
  const budget = { left: options.maxSeries ?? 50_000 };
  const stats = { recorded: 0, refused: 0 };
  let pending: PendingSample[] = [];
  let pendingNumbers = 0;
  let debug = false;
  const said = new Set<string>();
  const refusals = registry.counter({
    name: 'ragwarden_metrics_refused_total',
    help: 'Recorded values that were not taken, by what was wrong.',
    labels: ['reason'],
  });
  const coalesced = registry.counter({
    name: 'ragwarden_metrics_coalesced_total',
    help: 'Values with times of their own that came faster than they can be kept, so that only the latest was.',
  });

  const familyOf = (definition: MetricDefinition): Family => {
    const { unit, scale, ...shown } = exposeName(definition);
    const name = options.ownNames?.get(definition.name) ?? shown.name;
    const { type } = definition;
    const kind = type === 'counter' ? 'counter' : type === 'gauge' || type === 'rate' ? 'gauge' : 'histogram';
    const given = {
      help: definition.description === '' ? `Recorded as ${definition.name}.` : definition.description,
      unit,
      scale: scale === 1 ? undefined : scale,
      storedName: definition.name,
      buckets: kind !== 'histogram' || unit === 'seconds' ? undefined : unit === 'bytes' ? byteBuckets : plainBuckets,
      budget,
    };
    // Two recorded names may mean one in base units; the later one is told apart.
    for (let n = 1; ; n += 1) {
      const free = n === 1 ? name : name.replace(/(_total)?$/, `_${n}$1`);
      if (!registry.families().some((family) => family.definition.name === free))
        return registry.recorded(kind, { name: free, ...given });
    }
  };

  const add = (definition: MetricDefinition, isNew = true): Known => {
    const known: Known = { definition, family: familyOf(definition) };
    metrics.set(definition.name, known);
    if (isNew && definition.definedBy === 'use')
      log.info(
        { metric: definition.name, type: definition.type, unit: definition.unit },
        'a metric that nobody defined is recorded from now on',
      );
    if (isNew) options.onDefinition?.(definition);
    return known;
  };

  const refuse = (reason: Refusal['reason'], name: string, about: string): Refusal => {
    stats.refused += 1;
    refusals.labels(reason).inc();
    const detail = about.slice(0, longestDetail);
    // Names that cannot be names may have any length, and are not worth remembering one by one.
    const key = `${reason} ${name.length > longestName ? '' : name}`;
    if (debug || (!said.has(key) && said.size < 1_000)) {
      said.add(key);
      log.warn({ metric: name.slice(0, longestName), reason, detail }, 'a recorded value was not taken');
    }
    return { reason, detail };
  };

  const define = (given: GivenDefinition): Known => {
    const problem = findNameProblem(given.name);
    if (problem !== undefined)
      throw new Error(`${JSON.stringify(given.name.slice(0, 50))} is no metric name: ${problem}`);
    const known = metrics.get(given.name);
    if (known === undefined) {
      if (metrics.size >= maxMetrics) throw new Error(`there are ${maxMetrics} metrics already`);
      return add(completeDefinition(given, 'definition'));
    }
    if (known.definition.type !== given.type)
      throw new Error(`metric ${given.name} is a ${known.definition.type} already`);
    const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    const definition = { ...known.definition, ...said, definedBy: 'definition' as const };
    // What its numbers mean does not change under it.
    if (exposeName(definition).scale !== exposeName(known.definition).scale)
      throw new Error(`metric ${given.name} is recorded in ${known.definition.unit} already`);
    if (JSON.stringify(definition) !== JSON.stringify(known.definition)) {
      known.definition = definition;
      options.onDefinition?.(definition);
    }
    return known;
  };

  /** Or what is wrong with the labels. */
  const handleOf = ({ family }: Known, labels: Labels = noLabels): RecordedHandle | string =>
    findHandle(family, labels) ?? handleIn(family, labels);

  const metric = <H extends RecordedHandle>(known: Known): RecordedMetric<H> => ({
    get definition() {
      return known.definition;
    },
    labels(labels) {
      const handle = handleOf(known, labels);
      if (typeof handle === 'string') throw new Error(handle);
      return handle as H; // the kind follows from the type, which was checked when it was defined
    },
    remove(labels) {
      removeSeries(known.family, labels ?? noLabels);
    },
  });

  /** The metric of this name, which defines itself where nobody did. */
  const findOrInfer = (
    name: string,
    use: FirstUse,
    labels: Labels | undefined,
    told: { unit?: string; description?: string },
  ): Known | Refusal => {
    let known = metrics.get(name);
    if (known === undefined) {
      const problem = findNameProblem(name);
      if (problem !== undefined) return refuse('name', name, problem);
      if (metrics.size >= maxMetrics) return refuse('too-many', name, `there are ${maxMetrics} metrics already`);
      const labelsProblem = labels && findLabelsProblem(labels);
      if (labelsProblem !== undefined) return refuse('labels', name, labelsProblem);
      known = add({ ...inferDefinition(name, use), ...told });
    }
    const { definition } = known;
    if (!definition.enabled) return refuse('disabled', name, `${name} is switched off`);
    if (!isTakenAs(definition.type, use)) return refuse('type', name, `${name} is a ${definition.type}`);
    return known;
  };

  const takeRecording = (recording: Recording): Refusal | undefined => {
    const { name, value, use, labels, metadata } = recording;
    const problem = findValueProblem(value);
    if (problem !== undefined) return refuse('value', name, problem);
    const nowMs = clock.now();
    const atMs = recording.atMs ?? nowMs;
    const late = findTimeProblem(atMs, nowMs);
    if (late !== undefined) return refuse('time', name, late);
    if (metadata !== undefined && JSON.stringify(metadata).length > longestMetadata)
      return refuse('metadata', name, `metadata has at most ${longestMetadata} characters as JSON`);
    const known = findOrInfer(name, use, labels, recording.unit === undefined ? {} : { unit: recording.unit });
    if ('reason' in known) return known;
    const { definition, family } = known;
    if (value < 0 && family.definition.type !== 'gauge')
      return refuse('value', name, `a ${definition.type} does not take what is below zero`);
    const handle = handleOf(known, labels);
    if (typeof handle === 'string') return refuse('labels', name, handle);
    if (handle instanceof CounterHandle) handle.inc(value);
    else if (
      handle instanceof DistributionHandle &&
      atMs >= nowMs - withinSamplingMs &&
      atMs <= nowMs + withinSamplingMs
    )
      handle.observe(value);
    else keepPending(handle, atMs, value, recording.atMs === undefined);
    stats.recorded += 1;
    options.onRecorded?.(definition, recording, atMs);
    values?.add({ atMs, definition, labels: labels ?? {}, value, metadata });
    return undefined;
  };

  const keepPending = (
    handle: LevelHandle | DistributionHandle,
    atMs: number,
    value: number | Batch,
    isNow: boolean,
  ): void => {
    const { family, slot } = handle;
    if (slot === 0) return;
    const numbers = typeof value === 'number' ? 1 : value.values.length;
    if (pending.length >= mostPending || pendingNumbers + numbers > mostPendingNumbers) {
      coalesced.inc();
      if (typeof value !== 'number')
        (handle as DistributionHandle).observeMany(value); // levels come one by one
      else if (handle instanceof LevelHandle) handle.set(value);
      else handle.observe(value);
      return;
    }
    if (
      handle instanceof LevelHandle &&
      typeof value === 'number' &&
      (isNow || family.present[slot] === 0 || atMs >= clock.now())
    ) {
      family.values[slot] = value;
      family.present[slot] = 1;
    }
    // Later ones of a distribution share the rows of whole seconds.
    const rowMs = handle instanceof LevelHandle ? atMs : Math.floor(atMs / 1_000) * 1_000;
    pending.push({ handle, atMs: rowMs, value, told: !isNow });
    pendingNumbers += numbers;
  };

  return {
    counter: (definition) => metric(define({ ...definition, type: 'counter' })),
    gauge: (definition) => metric(define({ ...definition, type: 'gauge' })),
    histogram: (definition) => metric(define({ ...definition, type: 'histogram' })),
    timer: (definition) => metric(define({ ...definition, type: 'timer' })),
    rate: (definition) => metric(define({ ...definition, type: 'rate' })),
    define: (definition) => define(definition).definition,
    restore(definition) {
      if (!metrics.has(definition.name)) add(definition, false);
    },
    record(recording) {
      try {
        return takeRecording(recording);
      } catch (err) {
        // As from metadata that refers to itself: a bug of the caller must not end what it measures.
        return refuse('metadata', recording.name, err instanceof Error ? err.message : String(err));
      }
    },
    refuse: (name, detail, reason = 'unreadable') => refuse(reason, name, detail),
    series({ name, type, labels, unit, description, hidden }) {
      const known = findOrInfer(name, type, labels, {
        ...(unit === undefined ? {} : { unit }),
        ...(description === undefined ? {} : { description }),
      });
      if ('reason' in known) return known;
      const { family } = known;
      const handle = findHandle(family, labels) ?? handleIn(family, labels);
      if (typeof handle === 'string') return refuse('labels', name, handle);
      if (sharesOverflow(handle, labels)) return refuse('too-many', name, `${name} has too many series, or all have`);
      if (hidden) family.hidden = true;
      return handle;
    },
    take(handle, atMs, value) {
      const nowMs = clock.now();
      const isRecent = atMs >= nowMs - withinSamplingMs && atMs <= nowMs + withinSamplingMs;
      if (typeof value !== 'number' && handle instanceof DistributionHandle && isRecent) handle.observeMany(value);
      else keepPending(handle, atMs, value, false);
      stats.recorded += 1;
    },
    fullness: () => Math.max(pending.length / mostPending, pendingNumbers / mostPendingNumbers),
    definitions: () =>
      [...metrics.values()].map((known) => known.definition).sort((a, b) => (a.name < b.name ? -1 : 1)),
    definition: (name) => metrics.get(name)?.definition,
    takePending() {
      const taken = pending;
      pending = [];
      pendingNumbers = 0;
      return taken;
    },
    reset(labels) {
      let ended = 0;
      const gone = new Set<object | undefined>();
      for (const { family } of metrics.values())
        for (const slot of [...family.slotsInOrder()]) {
          const flat = family.labelsOf(slot);
          if (labels !== undefined && !holdsFlat(flat, labels)) continue;
          gone.add(family.seriesAt(slot));
          family.remove(slot);
          ended += 1;
        }
      pending = labels === undefined ? [] : pending.filter(({ handle }) => !gone.has(handle));
      return ended;
    },
    setDebugMode(on) {
      debug = on;
    },
    stats,
  };
}
