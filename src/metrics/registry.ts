import type { Clock } from '../platform/clock.ts';
import { type Logger, silentLogger } from '../platform/logging.ts';
import { createTrouble, type Trouble } from '../platform/trouble.ts';
import { CounterHandle, GaugeHandle, HistogramHandle } from './handles.ts';
import { Family, type FamilyDefinition, type MetricType, type SeriesBudget, type SeriesHandle } from './series.ts';

type LabelValues<L extends readonly string[]> = { readonly [K in keyof L]: string };

/** Without labels: the handle itself. With labels: `labels(…)` in the order of the definition gives the handle; take it once. */
export type Metric<L extends readonly string[], H> = { readonly family: Family } & (L extends readonly []
  ? H
  : {
      labels(...values: LabelValues<L>): H;
      /** Ends one series; its handles record into nothing from then on. */
      remove(...values: LabelValues<L>): void;
    });

export type Counter<L extends readonly string[] = readonly []> = Metric<L, CounterHandle>;
export type Gauge<L extends readonly string[] = readonly []> = Metric<L, GaugeHandle>;
export type Histogram<L extends readonly string[] = readonly []> = Metric<L, HistogramHandle>;

export type MetricDefinition<L extends readonly string[]> = {
  name: string;
  help: string;
  unit?: string;
  labels?: L;
};

export type RecordedFamily = {
  readonly name: string;
  readonly help: string;
  readonly unit: string | undefined;
  readonly scale: number | undefined;
  readonly storedName: string;
  readonly buckets: readonly number[] | undefined;
  /** Shared by all of them. */
  readonly budget: SeriesBudget;
};

/**
 * Values that are looked up when somebody asks. `sets` names the metrics that this collector alone writes: what it does not set in
 * a run is absent afterwards, and all of them are when the run fails, so that an old number is never shown as a present one.
 */
export type Collector = {
  readonly name: string;
  readonly sets: readonly { readonly family: Family }[];
  collect(): void | Promise<void>;
};

export type MetricRegistry = {
  counter<const L extends readonly string[] = readonly []>(definition: MetricDefinition<L>): Counter<L>;
  gauge<const L extends readonly string[] = readonly []>(definition: MetricDefinition<L>): Gauge<L>;
  /** For what is neither: Prometheus' untyped. Recorded like a gauge. */
  unknown<const L extends readonly string[] = readonly []>(definition: MetricDefinition<L>): Gauge<L>;
  histogram<const L extends readonly string[] = readonly []>(
    definition: MetricDefinition<L> & { buckets?: readonly number[] },
  ): Histogram<L>;
  /** A family for what an application records: each series has labels of its own. @throws Error when the name is taken */
  recorded(type: 'counter' | 'gauge' | 'histogram', definition: RecordedFamily): Family;
  collector(collector: Collector): void;
  /** Runs every collector once; those who ask at the same time share one run. Never rejects. */
  collect(): Promise<void>;
  /** By name. */
  families(): readonly Family[];
  /** Those that others are shown, by name. */
  shown(): readonly Family[];
};

/** Seconds: from a cached answer to a slow model call. */
export const durationBuckets: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const labelName = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;

export function createMetricRegistry(options: {
  clock: Clock;
  log?: Logger;
  /** Series per metric; amounts beyond it go to one overflow series, levels beyond it are not recorded. */
  maxSeriesPerMetric?: number;
  collectorTimeoutMs?: number;
}): MetricRegistry {
  const { clock, log = silentLogger, maxSeriesPerMetric = 1_000, collectorTimeoutMs = 2_000 } = options;
  const families = new Map<string, Family>();
  const collectors: Collector[] = [];
  const running = new Map<Collector, Promise<void>>();
  const troubles = new Map<string, Trouble>();
  const troubleOf = (name: string): Trouble => {
    const known =
      troubles.get(name) ?? createTrouble({ clock, log, fields: { collector: name }, what: 'collecting values' });
    troubles.set(name, known);
    return known;
  };
  let sorted: readonly Family[] | undefined;
  let current: Promise<void> | undefined;

  const onOverflow = (family: Family): void => {
    log.warn(
      { metric: family.definition.name, maxSeries: maxSeriesPerMetric },
      'metric has too many label sets; further ones are not kept apart',
    );
  };

  const define = (type: MetricType, given: MetricDefinition<readonly string[]>, bounds: readonly number[]): Family => {
    const definition: FamilyDefinition = {
      name: given.name,
      help: given.help,
      type,
      unit: given.unit,
      labelNames: given.labels ?? [],
      bounds,
    };
    checkDefinition(definition);
    const known = families.get(given.name);
    if (known !== undefined) {
      if (JSON.stringify(known.definition) === JSON.stringify(definition)) return known;
      throw new Error(`metric ${given.name} is already defined otherwise`);
    }
    const family = new Family(definition, maxSeriesPerMetric, onOverflow);
    families.set(given.name, family);
    sorted = undefined;
    return family;
  };

  // The conditional type `Metric` cannot be followed by the compiler here: with no label names the handle is returned, else the pair.
  const metric = <L extends readonly string[], H extends SeriesHandle>(
    family: Family,
    make: (slot: number) => H,
  ): Metric<L, H> =>
    (family.definition.labelNames.length === 0
      ? family.handleFor([], make)
      : {
          family,
          labels: (...values: string[]) => family.handleFor(values, make),
          remove: (...values: string[]) => family.removeOf(values),
        }) as unknown as Metric<L, H>;

  const gaugeLike = <L extends readonly string[]>(type: 'gauge' | 'unknown', d: MetricDefinition<L>): Gauge<L> => {
    const family = define(type, d, []);
    return metric<L, GaugeHandle>(family, (slot) => new GaugeHandle(family, slot));
  };

  const runCollector = async (collector: Collector): Promise<void> => {
    // One that is still late from an earlier run is not started a second time.
    if (running.has(collector)) return;
    for (const { family } of collector.sets) family.markAll();
    const sweep = (all: boolean): void => {
      for (const { family } of collector.sets) family.sweep(all);
    };
    try {
      const work = collector.collect();
      if (work !== undefined) {
        const tracked = work.finally(() => running.delete(collector));
        running.set(collector, tracked);
        await withTimeout(tracked, clock, collectorTimeoutMs);
      }
      sweep(false);
      troubles.get(collector.name)?.ended();
    } catch (err) {
      sweep(true);
      troubleOf(collector.name).failed(err);
    }
  };

  const registry: MetricRegistry = {
    counter<const L extends readonly string[]>(d: MetricDefinition<L>) {
      if (!d.name.endsWith('_total')) throw new Error(`counter ${d.name} must end with _total`);
      const family = define('counter', d, []);
      return metric<L, CounterHandle>(family, (slot) => new CounterHandle(family, slot));
    },
    gauge: (d) => gaugeLike('gauge', d),
    unknown: (d) => gaugeLike('unknown', d),
    histogram<const L extends readonly string[]>(d: MetricDefinition<L> & { buckets?: readonly number[] }) {
      const family = define('histogram', d, d.buckets ?? durationBuckets);
      return metric<L, HistogramHandle>(family, (slot) => new HistogramHandle(family, slot));
    },
    recorded(type, { name, help, unit, scale, storedName, buckets, budget }) {
      if (families.has(name)) throw new Error(`metric ${name} is already defined`);
      const definition: FamilyDefinition = {
        name,
        help,
        type,
        unit,
        labelNames: [],
        freeLabels: true,
        storedName,
        ...(scale === undefined ? {} : { scale }),
        keepsEach: true,
        bounds: type === 'histogram' ? (buckets ?? durationBuckets) : [],
      };
      checkDefinition(definition);
      const family = new Family(definition, maxSeriesPerMetric, onOverflow, budget);
      families.set(name, family);
      sorted = undefined;
      return family;
    },
    collector(collector) {
      collectors.push(collector);
    },
    collect() {
      current ??= Promise.all(collectors.map(runCollector)).then(() => {
        current = undefined;
      });
      return current;
    },
    shown: () => registry.families().filter(({ hidden }) => !hidden),
    families() {
      sorted ??= [...families.values()].sort((a, b) => (a.definition.name < b.definition.name ? -1 : 1));
      return sorted;
    },
  };
  addOwnCounters(registry);
  return registry;
}

/** What the registry itself had to refuse, per metric; a metric without refusals has no sample. */
function addOwnCounters(registry: MetricRegistry): void {
  const overflow = registry.counter({
    name: 'ragwarden_metrics_overflow_total',
    help: 'Look-ups of label sets beyond the number of series a metric may have.',
    labels: ['metric'],
  });
  const rejected = registry.counter({
    name: 'ragwarden_metrics_rejected_total',
    help: 'Values that were refused: NaN, infinite, or negative where only growth makes sense.',
    labels: ['metric'],
  });
  registry.collector({
    name: 'metrics',
    sets: [overflow, rejected],
    collect() {
      for (const family of registry.families()) {
        const { name } = family.definition;
        if (family.overflowed > 0) overflow.labels(name).mirror(family.overflowed);
        if (family.rejected > 0) rejected.labels(name).mirror(family.rejected);
      }
    },
  });
}

function checkDefinition(definition: FamilyDefinition): void {
  const { name, labelNames, bounds } = definition;
  if (!metricName.test(name)) throw new Error(`${JSON.stringify(name)} is no metric name`);
  for (const label of labelNames)
    if (!labelName.test(label) || (label === 'le' && definition.type === 'histogram'))
      throw new Error(`${JSON.stringify(label)} is no label name for ${name}`);
  if (new Set(labelNames).size !== labelNames.length) throw new Error(`${name} names a label twice`);
  for (let i = 0; i < bounds.length; i += 1)
    if (!Number.isFinite(bounds[i]) || (i > 0 && bounds[i]! <= bounds[i - 1]!))
      throw new Error(`the buckets of ${name} must be finite and ascending`);
}

async function withTimeout(work: Promise<void>, clock: Clock, ms: number): Promise<void> {
  const timer = new AbortController();
  const late = clock.sleep(ms, timer.signal).then(
    () => {
      throw new Error(`still running after ${ms} ms`);
    },
    () => undefined,
  );
  // A late one that fails after its time is already reported as late.
  work.catch(() => undefined);
  try {
    await Promise.race([work, late]);
  } finally {
    // With a reason of ours, since without one an exception is made for it, with its stack.
    timer.abort('in time');
  }
}
