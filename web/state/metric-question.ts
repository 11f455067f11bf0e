import type { MetricDefinition } from '../api/metric-wire.ts';

/** What the explorer asks, as the address holds it. What is undefined is chosen from the metric and the range. */
export type MetricQuestion = {
  readonly metric: string | undefined;
  readonly aggregation: string | undefined;
  /** `label=value`, each of which a series must have. */
  readonly match: readonly string[];
  /** Labels that keep series apart, separated by commas; empty: one for all; undefined: every series. */
  readonly by: string | undefined;
  /** How far back from now, as `6h`; heeded when there is no `from`. */
  readonly last: string | undefined;
  /** Instants, ISO 8601. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** Seconds. */
  readonly step: string | undefined;
  /** How many series are drawn. */
  readonly top: string | undefined;
};

export const noQuestion: MetricQuestion = {
  metric: undefined,
  aggregation: undefined,
  match: [],
  by: undefined,
  last: undefined,
  from: undefined,
  to: undefined,
  step: undefined,
  top: undefined,
};

const single = ['metric', 'aggregation', 'by', 'last', 'from', 'to', 'step', 'top'] as const;

export function readQuestion(query: URLSearchParams): MetricQuestion {
  const of = (name: (typeof single)[number]): string | undefined => query.get(name)?.slice(0, 1_000);
  return {
    metric: of('metric') || undefined,
    aggregation: of('aggregation') || undefined,
    match: query.getAll('match').slice(0, 32),
    // Empty is an answer of its own.
    by: of('by'),
    last: of('last') || undefined,
    from: of('from') || undefined,
    to: of('to') || undefined,
    step: of('step') || undefined,
    top: of('top') || undefined,
  };
}

export function writeQuestion(query: URLSearchParams, question: MetricQuestion): void {
  for (const name of single) {
    const value = question[name];
    if (value === undefined) query.delete(name);
    else query.set(name, value);
  }
  query.delete('match');
  for (const one of question.match) query.append('match', one);
}

export const spans = ['15m', '1h', '6h', '24h', '7d', '30d', '90d', '365d'] as const;

const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `15m`, `6h`, `7d`; undefined for anything else. */
export function spanMs(text: string | undefined): number | undefined {
  const found = /^(\d{1,5})([mhd])$/.exec(text ?? '');
  const ms = found ? Number(found[1]) * (unitMs[found[2]!] ?? 0) : 0;
  return ms > 0 ? ms : undefined;
}

const instantMs = (text: string | undefined): number | undefined => {
  const ms = Date.parse(text ?? '');
  return Number.isFinite(ms) ? ms : undefined;
};

export type AskedRange = {
  readonly fromMs: number;
  readonly toMs: number;
  /** It ends now, and goes on. */
  readonly moving: boolean;
};

/** An hour until now, unless the address says something that can be read. */
export function rangeOf(question: Pick<MetricQuestion, 'last' | 'from' | 'to'>, nowMs: number): AskedRange {
  const from = instantMs(question.from);
  const toMs = instantMs(question.to) ?? nowMs;
  if (from !== undefined && from < toMs) return { fromMs: from, toMs, moving: question.to === undefined };
  return { fromMs: nowMs - (spanMs(question.last) ?? 3_600_000), toMs: nowMs, moving: true };
}

/** Seconds; the tiers that are not raw have windows of 300 and 3,600, into which the longer ones fit. */
export const steps = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400] as const;

/** As many windows as can be told apart on a chart. */
const windows = 150;

export function stepOf(question: MetricQuestion, { fromMs, toMs }: AskedRange): number {
  const asked = Number(question.step);
  if (Number.isInteger(asked) && asked > 0) return asked;
  return steps.find((seconds) => (toMs - fromMs) / 1_000 / seconds <= windows) ?? 86_400;
}

export const aggregationOf = (question: MetricQuestion, metric: MetricDefinition): string =>
  question.aggregation ?? metric.aggregations[0] ?? 'average';

export const topOf = ({ top }: MetricQuestion): number => {
  const asked = Number(top);
  return Number.isInteger(asked) && asked >= 1 && asked <= 100 ? asked : 10;
};

function seriesQuery(question: MetricQuestion, metric: MetricDefinition, range: AskedRange): URLSearchParams {
  const query = new URLSearchParams({ name: metric.name, aggregation: aggregationOf(question, metric) });
  query.set('from', new Date(range.fromMs).toISOString());
  query.set('to', new Date(range.toMs).toISOString());
  for (const one of question.match) query.append('match', one);
  if (question.by !== undefined) query.set('group_by', question.by);
  return query;
}

/** The course of every series. */
export function coursePath(question: MetricQuestion, metric: MetricDefinition, range: AskedRange): string {
  const query = seriesQuery(question, metric, range);
  query.set('step_seconds', String(stepOf(question, range)));
  query.set('limit', '1000');
  return `api/v1/metrics/query?${query}`;
}

/** Which of them are the greatest over the whole range, and how many there are. */
export function rankingPath(question: MetricQuestion, metric: MetricDefinition, range: AskedRange): string {
  const query = seriesQuery(question, metric, range);
  query.set('limit', String(topOf(question)));
  return `api/v1/metrics/top?${query}`;
}

/** Which labels its series have, whatever was chosen: the whole range as one window. */
export function labelsPath(metric: string, range: AskedRange): string {
  const query = new URLSearchParams({ name: metric, aggregation: 'count', limit: '1000' });
  query.set('from', new Date(range.fromMs).toISOString());
  query.set('to', new Date(range.toMs).toISOString());
  query.set('step_seconds', String(Math.min(366 * 86_400, Math.ceil((range.toMs - range.fromMs) / 1_000))));
  return `api/v1/metrics/query?${query}`;
}

/** The same question on the command line. */
export function commandOf(question: MetricQuestion, metric: MetricDefinition, range: AskedRange): string {
  const words = ['ragwarden', 'metrics', 'query', metric.name, '--aggregation', aggregationOf(question, metric)];
  if (question.from !== undefined) {
    words.push('--from', new Date(range.fromMs).toISOString());
    if (!range.moving) words.push('--to', new Date(range.toMs).toISOString());
  } else words.push('--last', spanMs(question.last) === undefined ? '1h' : question.last!);
  words.push('--step', `${stepOf(question, range)}s`);
  if (question.match.length > 0) words.push('--match', ...question.match);
  if (question.by !== undefined) words.push('--group-by', question.by === '' ? 'all' : question.by);
  return words.map(shellWord).join(' ');
}

const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
