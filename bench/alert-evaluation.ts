// Below the door of the slice: what is measured is what lies behind it.
import { noState } from '../src/alerts/alert.ts';
import { decideAlerts } from '../src/alerts/decide-alerts.ts';
import { createRuleReader } from '../src/alerts/read-rule.ts';
import { ruleOf } from '../src/alerts/rule-body.ts';
import { createCurrentValues, createMetricRegistry, type MetricHistory } from '../src/metrics/index.ts';
import { createRecentWindows } from '../src/metrics/recent-windows.ts';
import { systemClock } from '../src/platform/clock.ts';
import { type Bench, median } from './report.ts';
import { startPrometheusRules } from './rules/prometheus-rules.ts';
import { openWindowRules } from './rules/window-rules.ts';

const intervalMs = 30_000;
const seriesCount = 1_000;
const noView: Pick<MetricHistory, 'query'> = {
  query: () => Promise.reject(new Error('a threshold on a level asks no store')),
};

const noWindows = createRecentWindows({ instance: 'bench', find: () => undefined });

/** CPU milliseconds of `times` runs, for one. */
function timed(times: number, work: () => void): number {
  const before = process.cpuUsage();
  for (let i = 0; i < times; i += 1) work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / times;
}

async function timedAsync(times: number, work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  for (let i = 0; i < times; i += 1) await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / times;
}

/** Rules on levels, a quarter of which fire all the time; reading and deciding, without the writing of changes. */
function evaluate(count: number, rounds: number, times: number): number {
  const registry = createMetricRegistry({ clock: systemClock, maxSeriesPerMetric: 2 * seriesCount });
  const level = registry.gauge({ name: 'level', help: 'A level.', labels: ['series'] });
  for (let i = 0; i < seriesCount; i += 1) level.labels(String(i)).set(i % 4 === 0 ? 95 : 50);
  const current = createCurrentValues({ registry, windows: noWindows, instance: 'bench' });
  const bound = Array.from({ length: count }, (_, i) => {
    const labels = { series: String(i % seriesCount) };
    const rule = ruleOf({ name: `r${i}`, metric_name: 'level', labels, condition: 'gt', threshold: 85 });
    return { rule, reader: createRuleReader(rule, current), state: noState };
  });
  let nowMs = systemClock.now();
  const once = (): void => {
    nowMs += intervalMs;
    for (const one of bound) {
      const readings = one.reader.read(noView, nowMs);
      if (readings instanceof Promise) throw new Error('a threshold on a level is read at once');
      one.state = decideAlerts(one.rule, readings, one.state, { nowMs, stepMs: intervalMs }).state;
    }
  };
  for (let i = 0; i < 20; i += 1) once();
  return median(Array.from({ length: rounds }, () => timed(times, once)));
}

/** What the numbers alone would take: values, thresholds and times held in typed arrays. */
function limit(count: number, rounds: number, times: number): number {
  const values = Float64Array.from({ length: count }, (_, i) => (i % 4 === 0 ? 95 : 50));
  const thresholds = new Float64Array(count).fill(85);
  const held = new Float64Array(count);
  const once = (): void => {
    for (let i = 0; i < count; i += 1) held[i] = values[i]! > thresholds[i]! ? held[i]! + intervalMs : 0;
  };
  for (let i = 0; i < 20; i += 1) once();
  return median(Array.from({ length: rounds }, () => timed(times, once)));
}

export const alertEvaluation: Bench = {
  name: 'alert-evaluation',
  async run(size) {
    const [rounds, times, seconds, reference] = size === 'full' ? [9, 200, 5, 1_000] : [1, 2, 0, 50];
    const counts = [100, 1_000, 10_000];
    const prometheus = await startPrometheusRules(reference, size === 'full' ? 75 : 0);
    const windows = await openWindowRules(reference);
    /** In turns, so that whatever else the machine does is in all of them. */
    const turns: { theirs: { threshold: number; window: number } | undefined; threshold: number; window: number }[] =
      [];
    for (let round = 0; round < rounds; round += 1) {
      const theirs = await prometheus?.measure(seconds);
      const threshold = evaluate(reference, 1, times);
      // As those on thresholds, which warm up in `evaluate`: what is measured is not the first look after seconds of something else.
      for (let i = 0; i < 5; i += 1) await windows.once();
      turns.push({ theirs, threshold, window: await timedAsync(Math.ceil(times / 2), () => windows.once()) });
    }
    await prometheus?.stop();
    await windows.close();
    const taken = counts.map((count) => ({
      count,
      ours: evaluate(count, rounds, count > 1_000 ? Math.ceil(times / 10) : times),
      least: limit(count, rounds, times),
    }));
    const of = (count: number): number => taken.find((one) => one.count === count)?.ours ?? Number.NaN;
    const kinds = (['threshold', 'window'] as const).map((kind) => ({
      kind,
      ours: median(turns.map((turn) => turn[kind])),
      theirs: prometheus && median(turns.flatMap(({ theirs }) => theirs?.[kind] ?? [])),
      ratio: prometheus && median(turns.flatMap(({ theirs, ...own }) => (theirs ? own[kind] / theirs[kind] : []))),
    }));
    return {
      row: 'P7, F466',
      target:
        '1,000 threshold rules ≤ 1/500 and 1,000 window rules ≤ 1/200 of the CPU of Prometheus; 1,000 threshold rules ≤ 0.2 ms, 10,000 ≤ 2 ms; 100 rules well below the 100 ms of document 003',
      method:
        'Rules on levels of 1,000 series, a quarter of which fire; reading and deciding, without writing. Beside it the same numbers in typed arrays. Prometheus runs three times at once: without rules, with the threshold rules, and with the averages over 60 s; its CPU per evaluation is without that of the first, and taken in turns with ours.',
      columns: ['rules', 'CPU ms per evaluation', 'typed arrays, ms', 'Prometheus, ms'],
      lines: [
        ...taken.map(({ count, ours, least }) => [`${count} threshold`, ours, least, '–']),
        ...kinds.map(({ kind, ours, theirs }) => [`${reference} ${kind}, in turns`, ours, '–', theirs ?? 'not here']),
      ],
      figures: [
        { what: '100 rules', value: of(100), limit: 100, unit: 'ms' },
        { what: '1,000 threshold rules', value: of(1_000), limit: 0.2, unit: 'ms' },
        { what: '10,000 threshold rules', value: of(10_000), limit: 2, unit: 'ms' },
        ...kinds.flatMap(({ kind, ratio }) =>
          ratio === undefined
            ? []
            : [
                {
                  what: `${kind} rules against Prometheus`,
                  value: ratio,
                  limit: kind === 'threshold' ? 1 / 500 : 1 / 200,
                  unit: 'times',
                },
              ],
        ),
      ],
    };
  },
};
