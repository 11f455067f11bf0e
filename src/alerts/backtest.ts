import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Aggregation, MetricHistory } from '../metrics/index.ts';
import { noState, type RuleState } from './alert.ts';
import { type AlertRule, type SeriesChoice, wants } from './alert-rule.ts';
import { readUsualOver } from './backtest-anomaly.ts';
import { decideAlerts, evaluationStep } from './decide-alerts.ts';
import { fitLine, measureLine } from './read-rule.ts';
import { type Labels, labelText, type Reading } from './reading.ts';
import { fewestWindows, readingOf } from './usual.ts';

/** One time that a rule would have fired. */
export type Firing = {
  readonly labels: Labels;
  readonly pendingAtMs: number;
  readonly firedAtMs: number;
  /** Null: it would fire still at the end of the range. */
  readonly resolvedAtMs: number | null;
  readonly worst: number | null;
  readonly flapping: boolean;
  readonly reason: string;
};

export type Backtest = {
  readonly fromMs: number;
  readonly toMs: number;
  /** Between two evaluations; longer than in life where the range is long. */
  readonly stepMs: number;
  readonly evaluations: number;
  readonly series: number;
  readonly firings: readonly Firing[];
  /** Times that it was pending and did not fire. */
  readonly cleared: number;
  readonly capped: boolean;
  /** What of it is not as it would be in life, in sentences. */
  readonly notes: readonly string[];
};

const mostEvaluations = 10_000;
const mostSeries = 500;
const turnEvery = 100;

/** Runs a rule over what is stored, with the very function that decides in life. It looks at nothing but the rule and the samples. */
export async function backtestRule(
  rule: AlertRule,
  history: Pick<MetricHistory, 'view'>,
  range: { readonly fromMs: number; readonly toMs: number; readonly intervalMs: number },
): Promise<Backtest> {
  const { fromMs, toMs, intervalMs } = range;
  const times = Math.max(1, Math.ceil((toMs - fromMs) / intervalMs / mostEvaluations));
  const stepMs = times * intervalMs;
  const notes: string[] = [];
  if (times > 1) notes.push(`The range is evaluated every ${stepMs / 1_000} s, not every ${intervalMs / 1_000} s.`);
  const view = history.view();
  const { anomaly } = rule;
  const judged = anomaly && { ...rule, anomaly };
  const usualAt = judged && (await readUsualOver(judged, view, range, notes));
  const past = await readPast(rule, rule, view, { fromMs, toMs, stepMs }, notes);
  const by = rule.divideBy && (await readPast(rule, rule.divideBy, view, { fromMs, toMs, stepMs }, notes));
  const divisors = by && new Map(by.series.map((one) => [labelText(one.labels), one.values]));

  let judgedAny = false;
  const firings: Firing[] = [];
  let cleared = 0;
  let capped = false;
  let state: RuleState = noState;
  let lastMs: number | null = null;
  for (const [at, atMs] of past.times.entries()) {
    if (at % turnEvery === turnEvery - 1) await nextTurn();
    const readings = past.series.flatMap(({ labels, values }): Reading[] => {
      const value = values[at];
      if (value === null || value === undefined) return [];
      if (judged !== undefined) {
        const usual = usualAt?.(labels, atMs);
        judgedAny ||= usual !== undefined;
        return usual === undefined ? [] : [readingOf(judged, { labels, value }, usual)];
      }
      if (divisors === undefined) return [{ labels, value }];
      const divisor = divisors.get(labelText(labels))?.[at];
      return divisor === null || divisor === undefined || divisor === 0 ? [] : [{ labels, value: value / divisor }];
    });
    const decided = decideAlerts(rule, readings, state, { nowMs: atMs, stepMs: evaluationStep(lastMs, atMs, stepMs) });
    state = decided.state;
    lastMs = atMs;
    for (const change of decided.changes) {
      if (change.kind === 'cleared') cleared += 1;
      else if (change.kind === 'capped') capped = true;
      else if (change.kind === 'resolved') {
        const { alert, reason } = change;
        firings.push({
          ...{ labels: alert.labels, pendingAtMs: alert.sinceMs, firedAtMs: alert.firedAtMs ?? atMs },
          ...{ resolvedAtMs: atMs, worst: alert.worst, flapping: alert.flapping, reason },
        });
      }
    }
  }
  for (const alert of state.alerts)
    if (alert.firedAtMs !== null)
      firings.push({
        ...{ labels: alert.labels, pendingAtMs: alert.sinceMs, firedAtMs: alert.firedAtMs, resolvedAtMs: null },
        ...{ worst: alert.worst, flapping: alert.flapping, reason: 'It would fire still.' },
      });
  if (past.series.length === 0) notes.push(`Nothing of ${rule.metricName} is stored in this range.`);
  else if (judged !== undefined && !judgedAny)
    notes.push(`No series has ${fewestWindows} windows of a past, without which nothing is unusual.`);
  return {
    ...{ fromMs, toMs, stepMs, evaluations: past.times.length, series: past.series.length, cleared, capped, notes },
    firings: firings.sort((a, b) => a.firedAtMs - b.firedAtMs),
  };
}

type Values = readonly (number | null)[];
type Past = {
  /** When each evaluation takes place. */
  readonly times: readonly number[];
  readonly series: readonly { readonly labels: Labels; readonly values: Values }[];
};
type Range = { readonly fromMs: number; readonly toMs: number; readonly stepMs: number };

/** What the rule would have read at each evaluation: windows that end there, put together from steps. */
async function readPast(
  rule: AlertRule,
  choice: SeriesChoice,
  view: Pick<MetricHistory, 'query'>,
  { fromMs, toMs, stepMs }: Range,
  notes: string[],
): Promise<Past> {
  const span = Math.max(1, Math.round(rule.windowMs / stepMs));
  const beginMs = Math.floor((fromMs - span * stepMs) / stepMs) * stepMs;
  const ask = async (aggregation: Aggregation, askedStepMs = stepMs) => {
    const answer = await view.query({
      ...{ name: choice.metricName, where: wants(choice), groupBy: rule.groupBy, aggregation, fromMs: beginMs, toMs },
      ...{ stepMs: askedStepMs, limit: mostSeries },
    });
    if (answer.total > mostSeries) notes.push(`Only the first ${mostSeries} of ${answer.total} series are looked at.`);
    return answer;
  };
  const note = (text: string): void => {
    if (!notes.includes(text)) notes.push(text);
  };
  if (span === 1 && rule.windowMs < stepMs && rule.aggregation !== 'last')
    note(`Windows are ${stepMs / 1_000} s long, as the evaluations are apart, instead of ${rule.windowMs / 1_000} s.`);

  const slide = (
    { times, series }: Awaited<ReturnType<typeof ask>>,
    combine: (window: Values, at: number, series: number) => number | null,
  ): Past => {
    const ends = times.map((time) => time + stepMs);
    const first = ends.findIndex((end) => end >= fromMs);
    return {
      times: ends.slice(first),
      series: series.map(({ labels, values }, of) => ({
        labels,
        values: values.slice(first).map((_, i) => {
          const at = first + i;
          return combine(values.slice(Math.max(0, at + 1 - span), at + 1), at, of);
        }),
      })),
    };
  };

  if (rule.measure === 'change_per_second' || rule.measure === 'forecast') {
    const answer = await ask('average');
    return slide(answer, (window, at) => {
      const endMs = (answer.times[at] ?? 0) + stepMs;
      const line = fitLine(
        window.map((value, i) => ({ value, atMs: endMs - (window.length - i) * stepMs + stepMs / 2 })),
      );
      return line === undefined ? null : measureLine(rule, line, endMs);
    });
  }
  switch (rule.aggregation) {
    case 'last':
      return slide(await ask('last'), (window) => window.findLast((value) => value !== null) ?? null);
    case 'sum':
    case 'count':
    case 'increase':
      return slide(await ask(rule.aggregation), (window) => sum(window));
    case 'rate': {
      const seconds = (span * stepMs) / 1_000;
      const perStep = stepMs / 1_000;
      // Of each step per second; together over the window.
      return slide(await ask('rate'), (window) => scaled(sum(window), perStep / seconds));
    }
    case 'min':
    case 'max': {
      const most = rule.aggregation === 'max' ? Math.max : Math.min;
      return slide(await ask(rule.aggregation), (window) => {
        const there = window.filter((value) => value !== null);
        return there.length === 0 ? null : most(...there);
      });
    }
    case 'average': {
      const counts = await ask('count');
      const averages = await ask('average');
      return slide(averages, (window, at, of) => {
        const counted = counts.series[of]?.values.slice(Math.max(0, at + 1 - span), at + 1) ?? [];
        const count = sum(counted) ?? 0;
        return count === 0 ? null : window.reduce<number>((all, v, i) => all + (v ?? 0) * (counted[i] ?? 0), 0) / count;
      });
    }
    case 'p50':
    case 'p90':
    case 'p95':
    case 'p99': {
      // Percentiles of parts do not make those of the whole: windows follow one another, and the last that ended counts.
      if (span > 1)
        note('Percentiles are of windows that follow one another, not of one that moves with each evaluation.');
      const windowMs = span * stepMs;
      const answer = await ask(rule.aggregation, windowMs);
      const firstMs = Math.ceil(fromMs / stepMs) * stepMs;
      const times = Array.from(
        { length: Math.max(0, Math.floor((toMs - firstMs) / stepMs) + 1) },
        (_, i) => firstMs + i * stepMs,
      );
      const [beginOf = 0] = answer.times;
      return {
        times,
        series: answer.series.map(({ labels, values }) => ({
          labels,
          values: times.map((atMs) => values[Math.floor((atMs - beginOf) / windowMs) - 1] ?? null),
        })),
      };
    }
    default:
      return rule.aggregation satisfies never;
  }
}

function sum(values: Values): number | null {
  let all = 0;
  let any = false;
  for (const value of values)
    if (value !== null) {
      all += value;
      any = true;
    }
  return any ? all : null;
}

const scaled = (value: number | null, by: number): number | null => (value === null ? null : value * by);
