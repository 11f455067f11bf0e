import { createRequire } from 'node:module';
// Below the door of the slice: what is measured is what lies behind it.
import { renderExposition } from '../src/metrics/exposition.ts';
import { createRecorder } from '../src/metrics/recorder.ts';
import { createMetricRegistry } from '../src/metrics/registry.ts';
import { systemClock } from '../src/platform/clock.ts';
import { type Bench, median } from './report.ts';

/** What of the reference is used here. Its types are not ours to install. */
type Labels = Record<string, string>;
type PromMetric = {
  labels(labels: Labels): { inc(): void; set(n: number): void; observe(n: number): void };
  inc(labels: Labels): void;
};
type PromClient = {
  Registry: new () => { metrics(): Promise<string> };
  Counter: new (options: object) => PromMetric;
  Gauge: new (options: object) => PromMetric;
  Histogram: new (options: object) => PromMetric;
};

/** Not among the packages of this project: `npm install --no-save prom-client@15`, here or in a folder that NODE_PATH names. */
function findPromClient(): PromClient | undefined {
  try {
    return createRequire(import.meta.url)('prom-client') as PromClient; // as its own types say
  } catch {
    return undefined;
  }
}

const labelNames = ['method', 'route', 'status'] as const;
const labelsOf = (i: number): Labels => ({
  method: 'GET',
  route: `/api/${i % 50}`,
  status: String(Math.floor(i / 50)),
});

/** Nanoseconds of CPU time per call. */
function timed(times: number, work: (times: number) => void): number {
  const before = process.cpuUsage();
  work(times);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1_000) / times;
}

type Case = { readonly name: string; readonly times: number; run(times: number): void };

export const metricRecording: Bench = {
  name: 'metric-recording',
  async run(size) {
    const [rounds, scale, many] = size === 'full' ? [9, 1, 10_000] : [1, 0.01, 100];
    const series = 100;
    const order = Uint8Array.from({ length: 4_096 }, (_, i) => (i * 61) % series);
    const registry = createMetricRegistry({ clock: systemClock, maxSeriesPerMetric: 20_000 });
    const recorder = createRecorder({ registry, clock: systemClock });
    const counter = recorder.counter({ name: 'runs' });
    const gauge = recorder.gauge({ name: 'level' });
    const timer = recorder.timer({ name: 'took_ms' });
    const all = Array.from({ length: series }, (_, i) => labelsOf(i));
    const counters = all.map((labels) => counter.labels(labels));
    const gauges = all.map((labels) => gauge.labels(labels));
    const timers = all.map((labels) => timer.labels(labels));
    const cases: Case[] = [
      {
        name: 'counter by handle',
        times: 2_000_000 * scale,
        run(times) {
          for (let i = 0; i < times; i += 1) counters[order[i & 4_095]!]!.inc();
        },
      },
      {
        name: 'gauge by handle',
        times: 2_000_000 * scale,
        run(times) {
          for (let i = 0; i < times; i += 1) gauges[order[i & 4_095]!]!.set(i / 3);
        },
      },
      {
        name: 'counter by labels',
        times: 200_000 * scale,
        run(times) {
          for (let i = 0; i < times; i += 1) counter.labels(labelsOf(order[i & 4_095]!)).inc();
        },
      },
      {
        name: 'observation by handle',
        times: 1_000_000 * scale,
        run(times) {
          for (let i = 0; i < times; i += 1) timers[order[i & 4_095]!]!.observe((i & 1_023) * 3.7);
        },
      },
    ];
    const prom = findPromClient();
    const promRegistry = prom && new prom.Registry();
    const references: Case[] = [];
    if (prom) {
      const options = { help: 'x', labelNames, registers: [promRegistry] };
      const promCounter = new prom.Counter({ ...options, name: 'runs_total' });
      const promGauge = new prom.Gauge({ ...options, name: 'level' });
      const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
      const promHistogram = new prom.Histogram({ ...options, name: 'took_seconds', buckets });
      const times = 100_000 * scale;
      const child = (
        name: string,
        metric: PromMetric,
        use: (one: ReturnType<PromMetric['labels']>, i: number) => void,
      ) => {
        const children = all.map((labels) => metric.labels(labels));
        references.push({
          name,
          times,
          run(n) {
            for (let i = 0; i < n; i += 1) use(children[order[i & 4_095]!]!, i);
          },
        });
      };
      child('counter by handle', promCounter, (one) => one.inc());
      child('gauge by handle', promGauge, (one, i) => one.set(i / 3));
      references.push({
        name: 'counter by labels',
        times,
        run(n) {
          for (let i = 0; i < n; i += 1) promCounter.inc(labelsOf(order[i & 4_095]!));
        },
      });
      child('observation by handle', promHistogram, (one, i) => one.observe(((i & 1_023) * 3.7) / 1_000));
    }
    const ours = cases.map(() => [] as number[]);
    const theirs = cases.map(() => [] as number[]);
    for (let round = -1; round < rounds; round += 1)
      for (const [at, one] of cases.entries()) {
        const mine = timed(one.times, one.run);
        const reference = references[at];
        const other = reference ? timed(reference.times, reference.run) : Number.NaN;
        // The first round warms up.
        if (round < 0) continue;
        ours[at]?.push(mine);
        theirs[at]?.push(other);
      }

    // Exposition of many series, on registries of their own.
    const wide = createMetricRegistry({ clock: systemClock, maxSeriesPerMetric: 20_000 });
    const wideCounter = wide.counter({ name: 'wide_total', help: 'x', labels: [...labelNames] });
    const wideHistogram = wide.histogram({ name: 'wide_seconds', help: 'x', labels: [...labelNames] });
    const widePrometheus = prom && new prom.Registry();
    const promWide = prom && {
      counter: new prom.Counter({ name: 'wide_total', help: 'x', labelNames, registers: [widePrometheus] }),
      histogram: new prom.Histogram({ name: 'wide_seconds', help: 'x', labelNames, registers: [widePrometheus] }),
    };
    for (let i = 0; i < many; i += 1) {
      const { method = '', route = '', status = '' } = labelsOf(i);
      wideCounter.labels(method, route, status).inc(i);
      promWide?.counter.labels(labelsOf(i)).inc();
      if (i % 10 !== 0) continue;
      wideHistogram.labels(method, route, status).observe(0.2);
      promWide?.histogram.labels(labelsOf(i)).observe(0.2);
    }
    const expose: number[] = [];
    const exposeReference: number[] = [];
    for (let round = -1; round < rounds; round += 1) {
      const mine = timed(1, () => void renderExposition(wide.families(), 'text'));
      const before = process.cpuUsage();
      await widePrometheus?.metrics();
      const { user, system } = process.cpuUsage(before);
      if (round < 0) continue;
      expose.push(mine / 1e6);
      exposeReference.push(prom ? (user + system) / 1e3 : Number.NaN);
    }

    const ratio = (at: number): number => median(ours[at] ?? []) / median(theirs[at] ?? []);
    const limits = [1 / 50, 1 / 50, 1 / 4, 1 / 30];
    const rows = ['P1', 'P1', 'P2', 'P3'];
    const figures = prom
      ? [
          ...cases.map((one, at) => ({
            what: `${rows[at]}: ${one.name}, against prom-client's child`,
            value: ratio(at),
            limit: limits[at] ?? 1,
            unit: 'times',
          })),
          { what: 'P4: exposition', value: median(expose) / median(exposeReference), limit: 1 / 10, unit: 'times' },
        ]
      : cases.map((one, at) => ({
          what: `${one.name} (no prom-client here)`,
          value: median(ours[at] ?? []),
          unit: 'ns',
        }));
    return {
      row: 'P1 to P4, recording and exposition',
      target: 'by handle 1/50 of prom-client, by labels 1/4, observations 1/30, exposition 1/10.',
      method: `Median of ${rounds} rounds in turn; three labels, ${series} series in mixed order; CPU time. Observations fill the buckets of /metrics and the sketch. Exposition of ${many} counters and ${many / 10} histograms.`,
      columns: ['what', 'ragwarden, ns', 'prom-client, ns'],
      lines: [
        ...cases.map((one, at) => [one.name, median(ours[at] ?? []), median(theirs[at] ?? [])]),
        ['exposition', median(expose) * 1e6, median(exposeReference) * 1e6],
      ],
      figures,
    };
  },
};
