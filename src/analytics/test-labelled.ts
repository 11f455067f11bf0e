import type { ResourceSeries, SeriesKind } from './series.ts';

/** Test support: numbers that are the same for the same seed. */
export function createRandom(seed: number) {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const between = (low: number, high: number): number => low + (high - low) * uniform();
  return { uniform, normal, between };
}
type Random = ReturnType<typeof createRandom>;

export const stepHours = 0.25;
const day = (hour: number): number => Math.sin((2 * Math.PI * (hour - 8)) / 24);

/** What is told of a series that was made: nothing, or the one thing it has. */
export type Label = 'nothing' | 'growth' | 'spikes';

type Family = {
  readonly name: string;
  readonly label: Label;
  readonly make: (random: Random, hours: number) => number[];
};

const along = (hours: number, of: (hour: number, at: number) => number): number[] =>
  Array.from({ length: Math.round(hours / stepHours) }, (_, at) => of(at * stepHours, at));
const walk = (random: Random, keeps: number, sigma: number) => {
  let state = 0;
  return () => {
    state = keeps * state + sigma * random.normal();
    return state;
  };
};
const noisy = (random: Random): number => 1 + 0.03 * random.normal();

/** Seven days of one series each. */
export const families: readonly Family[] = [
  { name: 'level with noise', label: 'nothing', make: (r, h) => along(h, () => 100 * noisy(r)) },
  {
    name: 'daily load',
    label: 'nothing',
    make: (r, h) => {
      const swing = r.between(0.1, 0.6);
      return along(h, (hour) => 100 * (1 + swing * day(hour)) * noisy(r));
    },
  },
  {
    name: 'office hours',
    label: 'nothing',
    make: (r, h) => along(h, (hour) => (hour % 24 > 8 && hour % 24 < 18 ? 200 : 40) * (1 + 0.1 * r.normal())),
  },
  {
    name: 'weekend',
    label: 'nothing',
    make: (r, h) => {
      const begin = Math.floor(r.between(0, 7));
      return along(h, (hour) => {
        const weekday = (Math.floor(hour / 24) + begin) % 7;
        return 100 * (weekday >= 5 ? 0.5 : 1) * (1 + 0.3 * day(hour)) * noisy(r);
      });
    },
  },
  {
    name: 'slow wander',
    label: 'nothing',
    make: (r, h) => {
      const next = walk(r, 0.98, 2);
      return along(h, () => Math.max(0, 100 + next()));
    },
  },
  {
    name: 'walk',
    label: 'nothing',
    make: (r, h) => {
      const next = walk(r, 1, 0.8);
      return along(h, () => Math.max(0, 100 + next()));
    },
  },
  {
    name: 'one step',
    label: 'nothing',
    make: (r, h) => {
      const at = r.between(0.2, 0.8) * h;
      const by = r.between(0.1, 0.6);
      return along(h, (hour) => 100 * (1 + (hour > at ? by : 0)) * noisy(r));
    },
  },
  {
    name: 'a rise that ended',
    label: 'nothing',
    make: (r, h) => {
      const tau = r.between(6, 16);
      return along(h, (hour) => 100 * (2 - Math.exp(-hour / tau)) * noisy(r));
    },
  },
  {
    name: 'saw',
    label: 'nothing',
    make: (r, h) => {
      const period = r.between(5, 30);
      return along(h, (hour) => 100 * (1 + (0.5 * (hour % period)) / period) * noisy(r));
    },
  },
  {
    name: 'bursts at random',
    label: 'nothing',
    make: (r, h) => {
      const rate = r.between(0.02, 0.08);
      return along(h, () => 100 * noisy(r) * (r.uniform() < rate * stepHours * 4 ? r.between(2, 5) : 1));
    },
  },
  {
    name: 'counts that are rare',
    label: 'nothing',
    make: (r, h) => along(h, () => (r.uniform() < 0.04 ? Math.ceil(r.between(0, 5)) : 0)),
  },
  { name: 'constant', label: 'nothing', make: (_, h) => along(h, () => 100) },
  {
    name: 'growth',
    label: 'growth',
    make: (r, h) => {
      const by = r.between(0.15, 1.5);
      return along(h, (hour) => 100 * (1 + (by * hour) / h) * noisy(r));
    },
  },
  {
    name: 'slow growth of a stock',
    label: 'growth',
    make: (r, h) => {
      const by = r.between(0.07, 0.2);
      return along(h, (hour) => 100 * (1 + (by * hour) / h) + 0.3 * r.normal());
    },
  },
  {
    name: 'growth and daily load',
    label: 'growth',
    make: (r, h) => {
      const by = r.between(0.25, 1);
      const swing = r.between(0.1, 0.3);
      return along(h, (hour) => 100 * (1 + (by * hour) / h + swing * day(hour)) * noisy(r));
    },
  },
  {
    name: 'growth with bursts',
    label: 'growth',
    make: (r, h) => {
      const by = r.between(0.25, 1);
      return along(h, (hour) => 100 * (1 + (by * hour) / h) * noisy(r) * (r.uniform() < 0.03 ? 3 : 1));
    },
  },
  {
    name: 'growth that comes in lots',
    label: 'growth',
    make: (r, h) => {
      let level = 100;
      const size = r.between(0.5, 2);
      return along(h, () => {
        if (r.uniform() < 0.1) level += size * r.uniform();
        return level + 0.1 * r.normal();
      });
    },
  },
  ...(
    [
      ['hourly spikes', 1],
      ['spikes each six hours', 6],
      ['daily spikes', 24],
      ['spikes each three hours and a quarter', 3.25],
    ] as const
  ).map(
    ([name, period]): Family => ({
      name,
      label: 'spikes',
      make: (r, h) => {
        const phase = r.between(0, period);
        const height = r.between(2, 5);
        const missed = r.between(0, 0.15);
        const begins = new Set<number>();
        for (let at = phase; at < h; at += period)
          if (r.uniform() > missed) begins.add(Math.round((at + 0.01 * period * r.normal()) / stepHours));
        const swing = r.between(0, 0.2);
        return along(h, (hour, at) => 100 * (1 + swing * day(hour)) * noisy(r) * (begins.has(at) ? height : 1));
      },
    }),
  ),
];

const hourMs = 3_600_000;
/** A Thursday. */
export const beginMs = Date.UTC(2026, 0, 1);

/** What was made, as it is read from the store. */
export function seriesOf(values: readonly (number | null)[], more: Partial<ResourceSeries> = {}): ResourceSeries {
  const kind: SeriesKind = 'level';
  return {
    ...{ key: 'thing', resourceType: 'thing', metric: 'm', unit: 'bytes', kind, capacity: null, mayBeSpare: false },
    ...{ family: more.key ?? 'thing', stepMs: stepHours * hourMs, tops: null, highest: null, isShared: false },
    times: values.map((_, at) => beginMs + at * stepHours * hourMs),
    values,
    ...more,
  };
}

/** One series of a family; a week unless told. */
export const makeSeries = (family: Family, seed: number, hours = 168): ResourceSeries =>
  seriesOf(family.make(createRandom(seed), hours), {
    key: `${family.name} ${seed}`,
    kind: family.name.includes('stock') ? 'stock' : 'level',
  });

/** The same as a look at a week reads it: the mean of each hour, and beside it the highest value. */
export function hourlyOf(series: ResourceSeries): ResourceSeries {
  const each = Math.round(1 / stepHours);
  const hours = Array.from({ length: Math.floor(series.values.length / each) }, (_, hour) =>
    series.values.slice(hour * each, (hour + 1) * each).map((value) => value ?? 0),
  );
  return {
    ...{ ...series, stepMs: hourMs },
    times: hours.map((_, hour) => beginMs + hour * hourMs),
    values: hours.map((values) => values.reduce((sum, one) => sum + one, 0) / each),
    tops: hours.map((values) => Math.max(...values)),
  };
}

/** Its last hours alone. */
export function lastOf(series: ResourceSeries, hours: number): ResourceSeries {
  const steps = Math.round((hours * hourMs) / series.stepMs);
  return { ...series, times: series.times.slice(-steps), values: series.values.slice(-steps) };
}

/** Memory before latency, some hours later, and inserts with the storage that they fill; beside all the other families. */
export function makeRelated(seed: number, hours = 168) {
  const random = createRandom(seed);
  const lag = Math.floor(random.between(0, 4));
  const memory: number[] = [];
  const inserts: number[] = [];
  let state = 0;
  for (let hour = 0; hour < hours; hour += 1) {
    state = 0.7 * state + 0.3 * random.normal();
    memory.push(50 + 10 * state + 8 * day(hour) + random.normal());
    inserts.push(Math.max(0, Math.round((40 + 20 * day(hour)) * random.between(0.4, 1.6))));
  }
  let bytes = 1e6;
  const storage = inserts.map((count) => {
    bytes += count * 20_000 * (1 + 0.2 * random.normal());
    return bytes;
  });
  const latency = memory.map(
    (_, hour) => 200 + 5 * ((memory[hour - lag] ?? 50) - 50) + 12 * random.normal() + 30 * day(hour),
  );
  const at = { stepMs: hourMs, times: memory.map((_, hour) => beginMs + hour * hourMs) };
  return {
    lag,
    series: [
      seriesOf(memory, { ...at, key: 'memory', resourceType: 'memory', unit: 'percent' }),
      seriesOf(latency, { ...at, key: 'query_latency:t', resourceType: 'query_latency', kind: 'latency', unit: 'ms' }),
      seriesOf(inserts, { ...at, key: 'inserts:t', resourceType: 'inserts', kind: 'flow', unit: 'requests' }),
      seriesOf(storage, { ...at, key: 'storage:t/files', resourceType: 'storage', kind: 'stock' }),
    ],
  };
}
